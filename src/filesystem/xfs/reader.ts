import { type BytePath, displayPath, joinPath } from "../../bytes/byte-path.ts";
import { type Awaitable, type ByteSource, isPromise } from "../../bytes/byte-source.ts";
import type { DirectoryEntry, Entry, FileEntry } from "../../bytes/entry.ts";
import { run, type Steps } from "../../bytes/steps.ts";
import type { Context } from "../../context.ts";
import type { FileSystem, FileSystemFormat } from "../file-system.ts";
import { FileContent } from "./content.ts";
import { DirectoryReader, type DirectoryRecord } from "./directory.ts";
import { directoryRevisited, inodeDamaged, tooDeep, tooManyEntries, warn } from "./errors.ts";
import { MODE } from "./inode.ts";
import { openVolume } from "./open.ts";
import { readTarget } from "./symlink.ts";
import type { Volume } from "./volume.ts";
import { XattrReader } from "./xattr.ts";

interface OpenDirectory {
  readonly path: BytePath;
  readonly records: readonly DirectoryRecord[];
  next: number;
}

/** What reads for one walk or look-up, and bounds what that may cost. */
interface Readers {
  readonly directories: DirectoryReader;
  readonly xattrs: XattrReader;
}

class XfsFileSystem implements FileSystem {
  readonly type = "xfs";
  readonly #volume: Volume;

  constructor(volume: Volume) {
    this.#volume = volume;
  }

  get uuid(): string | undefined {
    return this.#volume.superBlock.uuid;
  }
  get label(): string | undefined {
    return this.#volume.superBlock.fName || undefined;
  }
  get size(): number {
    return this.#volume.superBlock.dBlocks * this.#volume.blockSize;
  }
  get used(): number {
    const { dBlocks, fdBlocks } = this.#volume.superBlock;
    return (dBlocks - Math.min(fdBlocks, dBlocks)) * this.#volume.blockSize;
  }

  async *walk(enter: (directory: DirectoryEntry) => boolean = () => true): AsyncIterable<Entry> {
    const { signal, limits } = this.#volume.ctx;
    const readers = this.#readers();
    const seen = new Set<number>();
    const open: OpenDirectory[] = [];
    let path: BytePath = "";
    let number = this.#volume.superBlock.rootIno;
    for (let count = 1; ; count++) {
      if (count > limits.entries) throw tooManyEntries(limits.entries, this.#volume.name);
      signal.throwIfAborted();
      const reading = run(this.#entry(readers, path, number));
      const entry = isPromise(reading) ? await reading : reading;
      yield entry;
      if (entry.type === "directory") {
        if (seen.has(number)) throw directoryRevisited(number, this.#volume.name, path);
        seen.add(number);
        if (enter(entry)) {
          if (open.length >= limits.depth) throw tooDeep(limits.depth, this.#volume.name, path);
          const listing = run(this.#list(readers, path, number));
          open.push({ path, records: isPromise(listing) ? await listing : listing, next: 0 });
        }
      }
      const following = nextRecord(open);
      if (following === undefined) return;
      path = following.path;
      number = following.number;
    }
  }

  async lookup(path: BytePath): Promise<Entry | undefined> {
    return await run(this.#lookup(path));
  }

  *#lookup(path: BytePath): Steps<Entry | undefined> {
    const readers = this.#readers();
    let at: BytePath = "";
    let number = this.#volume.superBlock.rootIno;
    for (const name of path.split("/").filter((part) => part !== "")) {
      const inode = yield* this.#volume.inode(number);
      if (inode.type !== MODE.DIRECTORY) return undefined;
      const found = (yield* readers.directories.read(inode, at)).find((record) => record.name === name);
      if (found === undefined) return undefined;
      at = joinPath(at, name);
      number = found.inode;
    }
    return yield* this.#entry(readers, at, number);
  }

  content(file: FileEntry): ByteSource {
    const content = new FileContent(this.#volume, file.inode, file.size, file.path);
    // Over a local file this tells of a file on a realtime device at once; otherwise its first read does.
    const opening: Awaitable<unknown> = run(content.open());
    if (isPromise(opening)) opening.catch(() => undefined);
    return content;
  }

  #readers(): Readers {
    return { directories: new DirectoryReader(this.#volume), xattrs: new XattrReader(this.#volume) };
  }

  *#list({ directories }: Readers, path: BytePath, number: number): Steps<readonly DirectoryRecord[]> {
    return yield* directories.read(yield* this.#volume.inode(number), path);
  }

  /** Everything about an inode. */
  *#entry({ xattrs: reader }: Readers, path: BytePath, number: number): Steps<Entry> {
    const { name: file, superBlock, ctx } = this.#volume;
    const inode = yield* this.#volume.inode(number);
    const { mode, uid, gid, mtime, nlink: links } = inode;
    if (links === 0 || mode === 0) throw inodeDamaged(number, "has a name but is not in use", file, path);
    if (number === superBlock.rootIno && inode.type !== MODE.DIRECTORY) {
      throw inodeDamaged(number, "is the root but not a directory", file, path);
    }
    const { values: xattrs, damage } = yield* reader.read(inode);
    if (damage !== undefined) {
      const where = { file, path: displayPath(path) };
      warn(ctx, "XFS_XATTR", `extended attributes are missing: ${damage}`, where);
    }
    const common = { path, inode: number, links, mode: mode & 0o7777, uid, gid, mtime, xattrs };
    switch (inode.type) {
      case MODE.FILE:
        return { type: "file", ...common, size: inode.length };
      case MODE.DIRECTORY:
        return { type: "directory", ...common };
      case MODE.SYMLINK:
        return { type: "symlink", ...common, target: yield* readTarget(this.#volume, inode, path) };
      case MODE.CHARACTER:
        return { type: "character-device", ...common, ...inode.device };
      case MODE.BLOCK:
        return { type: "block-device", ...common, ...inode.device };
      case MODE.FIFO:
        return { type: "fifo", ...common };
      case MODE.SOCKET:
        return { type: "socket", ...common };
      default:
        throw inodeDamaged(number, `has mode 0o${mode.toString(8)}, which is no type`, file, path);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

function nextRecord(open: OpenDirectory[]): { path: BytePath; number: number } | undefined {
  for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
    const record = top.records[top.next++];
    if (record !== undefined) return { path: joinPath(top.path, record.name), number: record.inode };
    open.pop();
  }
  return undefined;
}

/** XFS of versions 4 and 5. A log that was not replayed is replayed in memory; where that cannot be done, opening fails. */
export const format: FileSystemFormat = {
  name: "xfs",
  async open(source: ByteSource, ctx: Context, others: readonly ByteSource[] = []): Promise<FileSystem> {
    return new XfsFileSystem(await run(openVolume(source, ctx, others)));
  },
};
