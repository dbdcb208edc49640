import type { BytePath } from "../../bytes/byte-path.ts";
import type { Steps } from "../../bytes/steps.ts";
import { directoryDamaged, inodeDamaged } from "./errors.ts";
import { type ExtentFinder, ListedExtents, type Piece, TreeExtents } from "./extents.ts";
import { type DirItem, dirItems, InodeItem } from "./items.ts";
import { ITEM, type Key } from "./node.ts";
import type { Tree } from "./tree.ts";
import type { Volume } from "./volume.ts";

const MAX_NAME = 255;
/** What a name and its key take in memory, about. */
const RECORD_BYTES = 96;

/** A name in a directory: `location` is an inode of the same subvolume, or the root of another one. */
export interface DirectoryRecord {
  readonly name: BytePath;
  readonly location: Key;
}

export interface Inode {
  readonly item: InodeItem;
  readonly xattrs: ReadonlyMap<string, Uint8Array>;
  /** What was wrong with the attributes that are missing. */
  readonly damage: string | undefined;
}

/** An inode as it is after the log was replayed. */
export interface LoggedInode extends Inode {
  readonly names: readonly DirectoryRecord[];
  readonly pieces: readonly Piece[];
}

/** A tree of files. Inodes that the log changed are taken from `logged` alone. */
export class Subvolume {
  readonly volume: Volume;
  readonly id: number;
  readonly tree: Tree;
  readonly #logged: ReadonlyMap<number, LoggedInode> | undefined;

  constructor(volume: Volume, id: number, tree: Tree, logged?: ReadonlyMap<number, LoggedInode>) {
    this.volume = volume;
    this.id = id;
    this.tree = tree;
    this.#logged = logged;
  }

  /** Throws CorruptError BTRFS_INODE where there is none. */
  *inode(number: number, path: BytePath): Steps<Inode> {
    const logged = this.#logged?.get(number);
    if (logged !== undefined) return logged;
    const cursor = yield* this.tree.floor(number, ITEM.INODE, 0);
    if (cursor.isBefore(number, ITEM.INODE, 0)) {
      throw inodeDamaged(number, "has a name but is not there", this.volume.name, path);
    }
    const { item: bytes } = cursor;
    if (bytes.length < InodeItem.SIZE) {
      throw inodeDamaged(number, `has an item of ${bytes.length} bytes`, this.volume.name, path);
    }
    const xattrs = new Map<string, Uint8Array>();
    let damage: string | undefined;
    while ((yield* cursor.next()) && cursor.objectid === number && cursor.type <= ITEM.XATTR) {
      if (cursor.type !== ITEM.XATTR) continue;
      if (!addXattrs(cursor.item, xattrs)) damage = `an item of inode ${number} is damaged`;
    }
    return { item: new InodeItem(bytes), xattrs, damage };
  }

  /** Names in byte order. Throws CorruptError BTRFS_DIRECTORY. */
  *names(directory: number, path: BytePath): Steps<readonly DirectoryRecord[]> {
    const logged = this.#logged?.get(directory);
    const records = logged === undefined ? yield* this.#stored(directory, path) : [...logged.names];
    records.sort((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)));
    const { name: file } = this.volume;
    records.forEach(({ name }, index) => {
      const what = JSON.stringify(name);
      if (name === "" || name.length > MAX_NAME) {
        throw directoryDamaged(`a name has ${name.length} bytes`, file, path);
      }
      if (name === "." || name === ".." || name.includes("/") || name.includes("\0")) {
        throw directoryDamaged(`the name ${what} cannot be a file's`, file, path);
      }
      if (records[index + 1]?.name === name) {
        throw directoryDamaged(`the name ${what} stands twice in the directory`, file, path);
      }
    });
    return records;
  }

  *#stored(directory: number, path: BytePath): Steps<DirectoryRecord[]> {
    const { name: file, ctx } = this.volume;
    const records: DirectoryRecord[] = [];
    let cursor = yield* this.tree.from(directory, ITEM.DIR_INDEX, 0);
    while (cursor !== undefined && cursor.objectid === directory && cursor.type === ITEM.DIR_INDEX) {
      records.push(nameIn(cursor.item, directory, file, path));
      if (records.length * RECORD_BYTES > ctx.limits.tableBytes) {
        throw directoryDamaged(`more than ${records.length} names in one directory`, file, path);
      }
      if (!(yield* cursor.next())) cursor = undefined;
    }
    return records;
  }

  extents(inode: number): ExtentFinder {
    const logged = this.#logged?.get(inode);
    if (logged !== undefined) return new ListedExtents(logged.pieces);
    return new TreeExtents(this.tree, inode, this.volume.superBlock.sectorSize, this.volume.name);
  }
}

/** The one name of a DIR_INDEX item. */
export function nameIn(bytes: Uint8Array, directory: number, file: string, path: BytePath): DirItem {
  const items = dirItems(bytes);
  const [item] = items ?? [];
  if (item !== undefined && items?.length === 1) return item;
  throw directoryDamaged(`an item of directory inode ${directory} does not hold one name`, file, path);
}

/** Adds the attributes of an item, but not those that are properties of btrfs itself; false where the item is damaged. */
export function addXattrs(bytes: Uint8Array, xattrs: Map<string, Uint8Array>): boolean {
  const items = dirItems(bytes);
  for (const { name, data } of items ?? []) if (!name.startsWith("btrfs.")) xattrs.set(name, data);
  return items !== undefined;
}
