import type { Steps } from "../../bytes/steps.ts";
import { CorruptError } from "../../errors.ts";
import { nodeDamaged, warn } from "./errors.ts";
import { pieceOf } from "./extents.ts";
import { FileExtent, InodeItem, MODE } from "./items.ts";
import { type ChangedInode, Changes, refsIn } from "./log-changes.ts";
import { ITEM } from "./node.ts";
import { addXattrs, type LoggedInode, nameIn, type Subvolume } from "./subvolume.ts";
import { type Logged, rootItem, type Subvolumes } from "./subvolumes.ts";
import { Tree } from "./tree.ts";
import type { Volume } from "./volume.ts";

/**
 * What fsync wrote since the last commit, as it will be in the trees of the subvolumes after a mount. Nothing, with the warning
 * BTRFS_LOG, where the log is damaged: the file system is sound without it, but not up to date.
 */
export function* replayLog(volume: Volume, subvolumes: Subvolumes): Steps<Logged> {
  const all = new Map<number, ReadonlyMap<number, LoggedInode>>();
  const { logRoot, logRootLevel, generation } = volume.superBlock;
  try {
    // The log belongs to the transaction that was not committed.
    const roots = new Tree(volume, { logical: logRoot, level: logRootLevel, generation: generation + 1 });
    let cursor = yield* roots.from(0, 0, 0);
    while (cursor !== undefined) {
      if (cursor.type === ITEM.ROOT) {
        const id = cursor.offset;
        const root = rootItem(cursor.item, id, volume);
        const log = new Tree(volume, { logical: root.bytenr, level: root.level, generation: root.generation });
        const subvolume = yield* subvolumes.byId(id);
        if (subvolume !== undefined) all.set(id, yield* new Replay(subvolume, log).run());
      }
      if (!(yield* cursor.next())) cursor = undefined;
    }
  } catch (cause) {
    if (!(cause instanceof CorruptError)) throw cause;
    const message = `the log cannot be replayed, so the last changes are missing: ${cause.message}`;
    warn(volume.ctx, "BTRFS_LOG", message, volume.name);
    return new Map();
  }
  const inodes = [...all.values()].reduce((sum, { size }) => sum + size, 0);
  const message = `the log was replayed in memory: ${inodes} inodes changed`;
  volume.ctx.diagnostic({ code: "BTRFS_LOG_REPLAYED", severity: "info", message, where: { file: volume.name } });
  return all;
}

/** An item of the log. */
interface LogItem {
  readonly objectid: number;
  readonly type: number;
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/**
 * Replays the log of one subvolume in the order of Linux: inodes and names that were removed, then names of directories, then
 * references, attributes and extents.
 */
class Replay {
  readonly #subvolume: Subvolume;
  readonly #log: Tree;
  readonly #changes: Changes;
  /** Every inode with each of its names that the log holds. */
  readonly #logged = new Set<string>();

  constructor(subvolume: Subvolume, log: Tree) {
    this.#subvolume = subvolume;
    this.#log = log;
    this.#changes = new Changes(subvolume);
  }

  get #file(): string {
    return this.#subvolume.volume.name;
  }

  *run(): Steps<ReadonlyMap<number, LoggedInode>> {
    const items = yield* this.#items();
    for (const item of items.filter(isReference)) {
      for (const { parent, name } of refsIn(item, this.#file)) this.#logged.add(`${item.objectid}:${parent}/${name}`);
    }
    for (const item of items) if (item.type === ITEM.INODE) yield* this.#inode(item, items);
    for (const item of items) if (item.type === ITEM.DIR_INDEX) yield* this.#name(item);
    for (const item of items) {
      if (isReference(item)) yield* this.#reference(item);
      else if (item.type === ITEM.XATTR) yield* this.#attribute(item);
      else if (item.type === ITEM.EXTENT_DATA) yield* this.#extent(item);
    }
    return this.#changes.result();
  }

  /** All of the log but what belongs to inodes that had no name when they were written. */
  *#items(): Steps<LogItem[]> {
    const items: LogItem[] = [];
    const { limits } = this.#subvolume.volume.ctx;
    let held = 0;
    let nameless = -1;
    let cursor = yield* this.#log.from(0, 0, 0);
    while (cursor !== undefined) {
      const { objectid, type, offset, item: bytes } = cursor;
      if (type === ITEM.INODE) {
        if (bytes.length < InodeItem.SIZE) throw nodeDamaged(0, "of the log holds a short inode", this.#file);
        if (new InodeItem(bytes).nlink === 0) nameless = objectid;
      }
      if (objectid !== nameless) items.push({ objectid, type, offset, bytes: Uint8Array.from(bytes) });
      held += 128 + bytes.length;
      if (held > limits.tableBytes) throw nodeDamaged(0, `of the log is one of too many: ${held} bytes`, this.#file);
      if (!(yield* cursor.next())) cursor = undefined;
    }
    return items;
  }

  *#inode({ objectid, bytes }: LogItem, items: readonly LogItem[]): Steps<void> {
    const logged = new InodeItem(bytes);
    const inode = yield* this.#changes.inode(objectid);
    // Generation 0: the log tells only that the inode exists, and at most how long it is.
    if (inode.item === undefined || logged.generation !== 0) inode.item = logged;
    else if (logged.format === MODE.FILE && inode.item.format === MODE.FILE && logged.size !== 0) {
      inode.item.size = logged.size;
    }
    inode.xattrs.clear();
    inode.damage = undefined;
    if (logged.format === MODE.DIRECTORY) yield* this.#removeNames(objectid, inode, items);
    if (logged.format !== MODE.FILE) return;
    const { sectorSize } = this.#subvolume.volume.superBlock;
    inode.truncate(Math.ceil(inode.item.size / sectorSize) * sectorSize);
  }

  /** In the ranges for which the log is complete, what it does not hold is gone. */
  *#removeNames(directory: number, inode: ChangedInode, items: readonly LogItem[]): Steps<void> {
    const kept = new Map<number, string>();
    for (const item of itemsOf(items, directory)) {
      if (item.type === ITEM.DIR_INDEX) kept.set(item.offset, nameIn(item.bytes, directory, this.#file, "").name);
    }
    for (const { type, offset: first, bytes } of itemsOf(items, directory)) {
      if (type !== ITEM.DIR_LOG_INDEX || bytes.length < 8) continue;
      const view = new DataView(bytes.buffer, bytes.byteOffset, 8);
      const last = view.getUint32(4, true) * 2 ** 32 + view.getUint32(0, true);
      for (const [index, { name }] of inode.names) {
        if (index >= first && index <= last && kept.get(index) !== name) yield* this.#changes.unlink(directory, index);
      }
    }
  }

  *#name({ objectid: directory, offset: index, bytes }: LogItem): Steps<void> {
    const { name, location } = nameIn(bytes, directory, this.#file, "");
    const inode = yield* this.#changes.inode(directory);
    if (inode.item === undefined) return;
    const target = location.type === ITEM.INODE ? yield* this.#changes.inode(location.objectid) : undefined;
    const exists = target === undefined || target.item !== undefined;
    if (!exists) return;
    let matches = 0;
    for (const at of [inode.indexOf(name), index]) {
      const found = at === undefined ? undefined : inode.names.get(at);
      if (at === undefined || found === undefined) continue;
      const { objectid, type } = found.location;
      if (objectid === location.objectid && type === location.type && found.name === name) matches++;
      else yield* this.#changes.unlink(directory, at);
    }
    if (matches === 2) return;
    // Otherwise the reference brings the name.
    if (this.#logged.has(`${location.objectid}:${directory}/${name}`)) return;
    yield* this.#changes.link(directory, index, { name, location });
  }

  *#reference(item: LogItem): Steps<void> {
    const { objectid } = item;
    const inode = yield* this.#changes.inode(objectid);
    if (inode.item === undefined) return;
    for (const { parent, index, name } of refsIn(item, this.#file)) {
      // The root is its own parent, by the name "..".
      if (parent === objectid) continue;
      const directory = yield* this.#changes.inode(parent);
      if (directory.item === undefined) continue;
      yield* this.#removeOldNames(objectid, inode, parent, directory);
      const present = directory.names.get(index);
      if (present?.name === name && present.location.objectid === objectid) continue;
      for (const at of [index, directory.indexOf(name)]) if (at !== undefined) yield* this.#changes.unlink(parent, at);
      yield* this.#changes.link(parent, index, { name, location: { objectid, type: ITEM.INODE, offset: 0 } });
    }
  }

  /** Names in this directory that the inode no longer has. */
  *#removeOldNames(objectid: number, inode: ChangedInode, parent: number, directory: ChangedInode): Steps<void> {
    for (const reference of inode.references) {
      if (!reference.startsWith(`${parent}/`) || this.#logged.has(`${objectid}:${reference}`)) continue;
      const at = directory.indexOf(reference.slice(`${parent}/`.length));
      if (at !== undefined) yield* this.#changes.unlink(parent, at);
      inode.references.delete(reference);
    }
  }

  *#attribute({ objectid, bytes }: LogItem): Steps<void> {
    const inode = yield* this.#changes.inode(objectid);
    if (!addXattrs(bytes, inode.xattrs)) throw nodeDamaged(0, "of the log holds a damaged attribute", this.#file);
  }

  *#extent({ objectid, offset, bytes }: LogItem): Steps<void> {
    const inode = yield* this.#changes.inode(objectid);
    const { sectorSize } = this.#subvolume.volume.superBlock;
    const piece = pieceOf(bytes, offset, objectid, sectorSize, this.#file);
    // What is inline stands for whole sectors.
    const isInline = piece.extent?.type === FileExtent.INLINE;
    inode.replacements.push({ piece, end: isInline ? Math.ceil(piece.end / sectorSize) * sectorSize : piece.end });
  }
}

function isReference({ type }: LogItem): boolean {
  return type === ITEM.INODE_REF || type === ITEM.INODE_EXTREF;
}

/** `items` are sorted by objectid. */
function itemsOf(items: readonly LogItem[], objectid: number): readonly LogItem[] {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((items[middle] as LogItem).objectid < objectid) low = middle + 1;
    else high = middle;
  }
  let end = low;
  while (items[end]?.objectid === objectid) end++;
  return items.slice(low, end);
}
