import { type BytePath, displayPath, joinPath } from "../../bytes/byte-path.ts";
import { type ByteSource, isPromise } from "../../bytes/byte-source.ts";
import type { DirectoryEntry, Entry, FileEntry } from "../../bytes/entry.ts";
import { run, type Steps } from "../../bytes/steps.ts";
import type { Context } from "../../context.ts";
import { BlockContent } from "../block-content.ts";
import type { FileSystem, FileSystemFormat } from "../file-system.ts";
import { type DirectoryRecord, RECORD_BYTES, readDirectory } from "./directory.ts";
import { directoryRevisited, inodeDamaged, tableTooLarge, tooDeep, tooManyEntries } from "./errors.ts";
import { SquashfsFile } from "./file.ts";
import { type ReadInode, readInode, readTarget, TYPE } from "./inode.ts";
import { type InodeReference, inodeReference } from "./super-block.ts";
import { SquashfsVolume } from "./volume.ts";
import { XattrReader } from "./xattrs.ts";

interface OpenDirectory {
  readonly path: BytePath;
  readonly records: readonly DirectoryRecord[];
  next: number;
}

/** An image; the inode number of an entry is where its inode stands, so that no table of inodes is needed. */
class SquashfsFileSystem implements FileSystem {
  readonly type = "squashfs";
  readonly uuid = undefined;
  readonly label = undefined;
  readonly #volume: SquashfsVolume;
  readonly #xattrs: XattrReader;

  constructor(volume: SquashfsVolume) {
    this.#volume = volume;
    this.#xattrs = new XattrReader(volume);
  }

  get size(): number {
    return this.#volume.superBlock.bytesUsed;
  }
  get used(): number {
    return this.size;
  }

  async *walk(enter: (directory: DirectoryEntry) => boolean = () => true): AsyncIterable<Entry> {
    const { ctx, name } = this.#volume;
    const { signal, limits } = ctx;
    const seen = new Set<number>();
    const open: OpenDirectory[] = [];
    let path: BytePath = "";
    let at: InodeReference = this.#volume.superBlock.rootInode;
    for (let count = 1; ; count++) {
      if (count > limits.entries) throw tooManyEntries(limits.entries, name);
      signal.throwIfAborted();
      const reading = run(this.#entry(path, at));
      const entry = isPromise(reading) ? await reading : reading;
      yield entry;
      if (entry.type === "directory") {
        if (seen.has(entry.inode)) throw directoryRevisited(name, path);
        seen.add(entry.inode);
        if (enter(entry)) {
          if (open.length >= limits.depth) throw tooDeep(limits.depth, name, path);
          const listing = run(this.#list(at, path));
          open.push({ path, records: isPromise(listing) ? await listing : listing, next: 0 });
          checkOpen(open, this.#volume);
        }
      }
      const following = nextRecord(open);
      if (following === undefined) return;
      ({ path, at } = following);
    }
  }

  async lookup(path: BytePath): Promise<Entry | undefined> {
    return await run(this.#lookup(path));
  }

  *#lookup(path: BytePath): Steps<Entry | undefined> {
    let at = this.#volume.superBlock.rootInode;
    let found: BytePath = "";
    for (const name of path.split("/").filter((part) => part !== "")) {
      const { inode } = yield* readInode(this.#volume, at, found);
      if (inode.type !== TYPE.DIRECTORY) return undefined;
      const record = (yield* readDirectory(this.#volume, inode, found)).find((candidate) => candidate.name === name);
      if (record === undefined) return undefined;
      found = joinPath(found, name);
      at = record.inode;
    }
    return yield* this.#entry(found, at);
  }

  content(file: FileEntry): ByteSource {
    const { path, size, inode } = file;
    const volume = this.#volume;
    const name = `${JSON.stringify(displayPath(path))} in ${volume.name}`;
    return new BlockContent(volume.source, name, size, function* () {
      return yield* SquashfsFile.open(volume, yield* readInode(volume, inodeReference(inode), path), path);
    });
  }

  *#list(at: InodeReference, path: BytePath): Steps<readonly DirectoryRecord[]> {
    const { inode } = yield* readInode(this.#volume, at, path);
    return yield* readDirectory(this.#volume, inode, path);
  }

  *#entry(path: BytePath, at: InodeReference): Steps<Entry> {
    const read = yield* readInode(this.#volume, at, path);
    const { inode } = read;
    if (path === "" && inode.type !== TYPE.DIRECTORY) {
      throw inodeDamaged("is the root but not a directory", this.#volume.name, path);
    }
    if (inode.type === TYPE.SYMLINK) {
      const { target, xattrIndex } = yield* readTarget(this.#volume, read, path);
      return { type: "symlink", ...(yield* this.#common(read, path, at, xattrIndex)), target };
    }
    const common = yield* this.#common(read, path, at, inode.xattrIndex);
    switch (inode.type) {
      case TYPE.FILE:
        return { type: "file", ...common, size: inode.size };
      case TYPE.DIRECTORY:
        return { type: "directory", ...common };
      case TYPE.CHARACTER:
        return { type: "character-device", ...common, ...inode.device };
      case TYPE.BLOCK:
        return { type: "block-device", ...common, ...inode.device };
      default:
        return { type: inode.type === TYPE.FIFO ? "fifo" : "socket", ...common };
    }
  }

  *#common({ inode }: ReadInode, path: BytePath, at: InodeReference, xattrIndex: number | undefined) {
    const { permissions: mode, links, mtime } = inode;
    const uid = yield* this.#id(inode.uidIndex, path);
    const gid = yield* this.#id(inode.gidIndex, path);
    const xattrs = yield* this.#xattrs.read(xattrIndex, path);
    return { path, inode: at.block * 0x1_0000 + at.offset, links, mode, uid, gid, mtime, xattrs };
  }

  *#id(index: number, path: BytePath): Steps<number> {
    const { ids, idTable } = this.#volume.superBlock;
    if (index >= ids) throw inodeDamaged(`has the owner ${index} of ${ids}`, this.#volume.name, path);
    const bytes = yield* this.#volume.tableEntry(idTable, index, 4);
    return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** Directories that have their records from one another would fill the memory, each deeper one anew. */
function checkOpen(open: readonly OpenDirectory[], { ctx, name }: SquashfsVolume): void {
  const bytes = open.reduce((sum, { records }) => sum + records.length * RECORD_BYTES, 0);
  const { tableBytes } = ctx.limits;
  if (bytes > tableBytes) throw tableTooLarge(bytes, tableBytes, name, open.at(-1)?.path ?? "");
}

function nextRecord(open: OpenDirectory[]): { path: BytePath; at: InodeReference } | undefined {
  for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
    const record = top.records[top.next++];
    if (record !== undefined) return { path: joinPath(top.path, record.name), at: record.inode };
    open.pop();
  }
  return undefined;
}

/** squashfs 4.0, of every compressor that mksquashfs has. */
export const format: FileSystemFormat = {
  name: "squashfs",
  async open(source: ByteSource, ctx: Context): Promise<FileSystem> {
    return new SquashfsFileSystem(await run(SquashfsVolume.open(source, ctx)));
  },
};
