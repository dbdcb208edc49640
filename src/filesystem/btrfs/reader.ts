import { type BytePath, joinPath } from "../../bytes/byte-path.ts";
import { type ByteSource, isPromise } from "../../bytes/byte-source.ts";
import { type DirectoryEntry, type Entry, type FileEntry, NO_XATTRS } from "../../bytes/entry.ts";
import { run, type Steps } from "../../bytes/steps.ts";
import type { Context } from "../../context.ts";
import type { FileSystem, FileSystemFormat, FileSystemOptions } from "../file-system.ts";
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

/** Where an entry's inode is; undefined for an empty directory in place of a subvolume. */
type Place = { readonly subvolume: Subvolume; readonly inode: number } | undefined;

interface OpenDirectory {
  readonly entry: DirectoryEntry;
  readonly place: Place;
  readonly records: readonly DirectoryRecord[];
  next: number;
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

  async *walk(enter: (directory: DirectoryEntry) => boolean = () => true): AsyncIterable<Entry> {
    const { ctx, name } = this.#volume;
    const { signal, limits } = ctx;
    const seen = new Set<number>();
    const open: OpenDirectory[] = [];
    let path: BytePath = "";
    let place: Place = { subvolume: this.#root, inode: FIRST_FREE };
    for (let count = 1; ; count++) {
      if (count > limits.entries) throw tooManyEntries(limits.entries, name);
      signal.throwIfAborted();
      const reading = run(this.#entry(path, place, open.at(-1)?.entry));
      const entry = isPromise(reading) ? await reading : reading;
      yield entry;
      if (entry.type === "directory" && place !== undefined) {
        if (seen.has(entry.inode)) throw directoryRevisited(place.inode, name, path);
        seen.add(entry.inode);
        if (enter(entry)) {
          if (open.length >= limits.depth) throw tooDeep(limits.depth, name, path);
          const listing = run(place.subvolume.names(place.inode, path));
          open.push({ entry, place, records: isPromise(listing) ? await listing : listing, next: 0 });
        }
      }
      const following = nextRecord(open);
      if (following === undefined) return;
      const { directory, record } = following;
      path = joinPath(directory.entry.path, record.name);
      const finding: Place | Promise<Place> = run(this.#place(directory.place, record, path));
      place = isPromise(finding) ? await finding : finding;
    }
  }

  async lookup(path: BytePath): Promise<Entry | undefined> {
    return await run(this.#lookup(path));
  }

  *#lookup(path: BytePath): Steps<Entry | undefined> {
    let place: Place = { subvolume: this.#root, inode: FIRST_FREE };
    let entry = yield* this.#entry("", place, undefined);
    for (const name of path.split("/").filter((part) => part !== "")) {
      if (entry.type !== "directory" || place === undefined) return undefined;
      const records: readonly DirectoryRecord[] = yield* place.subvolume.names(place.inode, entry.path);
      const record = records.find((candidate) => candidate.name === name);
      if (record === undefined) return undefined;
      const at = joinPath(entry.path, name);
      place = yield* this.#place(place, record, at);
      entry = yield* this.#entry(at, place, entry);
    }
    return entry;
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

  *#place(directory: Place, { location, name }: DirectoryRecord, path: BytePath): Steps<Place> {
    if (directory === undefined) return undefined;
    if (location.type === ITEM.INODE) return { subvolume: directory.subvolume, inode: location.objectid };
    if (location.type !== ITEM.ROOT) {
      throw directoryDamaged(`the name leads to an item of type ${location.type}`, this.#volume.name, path);
    }
    const subvolume = yield* this.#subvolumes.childOf(directory.subvolume, directory.inode, name, location.objectid);
    return subvolume === undefined ? undefined : { subvolume, inode: FIRST_FREE };
  }

  *#number({ subvolume, inode }: NonNullable<Place>, path: BytePath): Steps<number> {
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

  /** Everything about an inode. `parent` is the directory's entry. */
  *#entry(path: BytePath, place: Place, parent: DirectoryEntry | undefined): Steps<Entry> {
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

  *#target({ size }: InodeItem, { subvolume, inode }: NonNullable<Place>, path: BytePath): Steps<BytePath> {
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

function nextRecord(
  open: OpenDirectory[],
): { readonly directory: OpenDirectory; readonly record: DirectoryRecord } | undefined {
  for (let directory = open.at(-1); directory !== undefined; directory = open.at(-1)) {
    const record = directory.records[directory.next++];
    if (record !== undefined) return { directory, record };
    open.pop();
  }
  return undefined;
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
