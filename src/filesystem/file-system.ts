import type { BytePath } from "../bytes/byte-path.ts";
import type { ByteSource } from "../bytes/byte-source.ts";
import type { DirectoryEntry, Entry, FileEntry } from "../bytes/entry.ts";
import type { Context } from "../context.ts";

/** A guest's file system, read only. */
export interface FileSystem extends AsyncDisposable {
  /** As fstab and blkid call it: "ext4", "xfs", "vfat"... */
  readonly type: string;
  /** As `UUID=` in fstab spells it. */
  readonly uuid: string | undefined;
  readonly label: string | undefined;
  /** Of a file system over several volumes: those that it takes its bytes from. */
  readonly members?: readonly ByteSource[];
  /** Bytes, and how many of them are in use as far as the superblock tells. */
  readonly size: number;
  readonly used: number | undefined;
  /**
   * Every entry, the root first, each directory before what it holds, the names of one directory in byte order: the same
   * disk always gives the same sequence. A directory for which `enter` answers false is given, but not what it holds.
   */
  walk(enter?: (directory: DirectoryEntry) => boolean): AsyncIterable<Entry>;
  /** One entry by path; symlinks are not followed. */
  lookup(path: BytePath): Promise<Entry | undefined>;
  /** Sparse-aware; borrowed from the file system. Holes and unwritten extents are zeros, the size is `file.size`. */
  content(file: FileEntry): ByteSource;
}

export interface FileSystemOptions {
  /** btrfs: a subvolume by path or id instead of the default one. */
  readonly subvolume?: string | number;
}

export interface FileSystemFormat {
  readonly name: string;
  /**
   * `source` holds the file system; `others` are further volumes of the same machine, for file systems that span several.
   * Both are borrowed. A journal that was not replayed is replayed in memory.
   */
  open(
    source: ByteSource,
    ctx: Context,
    others?: readonly ByteSource[],
    options?: FileSystemOptions,
  ): Promise<FileSystem>;
}

const MOST_SYMLINKS = 40;

/** Follows symlinks inside the file system as if it were mounted at `/`. Answers undefined for what does not exist or loops. */
export async function follow(fileSystem: Pick<FileSystem, "lookup">, path: BytePath): Promise<Entry | undefined> {
  let pending = path.split("/").filter((name) => name !== "" && name !== ".");
  let at: string[] = [];
  let entry = await fileSystem.lookup("");
  for (let links = 0; pending.length > 0; ) {
    const name = pending.shift() as string;
    if (name === "..") {
      at.pop();
      entry = await fileSystem.lookup(at.join("/"));
      continue;
    }
    entry = await fileSystem.lookup([...at, name].join("/"));
    if (entry === undefined) return undefined;
    if (entry.type !== "symlink") {
      at.push(name);
      continue;
    }
    if (++links > MOST_SYMLINKS) return undefined;
    if (entry.target.startsWith("/")) at = [];
    pending = [...entry.target.split("/").filter((part) => part !== "" && part !== "."), ...pending];
    entry = await fileSystem.lookup(at.join("/"));
  }
  return entry;
}
