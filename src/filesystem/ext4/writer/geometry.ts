import { holdsSparseSuper } from "../super-block.ts";

/** Bytes. */
export const BLOCK = 4096;
/** Bytes. */
export const INODE = 256;
export const INODES_PER_BLOCK: number = BLOCK / INODE;
/** As many as a bitmap of one block can tell. */
export const GROUP_BLOCKS: number = BLOCK * 8;
/** Bytes of a group descriptor. */
export const DESCRIPTOR = 64;
/** Of groups whose bitmaps and tables lie together. */
export const LOG_GROUPS_PER_FLEX = 4;
/** One inode for so many bytes, as mke2fs has it, if the files need no more. */
const BYTES_PER_INODE = 16384;
/** The file system can grow so many times in place, as far as one block of pointers reaches. */
const GROWTH = 1024;
const POINTERS: number = BLOCK / 4;
/** With these the file system ends at 16 TiB, where the pointers of the resize inode end too. */
export const MOST_BLOCKS = 0xffff_ffff;
/** mke2fs gives up a last group that has fewer blocks besides its own metadata. */
const LEAST_BLOCKS = 50;

/** The sizes that follow from the number of blocks and inodes alone. */
export interface Geometry {
  readonly blocks: number;
  readonly groups: number;
  readonly inodesPerGroup: number;
  /** Of one group. */
  readonly inodeTableBlocks: number;
  readonly descriptorBlocks: number;
  /** Behind each copy of the descriptors: what they can grow into. */
  readonly reservedBlocks: number;
}

/** The largest file system in so many blocks that holds `inodes` and some more. */
export function geometryOf(blocks: number, inodes: number): Geometry {
  const groups = Math.ceil(blocks / GROUP_BLOCKS);
  const descriptorBlocks = descriptorBlocksOf(groups);
  const grown = Math.ceil(Math.min(blocks * GROWTH, MOST_BLOCKS) / GROUP_BLOCKS);
  const reservedBlocks = Math.min(descriptorBlocksOf(grown) - descriptorBlocks, POINTERS);
  const copy = holdsSparseSuper(groups - 1) ? 1 + descriptorBlocks + reservedBlocks : 0;
  const last = blocks - (groups - 1) * GROUP_BLOCKS;
  if (groups > 1 && last < copy + LEAST_BLOCKS) return geometryOf((groups - 1) * GROUP_BLOCKS, inodes);
  const wanted = Math.max(inodes + Math.ceil(inodes / 8) + 64, Math.floor((blocks * BLOCK) / BYTES_PER_INODE));
  const inodeTableBlocks = Math.min(Math.ceil(wanted / groups / INODES_PER_BLOCK), GROUP_BLOCKS / INODES_PER_BLOCK);
  const inodesPerGroup = inodeTableBlocks * INODES_PER_BLOCK;
  return { blocks, groups, inodesPerGroup, inodeTableBlocks, descriptorBlocks, reservedBlocks };
}

function descriptorBlocksOf(groups: number): number {
  return Math.ceil((groups * DESCRIPTOR) / BLOCK);
}

/** The groups of a file system that hold copies of the superblock and the descriptors. */
export function copyGroups({ groups }: Geometry): number[] {
  return Array.from({ length: groups }, (_, group) => group).filter((group) => group > 0 && holdsSparseSuper(group));
}

/** Blocks of each copy, the first included. */
export function copyBlocks({ descriptorBlocks, reservedBlocks }: Geometry): number {
  return 1 + descriptorBlocks + reservedBlocks;
}

/** Blocks that the geometry takes before any content. */
export function overhead(geometry: Geometry): number {
  const copies = 1 + copyGroups(geometry).length;
  return copies * copyBlocks(geometry) + geometry.groups * (2 + geometry.inodeTableBlocks);
}

/** Sizes of a journal, the one that mke2fs chooses first, then smaller ones; a file system too small for one goes without. */
export function journalSizes(blocks: number): readonly number[] {
  const steps = [2048, 32768, 262_144, 524_288, 4_194_304, 8_388_608, 16_777_216, 33_554_432];
  const sizes = [0, 1024, 4096, 8192, 16384, 32768, 65536, 131_072, 262_144];
  const index = steps.findIndex((step) => blocks < step);
  const chosen = index < 0 ? steps.length : index;
  return sizes.slice(Math.min(chosen, 1), chosen + 1).reverse();
}
