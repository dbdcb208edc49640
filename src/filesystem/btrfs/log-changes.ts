import type { BytePath } from "../../bytes/byte-path.ts";
import type { Steps } from "../../bytes/steps.ts";
import { LittleEndianView } from "../../bytes/view.ts";
import { inodeDamaged, nodeDamaged } from "./errors.ts";
import { type Piece, pieceOf } from "./extents.ts";
import { InodeItem, latin1, MODE } from "./items.ts";
import { ITEM } from "./node.ts";
import { addXattrs, type DirectoryRecord, type LoggedInode, nameIn, type Subvolume } from "./subvolume.ts";

/** A name of an inode: struct btrfs_inode_ref, or btrfs_inode_extref where many names share a directory. */
export interface Reference {
  readonly parent: number;
  readonly index: number;
  readonly name: BytePath;
}

class InodeRef extends LittleEndianView {
  static readonly SIZE = 0x0a;

  get index(): number {
    return this.u64(0x00);
  }
  get nameLen(): number {
    return this.u16(0x08);
  }
}

class InodeExtref extends LittleEndianView {
  static readonly SIZE = 0x12;

  get parent(): number {
    return this.u64(0x00);
  }
  get index(): number {
    return this.u64(0x08);
  }
  get nameLen(): number {
    return this.u16(0x10);
  }
}

/** All names of an INODE_REF item, whose key has the directory, or of an INODE_EXTREF item. */
export function refsIn(
  { type, offset, bytes }: { readonly type: number; readonly offset: number; readonly bytes: Uint8Array },
  file: string,
): Reference[] {
  const refs: Reference[] = [];
  const size = type === ITEM.INODE_REF ? InodeRef.SIZE : InodeExtref.SIZE;
  for (let at = 0; at < bytes.length; ) {
    if (at + size > bytes.length) throw nodeDamaged(0, "holds a reference that is cut off", file);
    const ref = type === ITEM.INODE_REF ? new InodeRef(bytes, at, size) : new InodeExtref(bytes, at, size);
    const end = at + size + ref.nameLen;
    if (end > bytes.length) throw nodeDamaged(0, "holds a reference that is cut off", file);
    const parent = ref instanceof InodeExtref ? ref.parent : offset;
    refs.push({ parent, index: ref.index, name: latin1(bytes, at + size, end) });
    at = end;
  }
  return refs;
}

/** An inode that a log changes, with all that its subvolume has of it. */
export class ChangedInode {
  /** Undefined as long as there is no such inode. */
  item: InodeItem | undefined;
  readonly xattrs = new Map<string, Uint8Array>();
  damage: string | undefined;
  /** Of a directory, by index. */
  readonly names = new Map<number, DirectoryRecord>();
  readonly #indexes = new Map<BytePath, number>();
  /** Directory and name. */
  readonly references = new Set<string>();
  pieces: Piece[] = [];
  /** By start: each takes the place of whatever lies before `end`. */
  readonly replacements: Replacement[] = [];

  indexOf(name: BytePath): number | undefined {
    return this.#indexes.get(name);
  }

  put(index: number, record: DirectoryRecord): void {
    this.names.set(index, record);
    this.#indexes.set(record.name, index);
  }

  remove(index: number): void {
    const record = this.names.get(index);
    this.names.delete(index);
    if (record !== undefined && this.#indexes.get(record.name) === index) this.#indexes.delete(record.name);
  }

  truncate(end: number): void {
    this.pieces = this.pieces
      .filter(({ start }) => start < end)
      .map((piece) => (piece.end > end ? { ...piece, end } : piece));
  }

  /** The file's parts after all replacements. */
  replaced(): readonly Piece[] {
    const { pieces } = this;
    const result: Piece[] = [];
    let index = 0;
    let rest = pieces[0];
    for (const { piece, end } of this.replacements) {
      while (rest !== undefined && rest.start < end) {
        if (rest.start < piece.start) result.push({ ...rest, end: Math.min(rest.end, piece.start) });
        if (rest.end > end) {
          rest = { ...rest, start: end };
          break;
        }
        rest = pieces[++index];
      }
      result.push(piece);
    }
    return rest === undefined ? result : [...result, rest, ...pieces.slice(index + 1)];
  }
}

interface Replacement {
  readonly piece: Piece;
  readonly end: number;
}

/** The inodes of a subvolume that a log changes, each loaded when it is first asked for. */
export class Changes {
  readonly #subvolume: Subvolume;
  readonly #inodes = new Map<number, ChangedInode>();
  #held = 0;

  constructor(subvolume: Subvolume) {
    this.#subvolume = subvolume;
  }

  *inode(number: number): Steps<ChangedInode> {
    const known = this.#inodes.get(number);
    if (known !== undefined) return known;
    const inode = new ChangedInode();
    this.#inodes.set(number, inode);
    let cursor = yield* this.#subvolume.tree.from(number, 0, 0);
    while (cursor !== undefined && cursor.objectid === number) {
      this.#load(inode, number, cursor.type, cursor.offset, cursor.item);
      if (!(yield* cursor.next())) cursor = undefined;
    }
    return inode;
  }

  #load(inode: ChangedInode, number: number, type: number, offset: number, bytes: Uint8Array): void {
    const { name: file, ctx, superBlock } = this.#subvolume.volume;
    this.#held += 128 + bytes.length;
    if (this.#held > ctx.limits.tableBytes)
      throw nodeDamaged(0, `of the log changes more than ${this.#held} bytes`, file);
    if (type === ITEM.INODE) {
      if (bytes.length < InodeItem.SIZE) throw inodeDamaged(number, `has an item of ${bytes.length} bytes`, file);
      inode.item = new InodeItem(Uint8Array.from(bytes));
    } else if (type === ITEM.INODE_REF || type === ITEM.INODE_EXTREF) {
      for (const { parent, name } of refsIn({ type, offset, bytes }, file)) inode.references.add(`${parent}/${name}`);
    } else if (type === ITEM.XATTR) {
      if (!addXattrs(Uint8Array.from(bytes), inode.xattrs)) inode.damage = `an item of inode ${number} is damaged`;
    } else if (type === ITEM.DIR_INDEX) inode.put(offset, nameIn(bytes, number, file, ""));
    else if (type === ITEM.EXTENT_DATA) {
      inode.pieces.push(pieceOf(Uint8Array.from(bytes), offset, number, superBlock.sectorSize, file));
    }
  }

  *unlink(directory: number, index: number): Steps<void> {
    const parent = yield* this.inode(directory);
    const record = parent.names.get(index);
    if (record === undefined) return;
    parent.remove(index);
    if (record.location.type !== ITEM.INODE) return;
    (yield* this.inode(record.location.objectid)).references.delete(`${directory}/${record.name}`);
  }

  *link(directory: number, index: number, record: DirectoryRecord): Steps<void> {
    (yield* this.inode(directory)).put(index, record);
    if (record.location.type !== ITEM.INODE) return;
    (yield* this.inode(record.location.objectid)).references.add(`${directory}/${record.name}`);
  }

  /** Every inode that is there, with as many links as it has names. */
  result(): ReadonlyMap<number, LoggedInode> {
    const result = new Map<number, LoggedInode>();
    for (const [number, inode] of this.#inodes) {
      const { item, xattrs, damage, names, references } = inode;
      if (item === undefined) continue;
      if (item.format !== MODE.DIRECTORY) item.nlink = references.size;
      result.set(number, { item, xattrs, damage, names: [...names.values()], pieces: inode.replaced() });
    }
    return result;
  }
}
