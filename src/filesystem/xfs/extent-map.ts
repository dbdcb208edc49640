import type { Steps } from "../../bytes/steps.ts";
import { BigEndianView } from "../../bytes/view.ts";
import { extentsDamaged } from "./errors.ts";
import { FORK_FORMAT, type Fork } from "./inode.ts";
import type { Volume } from "./volume.ts";

const RECORD = 16;
const KEY = 8;
const POINTER = 8;
const ROOT_HEADER = 4;
const MAX_LEVEL = 9;
const BMAP_MAGIC = 0x424d4150;
const BMA3_MAGIC = 0x424d4133;
const HEADER_V4 = 0x18;
const HEADER_V5 = 0x48;
/** Of version 5. */
const CHECKSUM_AT = 0x40;
/** More blocks than a file can have. */
const NO_END = 2 ** 53;

/** Blocks of a fork that lie next to each other; `physical` is a byte offset in the volume, undefined for a hole or unwritten blocks. */
export interface Run {
  readonly count: number;
  readonly physical: number | undefined;
}

/** Extent records (struct xfs_bmbt_rec), in an inode or in a leaf of its btree. */
class ExtentRecords extends BigEndianView {
  readonly count: number;

  constructor(bytes: Uint8Array, at: number, count: number) {
    super(bytes, at, count * RECORD);
    this.count = count;
  }

  isUnwritten(index: number): boolean {
    return this.u32(index * RECORD) >= 0x8000_0000;
  }
  /** br_startoff, 54 bits. */
  logical(index: number): number {
    const at = index * RECORD;
    return (this.u32(at) & 0x7fff_ffff) * 2 ** 23 + (this.u32(at + 4) >>> 9);
  }
  /** br_startblock, 52 bits. */
  start(index: number): number {
    const at = index * RECORD;
    return (this.u32(at + 4) & 0x1ff) * 2 ** 43 + this.u32(at + 8) * 2 ** 11 + (this.u32(at + 12) >>> 21);
  }
  /** br_blockcount, 21 bits. */
  length(index: number): number {
    return this.u32(index * RECORD + 12) & 0x1f_ffff;
  }
}

/** xfs_bmdr_block: the header of a btree's root in the inode. */
class RootHeader extends BigEndianView {
  get level(): number {
    return this.u16(0x00);
  }
  get numRecs(): number {
    return this.u16(0x02);
  }
}

/** struct xfs_btree_block of the long form. */
class BtreeHeader extends BigEndianView {
  get magic(): number {
    return this.u32(0x00);
  }
  get level(): number {
    return this.u16(0x04);
  }
  get numRecs(): number {
    return this.u16(0x06);
  }
}

/** Keys of an inner node, and pointers behind the room for as many keys as fit. */
class Node extends BigEndianView {
  readonly count: number;
  readonly #room: number;

  constructor(bytes: Uint8Array, at: number, count: number, room: number) {
    super(bytes, at, room * (KEY + POINTER));
    this.count = count;
    this.#room = room;
  }

  /** br_startoff. */
  logical(index: number): number {
    return this.u64(index * KEY);
  }
  child(index: number): number {
    return this.u64(this.#room * KEY + index * POINTER);
  }
}

/** A leaf and the logical blocks it answers for. */
interface Leaf {
  readonly records: ExtentRecords;
  readonly from: number;
  readonly to: number;
}

/**
 * Where the blocks of a fork are, from the extents in the inode or from its btree. Of a tree only the last leaf is kept: a
 * look-up goes down through blocks that the volume caches, so memory does not grow with the file. Every node holds at least
 * one key of its own range, so a damaged tree cannot take longer than its size.
 */
export class ExtentMap {
  readonly #volume: Volume;
  readonly #inode: number;
  readonly #fork: Fork;
  #leaf: Leaf | undefined;

  constructor(volume: Volume, inode: number, fork: Fork) {
    this.#volume = volume;
    this.#inode = inode;
    this.#fork = fork;
  }

  /** The run that starts at block `logical`; neighbouring runs may be of the same kind. */
  *find(logical: number): Steps<Run> {
    const kept = this.#leaf;
    if (kept !== undefined && kept.from <= logical && logical < kept.to) return this.#run(kept, logical);
    const { format, bytes, extents } = this.#fork;
    if (format === FORK_FORMAT.EXTENTS) {
      if (extents * RECORD > bytes.length) this.#refuse(`${extents} of them in ${bytes.length} bytes`);
      return this.#run(this.#setLeaf(bytes, 0, extents, 0, NO_END), logical);
    }
    if (format !== FORK_FORMAT.BTREE) this.#refuse(`a fork of format ${format} has none`);
    return yield* this.#descend(logical);
  }

  *#descend(logical: number): Steps<Run> {
    const { bytes } = this.#fork;
    const root = new RootHeader(bytes, 0, ROOT_HEADER);
    let { level } = root;
    if (level === 0 || level > MAX_LEVEL) this.#refuse(`a tree of ${level} levels`);
    let node = this.#node(bytes, ROOT_HEADER, root.numRecs, 0, NO_END);
    let from = 0;
    let to = NO_END;
    for (;;) {
      const index = search(node, logical);
      if (index + 1 < node.count) to = node.logical(index + 1);
      if (index < 0) return { count: to - logical, physical: undefined };
      from = node.logical(index);
      level--;
      const block = yield* this.#block(node.child(index), level);
      const headerSize = this.#headerSize;
      const count = new BtreeHeader(block, 0, headerSize).numRecs;
      if (level === 0) return this.#run(this.#setLeaf(block, headerSize, count, from, to), logical);
      node = this.#node(block, headerSize, count, from, to);
    }
  }

  get #headerSize(): number {
    return this.#volume.superBlock.hasChecksums ? HEADER_V5 : HEADER_V4;
  }

  *#block(number: number, level: number): Steps<Uint8Array> {
    const volume = this.#volume;
    const offset = volume.offsetOf(number, 1);
    if (offset === undefined) this.#refuse(`a node at block ${number}, outside the file system`);
    const block = yield* volume.read(offset, volume.blockSize);
    const header = new BtreeHeader(block, 0, this.#headerSize);
    const magic = volume.superBlock.hasChecksums ? BMA3_MAGIC : BMAP_MAGIC;
    if (header.magic !== magic || header.level !== level) {
      this.#refuse(`the node at 0x${offset.toString(16)} is none of level ${level}`);
    }
    volume.verify(block, CHECKSUM_AT, offset, "extents");
    return block;
  }

  /** Checks a node as a whole, so that whatever is looked up in it can be trusted. */
  #node(bytes: Uint8Array, at: number, count: number, from: number, to: number): Node {
    const room = Math.floor((bytes.length - at) / (KEY + POINTER));
    if (count === 0 || count > room) this.#refuse(`a node with ${count} keys in room for ${room}`);
    const node = new Node(bytes, at, count, room);
    let least = from;
    for (let index = 0; index < count; index++) {
      const logical = node.logical(index);
      if (logical < least || logical >= to) this.#refuse(`the key ${logical} stands out of order`);
      least = logical + 1;
    }
    return node;
  }

  #setLeaf(bytes: Uint8Array, at: number, count: number, from: number, to: number): Leaf {
    if (at + count * RECORD > bytes.length || (count === 0 && at > 0)) this.#refuse(`${count} of them in a leaf`);
    const records = new ExtentRecords(bytes, at, count);
    let end = from;
    for (let index = 0; index < count; index++) {
      const logical = records.logical(index);
      const length = records.length(index);
      if (logical < end || length === 0 || logical + length > to) {
        this.#refuse(`the one of ${length} blocks at ${logical} stands out of order`);
      }
      if (this.#volume.offsetOf(records.start(index), length) === undefined) {
        this.#refuse(`${length} blocks at ${records.start(index)}, outside the file system`);
      }
      end = logical + length;
    }
    this.#leaf = { records, from, to };
    return this.#leaf;
  }

  #run({ records, to }: Leaf, logical: number): Run {
    const index = search(records, logical);
    const skipped = index < 0 ? NO_END : logical - records.logical(index);
    if (index >= 0 && skipped < records.length(index)) {
      const count = records.length(index) - skipped;
      if (records.isUnwritten(index)) return { count, physical: undefined };
      return { count, physical: this.#volume.offsetOf(records.start(index) + skipped, count) };
    }
    const next = index + 1 < records.count ? records.logical(index + 1) : to;
    return { count: next - logical, physical: undefined };
  }

  #refuse(what: string): never {
    throw extentsDamaged(this.#inode, what, this.#volume.name);
  }
}

/** Index of the last entry that starts at or before `logical`; -1 if all start after it. */
function search(entries: ExtentRecords | Node, logical: number): number {
  let low = 0;
  let high = entries.count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (entries.logical(middle) <= logical) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
