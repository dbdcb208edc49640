import type { Content, Writing } from "../bytes/content.ts";
import type { Context } from "../context.ts";

export interface DiskWriteOptions {
  /** zlib's 1 to 9 for formats that compress; each has its own default. */
  readonly level?: number;
}

/**
 * Writes a disk image. The content's size is the disk's, which a writer rounds up as its format demands, with zeros; what is
 * zero is not stored where the format can leave it out, be it a run of zeros or data that turns out to be zeros.
 */
export interface DiskWriter {
  /** The catalog's name of the format. */
  readonly name: string;
  /** Reads `content` once. Throws what the content throws, and errors of `src/bytes/pack`. */
  write(content: Content, options: DiskWriteOptions, ctx: Context): Writing;
}
