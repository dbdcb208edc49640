import type { ByteSource } from "../../bytes/byte-source.ts";
import type { Steps } from "../../bytes/steps.ts";
import type { Context } from "../../context.ts";
import { MetadataCache } from "../metadata-cache.ts";
import type { BlockMap } from "./block-map.ts";
import { inodeDamaged, superBlockDamaged, warn } from "./errors.ts";
import { ExtentTree } from "./extent-tree.ts";
import { type FastCommits, withRanges } from "./fast-commit.ts";
import { descriptorBlock, GroupDescriptor } from "./group-descriptor.ts";
import { IndirectBlocks } from "./indirect-blocks.ts";
import { INODE_FLAG, Inode } from "./inode.ts";
import { INCOMPAT, type SuperBlock } from "./super-block.ts";

/** The blocks and inodes of one file system: what all its structures are read through. */
export class Volume {
  readonly source: ByteSource;
  readonly superBlock: SuperBlock;
  readonly ctx: Context;
  /** Bytes. */
  readonly blockSize: number;
  readonly blocks: number;
  /** What fast commits changed and the blocks do not show. */
  readonly fastCommits: FastCommits | undefined;
  readonly #superBlockAt: number;
  readonly #cache: MetadataCache;
  /** Group to the first block of its inode table. */
  readonly #tables = new Map<number, number>();

  /** `superBlockAt` is the block that holds `superBlock`: a backup's group has descriptors of its own. */
  constructor(
    source: ByteSource,
    superBlock: SuperBlock,
    superBlockAt: number,
    ctx: Context,
    fastCommits?: FastCommits,
  ) {
    this.source = source;
    this.superBlock = superBlock;
    this.ctx = ctx;
    this.blockSize = superBlock.blockSize;
    this.blocks = superBlock.blocksCount;
    this.fastCommits = fastCommits;
    this.#superBlockAt = superBlockAt;
    this.#cache = new MetadataCache(source);
  }

  get name(): string {
    return this.source.name;
  }

  /** Whether the blocks lie inside the file system; block 0 never belongs to a file. */
  holds(block: number, count: number): boolean {
    return block > 0 && block + count <= this.blocks;
  }

  /** A block of metadata, whose number was checked where it was found. */
  block(block: number): Steps<Uint8Array> {
    return this.#cache.read(block * this.blockSize, this.blockSize);
  }

  /** Byte offset of an inode. */
  *inodeOffset(number: number): Steps<number> {
    const { inodesCount, inodesPerGroup, inodeSize, groupCount } = this.superBlock;
    const group = Math.floor((number - 1) / inodesPerGroup);
    if (number < 1 || number > inodesCount || group >= groupCount) {
      throw inodeDamaged(number, `is asked for, but there are only ${inodesCount}`, this.name);
    }
    const table = this.#tables.get(group) ?? (yield* this.#inodeTable(group));
    return table * this.blockSize + ((number - 1) % inodesPerGroup) * inodeSize;
  }

  *inode(number: number): Steps<Inode> {
    const { inodeSize } = this.superBlock;
    const offset = yield* this.inodeOffset(number);
    return new Inode(yield* this.#cache.read(offset, inodeSize), 0, inodeSize, number);
  }

  *#inodeTable(group: number): Steps<number> {
    const { superBlock } = this;
    const { descSize } = superBlock;
    const block = descriptorBlock(group, superBlock, this.#superBlockAt);
    const at = (group % Math.floor(this.blockSize / descSize)) * descSize;
    const descriptor = new GroupDescriptor(yield* this.#cache.read(block * this.blockSize + at, descSize), 0, descSize);
    if (!descriptor.checksumFits(group, superBlock)) {
      warn(this.ctx, "EXT_CHECKSUM", `the checksum of group descriptor ${group} is wrong`, this.name);
    }
    const tableBlocks = Math.ceil((superBlock.inodesPerGroup * superBlock.inodeSize) / this.blockSize);
    if (!this.holds(descriptor.inodeTable, tableBlocks)) {
      const what = `the inode table of group ${group} lies at block ${descriptor.inodeTable} of ${this.blocks}`;
      throw superBlockDamaged(what, this.name, block * this.blockSize + at);
    }
    this.#tables.set(group, descriptor.inodeTable);
    return descriptor.inodeTable;
  }

  /** Bytes of a file or directory, as the inode says. */
  sizeOf(inode: Inode, isDirectory: boolean): number {
    const wide = !isDirectory || this.superBlock.hasIncompat(INCOMPAT.LARGEDIR);
    const size = wide ? inode.size64 : inode.sizeLow;
    if (size <= Number.MAX_SAFE_INTEGER) return size;
    throw inodeDamaged(inode.number, `has a size of ${size} bytes`, this.name);
  }

  /** Where the blocks of an inode are that has no inline data. */
  map(inode: Inode): BlockMap {
    const map = inode.hasFlag(INODE_FLAG.EXTENTS)
      ? new ExtentTree(this, inode.block, inode.number)
      : new IndirectBlocks(this, inode.block, inode.number);
    const ranges = this.fastCommits?.ranges.get(inode.number);
    return ranges === undefined ? map : withRanges(map, ranges);
  }
}
