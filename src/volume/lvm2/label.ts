import { crc32 } from "node:zlib";
import { LittleEndianView } from "../../bytes/view.ts";

const SECTOR = 512;
/** The label stands in one of this many sectors. */
const LABEL_SCAN_SECTORS = 4;
const INITIAL_CRC = 0xf597a6cf;

/** LVM2's checksum: CRC-32 from its own start value, not inverted at the end (calc_crc). */
export function lvmChecksum(bytes: Uint8Array): number {
  // zlib inverts before and after.
  return ~crc32(bytes, ~INITIAL_CRC >>> 0) >>> 0;
}

/** The label of a physical volume (struct label_header). */
export class LabelHeader extends LittleEndianView {
  static readonly SIZE = 0x20;
  static readonly ID = "LABELONE";
  static readonly TYPE = "LVM2 001";

  constructor(bytes: Uint8Array, offset: number) {
    super(bytes, offset, SECTOR);
  }

  get id(): string {
    return this.text(0x00, 8);
  }
  get sector(): number {
    return this.u64(0x08);
  }
  get crc(): number {
    return this.u32(0x10);
  }
  /** Of the header of the physical volume, from the label's start. */
  get offset(): number {
    return this.u32(0x14);
  }
  get type(): string {
    return this.text(0x18, 8);
  }

  /** Of everything behind the checksum. */
  get computedCrc(): number {
    return lvmChecksum(this.bytes(0x14, SECTOR - 0x14));
  }
  get sectorBytes(): Uint8Array {
    return this.bytes(0, SECTOR);
  }
}

/** The first label in the four sectors where one may be, and the byte at which it stands. */
export function findLabel(head: Uint8Array): { readonly label: LabelHeader; readonly at: number } | undefined {
  for (let at = 0; at < LABEL_SCAN_SECTORS * SECTOR && at + SECTOR <= head.length; at += SECTOR) {
    const label = new LabelHeader(head, at);
    if (label.id === LabelHeader.ID && label.type === LabelHeader.TYPE) return { label, at };
  }
  return undefined;
}

/** A run of a physical volume, in bytes (struct disk_locn). */
export interface Area {
  readonly offset: number;
  readonly size: number;
}

/** The fixed part of the header of a physical volume (struct pv_header); two lists of areas follow. */
export class PhysicalVolumeHeader extends LittleEndianView {
  static readonly SIZE = 0x28;

  constructor(bytes: Uint8Array, offset: number) {
    super(bytes, offset, bytes.length - offset);
  }

  /** 32 characters, without hyphens. */
  get uuid(): string {
    return this.text(0x00, 32);
  }
  get deviceSize(): number {
    return this.u64(0x20);
  }

  /** The areas of metadata; undefined where the lists do not end. */
  get metadataAreas(): readonly Area[] | undefined {
    const lists: Area[][] = [[], []];
    let at = PhysicalVolumeHeader.SIZE;
    for (const list of lists) {
      for (;;) {
        if (at + 16 > this.data.byteLength) return undefined;
        const area = { offset: this.u64(at), size: this.u64(at + 8) };
        at += 16;
        if (area.offset === 0) break;
        list.push(area);
      }
    }
    return lists[1];
  }
}

const MAGIC = Buffer.from("204c564d3220785b35412572304e2a3e", "hex");
const IGNORED = 0x1;

/** The header of a metadata area (struct mda_header), with the one location that counts: the committed text. */
export class MetadataAreaHeader extends LittleEndianView {
  static readonly SIZE = SECTOR;

  constructor(bytes: Uint8Array) {
    super(bytes, 0, MetadataAreaHeader.SIZE);
  }

  get checksum(): number {
    return this.u32(0x00);
  }
  get hasMagic(): boolean {
    return MAGIC.equals(this.bytes(0x04, 16));
  }
  get version(): number {
    return this.u32(0x14);
  }
  get start(): number {
    return this.u64(0x18);
  }
  get size(): number {
    return this.u64(0x20);
  }
  /** From the area's start; 0 where the volume belongs to no group. */
  get textOffset(): number {
    return this.u64(0x28);
  }
  get textSize(): number {
    return this.u64(0x30);
  }
  get textChecksum(): number {
    return this.u32(0x38);
  }
  /** The text is out of date and kept only by other physical volumes. */
  get ignored(): boolean {
    return (this.u32(0x3c) & IGNORED) !== 0;
  }

  get computedChecksum(): number {
    return lvmChecksum(this.bytes(0x04, MetadataAreaHeader.SIZE - 4));
  }
}
