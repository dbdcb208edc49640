import type { BytePath } from "../../src/bytes/byte-path.ts";
import {
  type DirectoryEntry,
  type Entry,
  type FileEntry,
  NO_XATTRS,
  type SymlinkEntry,
} from "../../src/bytes/entry.ts";

/** An entry that the image has instead of, or besides, what the machine has. Content only for files. */
export interface OverlayEntry {
  readonly entry: FileEntry | SymlinkEntry | DirectoryEntry;
  readonly bytes?: Uint8Array;
  /** Why, in the words of the report: "machine-id", "masked-units"... */
  readonly rule: string;
  /** True where the machine has nothing by this path. */
  readonly added: boolean;
}

/** Below every number that a tree or an emptied file has. */
const FIRST_INODE = -(2 ** 52) - 1024;

/**
 * Replacements and additions by path. What takes the place of a file keeps its owner, mode and time; what is new belongs to
 * root and dates from the epoch.
 */
export class Overlay {
  readonly entries = new Map<BytePath, OverlayEntry>();

  /** A file; `mode` counts only where the original is absent or not a file. */
  file(path: BytePath, text: string, rule: string, original: Entry | undefined, mode = 0o644): void {
    const bytes = Buffer.from(text, "utf8");
    const xattrs = original?.type === "file" ? original.xattrs : NO_XATTRS;
    const base = this.#base(path, original, original?.type === "file" ? original.mode : mode);
    this.#put({
      entry: { ...base, type: "file", xattrs, size: bytes.length },
      bytes,
      rule,
      added: original === undefined,
    });
  }

  symlink(path: BytePath, target: BytePath, rule: string, original: Entry | undefined): void {
    const base = this.#base(path, original, 0o777);
    this.#put({ entry: { ...base, type: "symlink", target }, rule, added: original === undefined });
  }

  /** A directory, unless the overlay has one by this path. What the machine has there counts as it is. */
  directory(
    path: BytePath,
    rule: string,
    original: Entry | undefined,
    made: Partial<Pick<Entry, "uid" | "gid" | "mode">> = {},
  ): void {
    if (this.entries.has(path)) return;
    const directory = original?.type === "directory" ? original : undefined;
    const { uid = 0, gid = 0, mode = 0o755 } = directory ?? made;
    const base = this.#base(path, directory, mode);
    const entry = { ...base, uid, gid, type: "directory", xattrs: directory?.xattrs ?? NO_XATTRS } as const;
    this.#put({ entry, rule, added: original === undefined });
  }

  #base(path: BytePath, original: Entry | undefined, mode: number) {
    const { uid, gid, mtime } = original ?? { uid: 0, gid: 0, mtime: { seconds: 0, nanoseconds: 0 } };
    return { path, inode: FIRST_INODE - this.entries.size, links: 1, mode, uid, gid, mtime, xattrs: NO_XATTRS };
  }

  #put(overlaid: OverlayEntry): void {
    this.entries.set(overlaid.entry.path, overlaid);
  }
}
