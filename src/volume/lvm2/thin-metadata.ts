import type { ByteSource } from "../../bytes/byte-source.ts";
import { crc32c } from "../../bytes/crc32c.ts";
import { type Steps, settled } from "../../bytes/steps.ts";
import { LittleEndianView } from "../../bytes/view.ts";
import { thinInvalid } from "./errors.ts";

/** Blocks of the metadata device. */
const BLOCK = 4096;
const SUPERBLOCK_MAGIC = 27022010;
const SUPERBLOCK_XOR = 160774;
const NODE_XOR = 121107;

abstract class ThinBlock extends LittleEndianView {
  constructor(bytes: Uint8Array) {
    super(bytes, 0, BLOCK);
  }

  get checksum(): number {
    return this.u32(0x00);
  }

  /** Of everything behind the checksum (dm_bm_checksum). */
  computedChecksum(xor: number): number {
    return (crc32c(0xffffffff, this.bytes(0x04, BLOCK - 4)) ^ xor) >>> 0;
  }
}

/** struct thin_disk_superblock (drivers/md/dm-thin-metadata.c). */
class ThinSuperblock extends ThinBlock {
  /** The constant is 64 bits long and its upper half 0. */
  get hasMagic(): boolean {
    return this.u32(0x20) === SUPERBLOCK_MAGIC && this.u32(0x24) === 0;
  }
  get version(): number {
    return this.u32(0x28);
  }
  get dataMappingRoot(): number {
    return this.u64(0x140);
  }
  /** 512-byte sectors. */
  get dataBlockSize(): number {
    return this.u32(0x150);
  }
}

const INTERNAL_NODE = 1;
const LEAF_NODE = 2;

/** struct btree_node (drivers/md/persistent-data/dm-btree-internal.h); values of 64 bits. */
class BtreeNode extends ThinBlock {
  static readonly HEADER = 0x20;

  get flags(): number {
    return this.u32(0x04);
  }
  get blockNumber(): number {
    return this.u64(0x08);
  }
  get entries(): number {
    return this.u32(0x10);
  }
  get maxEntries(): number {
    return this.u32(0x14);
  }
  get valueSize(): number {
    return this.u32(0x18);
  }

  get isSound(): boolean {
    return (
      (this.flags === INTERNAL_NODE || this.flags === LEAF_NODE) &&
      this.valueSize === 8 &&
      this.entries <= this.maxEntries &&
      BtreeNode.HEADER + this.maxEntries * 16 <= BLOCK
    );
  }
  get isLeaf(): boolean {
    return this.flags === LEAF_NODE;
  }

  key(index: number): number {
    return this.u64(BtreeNode.HEADER + index * 8);
  }
  value(index: number): number {
    return this.u64(this.#valueAt(index));
  }
  /** The upper 40 bits of a mapping; the lower 24 are the time of the last snapshot before it. */
  dataBlock(index: number): number {
    const at = this.#valueAt(index);
    return this.u32(at + 4) * 0x100 + (this.u32(at) >>> 24);
  }

  #valueAt(index: number): number {
    return BtreeNode.HEADER + (this.maxEntries + index) * 8;
  }

  /** The last entry whose key is not above `key`, -1 where all are. */
  indexOf(key: number): number {
    let low = 0;
    let high = this.entries;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.key(middle) <= key) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}

/** Blocks that follow each other on both sides; `first` is undefined where nothing is mapped. */
export interface MappedBlocks {
  readonly count: number;
  /** The block of the pool's data that holds the first of them. */
  readonly first: number | undefined;
}

/** What the loader of a tree keeps: 1 MiB. */
const KEPT_NODES = 256;
const MOST_LEVELS = 16;

/** The metadata of a thin pool: which block of its data holds which block of which device. Its source is borrowed. */
export class ThinMetadata {
  readonly #source: ByteSource;
  readonly #pool: string;
  readonly #root: number;
  readonly #nodes = new Map<number, BtreeNode>();
  /** Bytes of a block of data. */
  readonly blockSize: number;

  private constructor(source: ByteSource, pool: string, superblock: ThinSuperblock) {
    this.#source = source;
    this.#pool = pool;
    this.#root = superblock.dataMappingRoot;
    this.blockSize = superblock.dataBlockSize * 512;
  }

  /** Throws CorruptError LVM_THIN_METADATA; `pool` is its name for messages. */
  static async open(source: ByteSource, pool: string): Promise<ThinMetadata> {
    if (source.size < BLOCK) throw thinInvalid(pool, "it is too short");
    const superblock = new ThinSuperblock(await source.read(0, BLOCK));
    if (!superblock.hasMagic) throw thinInvalid(pool, "it has no superblock");
    if (superblock.checksum !== superblock.computedChecksum(SUPERBLOCK_XOR)) {
      throw thinInvalid(pool, "its superblock has a wrong checksum");
    }
    const { version, dataBlockSize } = superblock;
    if (version < 1 || version > 2) throw thinInvalid(pool, `it is of version ${version}`);
    // As the kernel: 64 KiB to 1 GiB, in steps of 64 KiB.
    if (dataBlockSize < 128 || dataBlockSize > 2 << 20 || dataBlockSize % 128 !== 0) {
      throw thinInvalid(pool, `it has blocks of ${dataBlockSize} sectors`);
    }
    return new ThinMetadata(source, pool, superblock);
  }

  /** Where the tree of a device begins; undefined for a device that the pool does not have. */
  *deviceRoot(device: number): Steps<number | undefined> {
    const { node, index } = yield* this.#descend(this.#root, device);
    return index >= 0 && node.key(index) === device ? node.value(index) : undefined;
  }

  /** What lies at `block` of the device with that tree: at most `limit` blocks. */
  *lookup(deviceRoot: number, block: number, limit: number): Steps<MappedBlocks> {
    const { node, index, bound } = yield* this.#descend(deviceRoot, block);
    const { entries } = node;
    if (index < 0 || node.key(index) !== block) {
      const next = index + 1 < entries ? node.key(index + 1) : bound;
      return { count: Math.min(limit, next - block), first: undefined };
    }
    const first = node.dataBlock(index);
    let count = 1;
    while (
      count < limit &&
      index + count < entries &&
      node.key(index + count) === block + count &&
      node.dataBlock(index + count) === first + count
    ) {
      count++;
    }
    return { count, first };
  }

  /** The leaf that would hold `key`, the entry at or before it, and the first key that lies in a later leaf. */
  *#descend(root: number, key: number): Steps<{ node: BtreeNode; index: number; bound: number }> {
    let bound = Number.MAX_SAFE_INTEGER;
    let block = root;
    for (let level = 0; level < MOST_LEVELS; level++) {
      const node = this.#nodes.get(block) ?? (yield* this.#load(block));
      const index = node.indexOf(key);
      if (node.isLeaf) return { node, index, bound };
      if (index + 1 < node.entries) bound = Math.min(bound, node.key(index + 1));
      // A key before the first of all: the leftmost leaf tells what comes after it.
      if (node.entries === 0) throw this.#invalid("an inner node without entries", block);
      block = node.value(Math.max(index, 0));
    }
    throw this.#invalid(`its tree is deeper than ${MOST_LEVELS} levels`, root);
  }

  *#load(block: number): Steps<BtreeNode> {
    if ((block + 1) * BLOCK > this.#source.size) throw this.#invalid("a node beyond its end", block);
    const node = new BtreeNode(yield* settled(this.#source.read(block * BLOCK, BLOCK)));
    if (node.checksum !== node.computedChecksum(NODE_XOR)) throw this.#invalid("a node with a wrong checksum", block);
    if (node.blockNumber !== block || !node.isSound) throw this.#invalid("a node with impossible values", block);
    for (let index = 1; index < node.entries; index++) {
      if (node.key(index) <= node.key(index - 1)) throw this.#invalid("a node whose keys do not ascend", block);
    }
    if (this.#nodes.size >= KEPT_NODES) this.#nodes.clear();
    this.#nodes.set(block, node);
    return node;
  }

  #invalid(reason: string, block: number): Error {
    return thinInvalid(this.#pool, reason, block * BLOCK);
  }
}
