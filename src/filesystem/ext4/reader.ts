import { type BytePath, joinPath } from "../../bytes/byte-path.ts";
import type { ByteSource } from "../../bytes/byte-source.ts";
import type { DirectoryEntry, Entry, FileEntry } from "../../bytes/entry.ts";
import { run, type Steps } from "../../bytes/steps.ts";
import type { Context } from "../../context.ts";
import type { FileSystem, FileSystemFormat } from "../file-system.ts";
import { descend, type Tree, walk } from "../walk.ts";
import { fileContent, readBlocks } from "./content.ts";
import { DirectoryReader, type DirectoryRecord } from "./directory.ts";
import { directoryRevisited, inodeDamaged, symlinkDamaged, tooDeep, tooManyEntries, warn } from "./errors.ts";
import { inlineBytes } from "./inline-data.ts";
import { INODE_FLAG, Inode, MODE } from "./inode.ts";
import { openVolume } from "./open.ts";
import { INCOMPAT } from "./super-block.ts";
import type { Volume } from "./volume.ts";
import { XattrReader } from "./xattr.ts";

/** Symlinks shorter than i_block lie in it. */
const FAST_SYMLINK = 60;

interface Place {
  readonly path: BytePath;
  readonly number: number;
}

const ROOT: Place = { path: "", number: Inode.ROOT };

class Ext4FileSystem implements FileSystem {
  readonly #volume: Volume;
  readonly #xattrs: XattrReader;

  constructor(volume: Volume) {
    this.#volume = volume;
    this.#xattrs = new XattrReader(volume);
  }

  get type(): string {
    return this.#volume.superBlock.type;
  }
  get uuid(): string | undefined {
    return this.#volume.superBlock.uuid;
  }
  get label(): string | undefined {
    return this.#volume.superBlock.volumeName || undefined;
  }
  get size(): number {
    return this.#volume.blocks * this.#volume.blockSize;
  }
  get used(): number {
    const free = Math.min(this.#volume.superBlock.freeBlocksCount, this.#volume.blocks);
    return (this.#volume.blocks - free) * this.#volume.blockSize;
  }

  walk(enter?: (directory: DirectoryEntry) => boolean): AsyncIterable<Entry> {
    const { name, ctx } = this.#volume;
    const directories = new DirectoryReader(this.#volume);
    const tree: Tree<Place, DirectoryRecord> = {
      name,
      ctx,
      root: () => ROOT,
      entry: (place) => run(this.#entry(place)),
      key: ({ number }) => number,
      list: (place) => run(this.#list(directories, place)),
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
    const directories = new DirectoryReader(this.#volume);
    const found = yield* descend(path, ROOT, (place, name) => this.#named(directories, place, name));
    return found === undefined ? undefined : yield* this.#entry(found);
  }

  *#named(directories: DirectoryReader, place: Place, name: BytePath): Steps<Place | undefined> {
    const inode = yield* this.#volume.inode(place.number);
    if (inode.format !== MODE.DIRECTORY || inode.hasFlag(INODE_FLAG.ENCRYPT)) return undefined;
    const record = (yield* directories.read(inode, place.path)).find((candidate) => candidate.name === name);
    return record === undefined ? undefined : childOf(place, record);
  }

  content(file: FileEntry): ByteSource {
    return fileContent(this.#volume, file.inode, file.size, file.path);
  }

  *#list(directories: DirectoryReader, { path, number }: Place): Steps<readonly DirectoryRecord[]> {
    const inode = yield* this.#volume.inode(number);
    if (!inode.hasFlag(INODE_FLAG.ENCRYPT)) return yield* directories.read(inode, path);
    const message = "the directory is encrypted (fscrypt): what it holds cannot be read and is left out";
    warn(this.#volume.ctx, "EXT_ENCRYPTED", message, this.#volume.name, path);
    return [];
  }

  /** Everything about an inode; undefined, with a diagnostic, for a symlink whose target is encrypted. */
  *#entry({ path, number }: Place): Steps<Entry | undefined> {
    const inode = yield* this.#volume.inode(number);
    if (inode.linksCount === 0 || inode.mode === 0) {
      throw inodeDamaged(number, "has a name but is not in use", this.#volume.name, path);
    }
    if (number === Inode.ROOT && inode.format !== MODE.DIRECTORY) {
      throw inodeDamaged(number, "is the root but not a directory", this.#volume.name, path);
    }
    const { values: xattrs, damage } = yield* this.#xattrs.read(inode);
    if (damage !== undefined) {
      warn(this.#volume.ctx, "EXT_XATTR", `extended attributes are missing: ${damage}`, this.#volume.name, path);
    }
    const links = inode.linksCount;
    const { mode, uid, gid, mtime } = inode;
    const common = { path, inode: number, links, mode: mode & 0o7777, uid, gid, mtime, xattrs };
    switch (inode.format) {
      case MODE.FILE:
        if (inode.hasFlag(INODE_FLAG.ENCRYPT)) this.#warnEncrypted(path);
        return { type: "file", ...common, size: this.#volume.sizeOf(inode, false) };
      case MODE.DIRECTORY:
        return { type: "directory", ...common };
      case MODE.SYMLINK:
        if (inode.hasFlag(INODE_FLAG.ENCRYPT)) {
          this.#warnEncrypted(path);
          return undefined;
        }
        return { type: "symlink", ...common, target: yield* this.#target(inode, path) };
      case MODE.CHARACTER:
        return { type: "character-device", ...common, ...inode.device };
      case MODE.BLOCK:
        return { type: "block-device", ...common, ...inode.device };
      case MODE.FIFO:
        return { type: "fifo", ...common };
      case MODE.SOCKET:
        return { type: "socket", ...common };
      default:
        throw inodeDamaged(number, `has mode 0o${mode.toString(8)}, which is no type`, this.#volume.name, path);
    }
  }

  #warnEncrypted(path: BytePath): void {
    const message = "the file is encrypted (fscrypt) and cannot be read";
    warn(this.#volume.ctx, "EXT_ENCRYPTED", message, this.#volume.name, path);
  }

  *#target(inode: Inode, path: BytePath): Steps<BytePath> {
    const size = this.#volume.sizeOf(inode, false);
    if (size === 0 || size > this.#volume.blockSize) {
      throw symlinkDamaged(inode.number, `has a target of ${size} bytes`, this.#volume.name, path);
    }
    const bytes = yield* this.#targetBytes(inode, size);
    const target = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(size, bytes.length)).toString("latin1");
    if (target.length === size && !target.includes("\0")) return target;
    throw symlinkDamaged(inode.number, "has a target with a NUL in it", this.#volume.name, path);
  }

  *#targetBytes(inode: Inode, size: number): Steps<Uint8Array> {
    if (inode.hasFlag(INODE_FLAG.INLINE_DATA)) return inlineBytes(inode);
    if (this.#isFast(inode, size)) return inode.block;
    return yield* readBlocks(this.#volume, this.#volume.map(inode), size);
  }

  /** As the kernel decides: by size with ea_inode, otherwise by whether the inode has blocks besides its attributes'. */
  #isFast(inode: Inode, size: number): boolean {
    const { superBlock } = this.#volume;
    if (size >= FAST_SYMLINK) return false;
    if (superBlock.hasIncompat(INCOMPAT.EA_INODE)) return true;
    const attributes = inode.fileAcl(superBlock.has64Bit) === 0 ? 0 : superBlock.clusterSize / 512;
    return inode.blocksLow === attributes;
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

function childOf({ path }: Place, { name, inode }: DirectoryRecord): Place {
  return { path: joinPath(path, name), number: inode };
}

/** ext2, ext3 and ext4. A file system with a journal that was not replayed is read as it will be after its replay. */
export const format: FileSystemFormat = {
  name: "ext4",
  async open(source: ByteSource, ctx: Context, others: readonly ByteSource[] = []): Promise<FileSystem> {
    return new Ext4FileSystem(await run(openVolume(source, ctx, others)));
  },
};
