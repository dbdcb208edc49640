import type { BytePath } from "../../src/bytes/byte-path.ts";

/** A file of a kernel's package. */
export interface KernelFile {
  readonly path: BytePath;
  readonly bytes: Uint8Array;
}

/** Where a kernel and its modules are taken from: a package, a tree of files, an image. */
export interface KernelSource {
  /** For messages. */
  readonly name: string;
  /**
   * The regular files whose paths are wanted, which is asked for every path in turn. Paths have no leading slash or dot, and
   * `usr/lib/modules` and `usr/lib/debug` stand as `lib/...`. It can be asked more than once, and reads all again.
   */
  files(wanted: (path: BytePath) => boolean): AsyncIterable<KernelFile>;
}
