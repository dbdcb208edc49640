import type { ByteSource } from "../bytes/byte-source.ts";
import type { Context } from "../context.ts";

/** A partition or a logical volume. */
export interface Volume extends ByteSource {
  /** Unique in its system and stable: "1", "5" (partition numbers), "vg0/root", "md0". */
  readonly id: string;
  /** The scheme's own type: "0x83", a GPT type GUID in upper case, "linear"... */
  readonly type: string;
  /** The type for people: "Linux", "EFI system". */
  readonly typeName: string;
  /** What `PARTUUID=` means to Linux: a GUID in lower case, or `xxxxxxxx-NN` on MBR; for LVs the LV's UUID. */
  readonly uuid: string | undefined;
  /** GPT partition name. */
  readonly label: string | undefined;
  /** MBR's active flag, GPT's legacy-BIOS-bootable attribute. */
  readonly bootable: boolean;
  /** Byte offset in the disk; undefined where the volume is not one run of one disk. */
  readonly start: number | undefined;
}

/** A partition table, a volume group, an array. */
export interface VolumeSystem {
  /** The catalog's name: "mbr", "gpt", "lvm2"... */
  readonly scheme: string;
  /** Disk signature, disk GUID, VG UUID. */
  readonly uuid: string | undefined;
  /** The VG's name. */
  readonly label: string | undefined;
  readonly sectorSize: number;
  readonly volumes: readonly Volume[];
}

export interface VolumeFormat {
  readonly name: string;
  /**
   * Partition tables take one source; LVM and md take every member that was found and give one system for each group.
   * Reads metadata only. The volumes borrow the sources.
   */
  open(sources: readonly ByteSource[], ctx: Context): Promise<readonly VolumeSystem[]>;
}
