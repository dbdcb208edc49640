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

/** A path as `files` gives it. */
export function kernelPath(path: BytePath): BytePath {
  return path.replace(/^(?:\.?\/)+/, "").replace(/^usr\/lib\/modules\//, "lib/modules/");
}

/**
 * A source that is slow to read, as a compressed package is, read once if that does: what `keep` names is kept from the first
 * time on.
 */
export function remembering(source: KernelSource, keep: (path: BytePath) => boolean): KernelSource {
  const paths: BytePath[] = [];
  const kept = new Map<BytePath, KernelFile>();
  let isRead = false;
  return {
    name: source.name,
    async *files(wanted) {
      if (!isRead) {
        const note = (path: BytePath) => {
          paths.push(path);
          return keep(path);
        };
        for await (const file of source.files(note)) kept.set(file.path, file);
        isRead = true;
      }
      const asked = new Set(paths.filter(wanted));
      if ([...asked].some((path) => !kept.has(path))) yield* source.files((path) => asked.has(path));
      else for (const path of asked) yield kept.get(path) as KernelFile;
    },
  };
}
