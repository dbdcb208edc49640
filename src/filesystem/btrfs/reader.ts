import { type BytePath, joinPath } from "../../bytes/byte-path.ts";
import { type ByteSource, isPromise } from "../../bytes/byte-source.ts";
import { type DirectoryEntry, type Entry, type FileEntry, NO_XATTRS } from "../../bytes/entry.ts";
import { run, type Steps } from "../../bytes/steps.ts";
import type { Context } from "../../context.ts";
import type { FileSystem, FileSystemFormat, FileSystemOptions } from "../file-system.ts";
import { descend, type Tree, walk } from "../walk.ts";
import { FileContent, PlainExtents } from "./content.ts";
import {
  directoryDamaged,
  directoryRevisited,
  inodeDamaged,
  symlinkDamaged,
  tooDeep,
  tooManyEntries,
  warn,
} from "./errors.ts";
import { FIRST_FREE, type InodeItem, MODE } from "./items.ts";
import { ITEM } from "./node.ts";
import { type Opened, openVolume } from "./open.ts";
import type { DirectoryRecord, Subvolume } from "./subvolume.ts";
import type { Subvolumes } from "./subvolumes.ts";
import type { Volume } from "./volume.ts";

/** PATH_MAX of Linux, with the NUL. */
const MAX_TARGET = 4095;
/**
 * Inode numbers are those of one subvolume: in others than the one that is read, 2^38 is added for each that stands before
 * them in the order of ids, so that no two files have the same number.
 */
const INODES = 2 ** 38;
/** What Linux gives a directory in place of a subvolume that is not there. */
const EMPTY_DIRECTORY = 2;

/** Where an entry is, in the directory with the entry `parent`. */
interface Place {
  readonly path: BytePath;
  readonly parent: DirectoryEntry | undefined;
  /** Undefined for an empty directory in place of a subvolume. */
  readonly at: Location | undefined;
}

interface Location {
  readonly subvolume: Subvolume;
  readonly inode: number;
}

class BtrfsFileSystem implements FileSystem {
  readonly type = "btrfs";
  readonly #volume: Volume;
  readonly #subvolumes: Subvolumes;
  readonly #root: Subvolume;
  readonly #plain: PlainExtents;
  /** Ids of subvolumes; read when the first other one is met. */
  #ids: readonly number[] | undefined;

  constructor({ volume, subvolumes }: Opened, root: Subvolume) {
    this.#volume = volume;
    this.#subvolumes = subvolumes;
    this.#root = root;
    this.#plain = new PlainExtents(volume);
  }

  get uuid(): string | undefined {
    return this.#volume.superBlock.uuid;
  }
  get label(): string | undefined {
    return this.#volume.superBlock.label || undefined;
  }
  get size(): number {
    return this.#volume.superBlock.totalBytes;
  }
  get used(): number {
    return Math.min(this.#volume.superBlock.bytesUsed, this.size);
  }
  get members(): readonly ByteSource[] {
    return this.#volume.sources;
  }

  walk(enter?: (directory: DirectoryEntry) => boolean): AsyncIterable<Entry> {
    const { ctx, name } = this.#volume;
    const tree: Tree<Place, DirectoryRecord> = {
      name,
      ctx,
      root: () => this.#top(),
      entry: (place) => run(this.#entry(place)),
      key: ({ at }, { inode }) => (at === undefined ? undefined : inode),
      list: (place) => run(this.#list(place)),
      child: (place, record, directory) => run(this.#child(place, record, directory)),
      directoryRevisited: ({ at }, { inode, path }) => directoryRevisited(at?.inode ?? inode, name, path),
      tooDeep,
      tooManyEntries,
    };
    return walk(tree, enter);
  }

  async lookup(path: BytePath): Promise<Entry | undefined> {
    return await run(this.#lookup(path));
  }

  *#lookup(path: BytePath): Steps<Entry | undefined> {
    const found = yield* descend(path, this.#top(), (place, name) => this.#named(place, name));
    return found === undefined ? undefined : yield* this.#entry(found);
  }

  *#named(place: Place, name: BytePath): Steps<Place | undefined> {
    const entry = yield* this.#entry(place);
    if (entry.type !== "directory") return undefined;
    const record = (yield* this.#list(place)).find((candidate) => candidate.name === name);
    return record === undefined ? undefined : yield* this.#child(place, record, entry);
  }

  content(file: FileEntry): ByteSource {
    const rank = Math.floor(file.inode / INODES);
    const id = rank === 0 ? this.#root.id : this.#ids?.[rank - 1];
    const known = id === undefined ? undefined : run(this.#subvolumes.byId(id));
    // It was opened when the entry was read.
    if (known === undefined || isPromise(known))
      throw new Error(`inode ${file.inode} is of no entry of this file system`);
    return new FileContent(known, this.#plain, file.inode % INODES, file.size, file.path);
  }

  #top(): Place {
    return { path: "", parent: undefined, at: { subvolume: this.#root, inode: FIRST_FREE } };
  }

  *#list({ path, at }: Place): Steps<readonly DirectoryRecord[]> {
    return at === undefined ? [] : yield* at.subvolume.names(at.inode, path);
  }

  *#child({ at }: Place, record: DirectoryRecord, parent: DirectoryEntry): Steps<Place> {
    const path = joinPath(parent.path, record.name);
    return { path, parent, at: at === undefined ? undefined : yield* this.#location(at, record, path) };
  }

  *#location(directory: Location, { location, name }: DirectoryRecord, path: BytePath): Steps<Location | undefined> {
    if (location.type === ITEM.INODE) return { subvolume: directory.subvolume, inode: location.objectid };
    if (location.type !== ITEM.ROOT) {
      throw directoryDamaged(`the name leads to an item of type ${location.type}`, this.#volume.name, path);
    }
    const subvolume = yield* this.#subvolumes.childOf(directory.subvolume, directory.inode, name, location.objectid);
    return subvolume === undefined ? undefined : { subvolume, inode: FIRST_FREE };
  }

  *#number({ subvolume, inode }: Location, path: BytePath): Steps<number> {
    if (inode >= INODES) throw inodeDamaged(inode, "has a number beyond 2^38", this.#volume.name, path);
    if (subvolume === this.#root) return inode;
    this.#ids ??= yield* this.#subvolumes.ids();
    const number = (this.#ids.indexOf(subvolume.id) + 1) * INODES + inode;
    if (number <= Number.MAX_SAFE_INTEGER) return number;
    throw inodeDamaged(
      inode,
      `is of one of ${this.#ids.length} subvolumes, more than can be told apart`,
      this.#volume.name,
      path,
    );
  }

  /** Everything about an inode. */
  *#entry({ path, parent, at: place }: Place): Steps<Entry> {
    if (place === undefined) return emptyDirectory(path, parent);
    const { item, xattrs, damage } = yield* place.subvolume.inode(place.inode, path);
    if (damage !== undefined) {
      warn(this.#volume.ctx, "BTRFS_XATTR", `extended attributes are missing: ${damage}`, this.#volume.name, path);
    }
    if (place.inode === FIRST_FREE && item.format !== MODE.DIRECTORY) {
      throw inodeDamaged(place.inode, "is the root but not a directory", this.#volume.name, path);
    }
    const { mode, uid, gid, mtime, nlink: links } = item;
    const inode = yield* this.#number(place, path);
    const common = { path, inode, links, mode: mode & 0o7777, uid, gid, mtime, xattrs };
    switch (item.format) {
      case MODE.FILE:
        return { type: "file", ...common, size: item.size };
      case MODE.DIRECTORY:
        return { type: "directory", ...common };
      case MODE.SYMLINK:
        return { type: "symlink", ...common, target: yield* this.#target(item, place, path) };
      case MODE.CHARACTER:
        return { type: "character-device", ...common, ...item.device };
      case MODE.BLOCK:
        return { type: "block-device", ...common, ...item.device };
      case MODE.FIFO:
        return { type: "fifo", ...common };
      case MODE.SOCKET:
        return { type: "socket", ...common };
      default:
        throw inodeDamaged(place.inode, `has mode 0o${mode.toString(8)}, which is no type`, this.#volume.name, path);
    }
  }

  *#target({ size }: InodeItem, { subvolume, inode }: Location, path: BytePath): Steps<BytePath> {
    if (size === 0 || size > MAX_TARGET) {
      throw symlinkDamaged(inode, `has a target of ${size} bytes`, this.#volume.name, path);
    }
    const bytes = yield* new FileContent(subvolume, this.#plain, inode, size, path).steps(0, size);
    const target = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
    if (target.length === size && !target.includes("\0")) return target;
    throw symlinkDamaged(inode, "has a target with a NUL in it", this.#volume.name, path);
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** Linux gives it the time of the mount; the parent's is as good, and always the same. */
function emptyDirectory(path: BytePath, parent: DirectoryEntry | undefined): DirectoryEntry {
  const { uid = 0, gid = 0, mtime = { seconds: 0, nanoseconds: 0 } } = parent ?? {};
  return { type: "directory", path, inode: EMPTY_DIRECTORY, links: 1, mode: 0o755, uid, gid, mtime, xattrs: NO_XATTRS };
}

/** btrfs, over one or several devices. Fsynced changes that are only in the log are there. */
export const format: FileSystemFormat = {
  name: "btrfs",
  async open(
    source: ByteSource,
    ctx: Context,
    others: readonly ByteSource[] = [],
    { subvolume }: FileSystemOptions = {},
  ): Promise<FileSystem> {
    const opened = await run(openVolume(source, ctx, others));
    const { subvolumes } = opened;
    const root = await run(subvolume === undefined ? subvolumes.ofDefault() : subvolumes.named(subvolume));
    return new BtrfsFileSystem(opened, root);
  },
};
