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
  /** What a child of this image knows it by, where its format has that. A change of the content changes one of them. */
  readonly identities?: readonly string[];
}

/** The ONLY way an image may reach a file that it names (extents, parents): names are looked up inside the same package. */
export interface OpenContext extends Context {
  /** Throws NotFoundError for a name that the package does not hold. The package owns the source. */
  resolve(name: string): Promise<ByteSource>;
}

/** What a format is opened with: it counts what the images of one chain take together. */
export interface FormatContext extends OpenContext {
  /** How many images stand on this one: 0 for the disk itself, 1 for its parent. */
  readonly depth: number;
  /**
   * Opens the image that `child` is based on, as `format` of the catalog; without one as what it shows, and `raw` is what shows
   * nothing. Throws CorruptError DISK_CHAIN for a circle and for too many, and what `resolve` throws.
   */
  openBase(child: string, name: string, format: string | undefined): Promise<VirtualDisk>;
  /** Whether this image came out of another one, as out of gzip. */
  readonly wrapped: boolean;
  /** Opens what this image held, as what was declared for it or what it shows. */
  openInner(inner: ByteSource): Promise<VirtualDisk>;
  /** Leaves a resource to the disk, which disposes it. */
  own(resource: AsyncDisposable): void;
  /** Counts `bytes` of a table that is kept while the disk is open; throws CorruptError DISK_TABLES_TOO_LARGE. */
  keepTable(file: string, bytes: number): void;
}

export interface DiskFormat {
  readonly name: string;
  /** Reads metadata only. The disk borrows `source`: whoever opened that disposes it, after the disk. */
  open(source: ByteSource, ctx: FormatContext): Promise<VirtualDisk>;
}
