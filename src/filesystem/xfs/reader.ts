import { type BytePath, displayPath, joinPath } from "../../bytes/byte-path.ts";
import type { ByteSource } from "../../bytes/byte-source.ts";
import type { DirectoryEntry, Entry, FileEntry } from "../../bytes/entry.ts";
import { run, type Steps } from "../../bytes/steps.ts";
import type { Context } from "../../context.ts";
import type { FileSystem, FileSystemFormat } from "../file-system.ts";
import { descend, type Tree, walk } from "../walk.ts";
import { fileContent } from "./content.ts";
import { DirectoryReader, type DirectoryRecord } from "./directory.ts";
import { directoryRevisited, inodeDamaged, tooDeep, tooManyEntries, warn } from "./errors.ts";
import { MODE } from "./inode.ts";
import { openVolume } from "./open.ts";
import { readTarget } from "./symlink.ts";
import type { Volume } from "./volume.ts";
import { XattrReader } from "./xattr.ts";

interface Place {
  readonly path: BytePath;
  readonly number: number;
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

  walk(enter?: (directory: DirectoryEntry) => boolean): AsyncIterable<Entry> {
    const { name, ctx } = this.#volume;
    const readers = this.#readers();
    const tree: Tree<Place, DirectoryRecord> = {
      name,
      ctx,
      root: () => this.#root(),
      entry: (place) => run(this.#entry(readers, place)),
      key: ({ number }) => number,
      list: (place) => run(this.#list(readers, place)),
      child: childOf,
      directoryRevisited: ({ path, number }) => directoryRevisited(number, name, path),
      tooDeep,
      tooManyEntries,
    };
    return walk(tree, enter);
  }

  async lookup(path: BytePath): Promise<Entry | undefined> {
    return await run(this.#lookup(path));
  }

  *#lookup(path: BytePath): Steps<Entry | undefined> {
    const readers = this.#readers();
    const found = yield* descend(path, this.#root(), (place, name) => this.#named(readers, place, name));
    return found === undefined ? undefined : yield* this.#entry(readers, found);
  }

  *#named({ directories }: Readers, place: Place, name: BytePath): Steps<Place | undefined> {
    const inode = yield* this.#volume.inode(place.number);
    if (inode.type !== MODE.DIRECTORY) return undefined;
    const record = (yield* directories.read(inode, place.path)).find((candidate) => candidate.name === name);
    return record === undefined ? undefined : childOf(place, record);
  }

  content(file: FileEntry): ByteSource {
    return fileContent(this.#volume, file.inode, file.size, file.path);
  }

  #root(): Place {
    return { path: "", number: this.#volume.superBlock.rootIno };
  }

  #readers(): Readers {
    return { directories: new DirectoryReader(this.#volume), xattrs: new XattrReader(this.#volume) };
  }

  *#list({ directories }: Readers, { path, number }: Place): Steps<readonly DirectoryRecord[]> {
    return yield* directories.read(yield* this.#volume.inode(number), path);
  }

  /** Everything about an inode. */
  *#entry({ xattrs: reader }: Readers, { path, number }: Place): Steps<Entry> {
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

function childOf({ path }: Place, { name, inode }: DirectoryRecord): Place {
  return { path: joinPath(path, name), number: inode };
}

/** XFS of versions 4 and 5. A log that was not replayed is replayed in memory; where that cannot be done, opening fails. */
export const format: FileSystemFormat = {
  name: "xfs",
  async open(source: ByteSource, ctx: Context, others: readonly ByteSource[] = []): Promise<FileSystem> {
    return new XfsFileSystem(await run(openVolume(source, ctx, others)));
  },
};
