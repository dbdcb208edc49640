import type { ByteSource } from "../bytes/byte-source.ts";
import type { Context } from "../context.ts";

/** The content of a virtual disk, as the guest sees it. Its `size` is a multiple of 512. */
export interface VirtualDisk extends ByteSource {
  /** The catalog's name of the format: "vmdk", "raw"... */
  readonly format: string;
  /** The variant, for people: "streamOptimized", "dynamic"... */
  readonly variant: string | undefined;
  /** 512 or 4096: the logical sector size that the guest saw, 512 where the container does not tell. */
  readonly sectorSize: number;
  /** Bytes of guest data that the container really holds, before compression; undefined where that is not known without reading. */
  readonly storedBytes: number | undefined;
}

/** The ONLY way an image may reach a file that it names (extents, parents): names are looked up inside the same package. */
export interface OpenContext extends Context {
  /** Throws NotFoundError for a name that the package does not hold. The package owns the source. */
  resolve(name: string): Promise<ByteSource>;
}

export interface DiskFormat {
  readonly name: string;
  /** Reads metadata only. The disk borrows `source`: whoever opened that disposes it, after the disk. */
  open(source: ByteSource, open: OpenContext): Promise<VirtualDisk>;
}
