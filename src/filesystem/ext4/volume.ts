import type { ByteSource } from "../../bytes/byte-source.ts";
import type { Steps } from "../../bytes/steps.ts";
import type { Context } from "../../context.ts";
import { MetadataCache } from "../metadata-cache.ts";
import type { BlockMap } from "./block-map.ts";
import { inodeDamaged, superBlockDamaged, warn } from "./errors.ts";
import { ExtentTree } from "./extent-tree.ts";
import { type FastCommits, withRanges } from "./fast-commit.ts";
import { descriptorOffset, GroupDescriptor } from "./group-descriptor.ts";
import { IndirectBlocks } from "./indirect-blocks.ts";
import { INODE_FLAG, Inode } from "./inode.ts";
import { BACKUP_GROUPS, INCOMPAT, type SuperBlock } from "./super-block.ts";

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
    const descriptor = yield* this.#descriptor(group, this.#superBlockAt);
    const isPlaced = this.#isPlaced(descriptor);
    const fits = isPlaced && descriptor.checksumFits(group, this.superBlock);
    const copy = fits ? undefined : yield* this.#copiedDescriptor(group);
    if (copy !== undefined) {
      warn(this.ctx, "EXT_BACKUP_DESCRIPTOR", `group descriptor ${group} is damaged, a copy of it is used`, this.name);
    } else if (!isPlaced) {
      const what = `the inode table of group ${group} lies at block ${descriptor.inodeTable} of ${this.blocks}`;
      throw superBlockDamaged(what, this.name, descriptorOffset(group, this.superBlock, this.#superBlockAt));
    } else if (!fits) {
      warn(this.ctx, "EXT_CHECKSUM", `the checksum of group descriptor ${group} is wrong`, this.name);
    }
    const { inodeTable } = copy ?? descriptor;
    this.#tables.set(group, inodeTable);
    return inodeTable;
  }

  *#descriptor(group: number, superBlockAt: number): Steps<GroupDescriptor> {
    const { descSize } = this.superBlock;
    const offset = descriptorOffset(group, this.superBlock, superBlockAt);
    return new GroupDescriptor(yield* this.#cache.read(offset, descSize), 0, descSize);
  }

  /** Whether the inode table that it names lies inside the file system. */
  #isPlaced({ inodeTable }: GroupDescriptor): boolean {
    const { inodesPerGroup, inodeSize } = this.superBlock;
    return this.holds(inodeTable, Math.ceil((inodesPerGroup * inodeSize) / this.blockSize));
  }

  /** What stands behind one of the superblock's copies: each has the whole table, but for meta_bg. */
  *#copiedDescriptor(group: number): Steps<GroupDescriptor | undefined> {
    const { superBlock } = this;
    if (superBlock.hasIncompat(INCOMPAT.META_BG)) return undefined;
    for (const copy of BACKUP_GROUPS) {
      const at = superBlock.firstDataBlock + copy * superBlock.blocksPerGroup;
      const end = descriptorOffset(group, superBlock, at) + superBlock.descSize;
      if (end > Math.min(this.blocks * this.blockSize, this.source.size)) return undefined;
      if (at === this.#superBlockAt || !superBlock.hasSuper(copy)) continue;
      const descriptor = yield* this.#descriptor(group, at);
      if (this.#isPlaced(descriptor) && descriptor.checksumFits(group, superBlock)) return descriptor;
    }
    return undefined;
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
