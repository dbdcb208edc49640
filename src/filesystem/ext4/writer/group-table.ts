import { crc32c } from "../../../bytes/crc32c.ts";
import { GROUP_FLAG, GroupDescriptor } from "../group-descriptor.ts";
import { BLOCK, DESCRIPTOR, GROUP_BLOCKS } from "./geometry.ts";
import type { Contents, Layout } from "./layout.ts";
import { FIRST_INODE } from "./node.ts";
import { setBits, UsedBlocks } from "./used-blocks.ts";

/** What the groups say of themselves: bitmaps, and descriptors with their counts. */
export class GroupTable {
  readonly #layout: Layout;
  readonly #used: UsedBlocks;
  readonly #inodes: number;
  readonly #directories: Uint32Array;

  constructor(contents: Contents, layout: Layout) {
    this.#layout = layout;
    this.#used = new UsedBlocks(layout.geometry, layout.taken);
    this.#inodes = contents.inodes;
    this.#directories = new Uint32Array(layout.geometry.groups);
    for (const { node } of contents.directories) {
      const group = Math.floor((node.number - 1) / layout.geometry.inodesPerGroup);
      this.#directories[group] = (this.#directories[group] as number) + 1;
    }
  }

  get freeBlocks(): number {
    const { geometry } = this.#layout;
    let used = 0;
    for (let group = 0; group < geometry.groups; group++) used += this.#used.usedIn(group);
    return geometry.blocks - used;
  }

  get freeInodes(): number {
    const { groups, inodesPerGroup } = this.#layout.geometry;
    return groups * inodesPerGroup - this.#inodes;
  }

  /** Undefined where the group's flags say as much: no block is in use, and it is not the last group. */
  blockBitmap(group: number): Uint8Array | undefined {
    const isLast = group === this.#layout.geometry.groups - 1;
    return isLast || this.#used.usedIn(group) > 0 ? this.#used.bitmap(group) : undefined;
  }

  inodeBitmap(group: number): Uint8Array | undefined {
    const used = this.usedInodes(group);
    if (used === 0) return undefined;
    const bits = new Uint8Array(BLOCK);
    setBits(bits, 0, used);
    const { inodesPerGroup } = this.#layout.geometry;
    setBits(bits, inodesPerGroup, GROUP_BLOCKS - inodesPerGroup);
    return bits;
  }

  /** Inodes have numbers without gaps. */
  usedInodes(group: number): number {
    const { inodesPerGroup } = this.#layout.geometry;
    return Math.min(inodesPerGroup, Math.max(0, this.#inodes - group * inodesPerGroup));
  }

  /** The descriptors of all groups, in whole blocks. */
  descriptors(seed: number): Uint8Array {
    const { geometry, blockBitmaps, inodeBitmaps, inodeTables } = this.#layout;
    const { inodesPerGroup } = geometry;
    const bytes = new Uint8Array(geometry.descriptorBlocks * BLOCK);
    for (let group = 0; group < geometry.groups; group++) {
      const descriptor = new GroupDescriptor(bytes, group * DESCRIPTOR, DESCRIPTOR);
      descriptor.blockBitmap = blockBitmaps[group] as number;
      descriptor.inodeBitmap = inodeBitmaps[group] as number;
      descriptor.inodeTable = inodeTables[group] as number;
      descriptor.freeBlocksCount = this.#used.blocksIn(group) - this.#used.usedIn(group);
      const usedInodes = this.usedInodes(group);
      descriptor.freeInodesCount = inodesPerGroup - usedInodes;
      descriptor.inodeTableUnused = inodesPerGroup - usedInodes;
      descriptor.usedDirsCount = this.#directories[group] as number;
      const blockBitmap = this.blockBitmap(group);
      const inodeBitmap = this.inodeBitmap(group);
      descriptor.flags =
        GROUP_FLAG.INODE_ZEROED |
        (blockBitmap === undefined ? GROUP_FLAG.BLOCK_UNINIT : 0) |
        (inodeBitmap === undefined ? GROUP_FLAG.INODE_UNINIT : 0);
      if (blockBitmap !== undefined) descriptor.blockBitmapChecksum = crc32c(seed, blockBitmap);
      if (inodeBitmap !== undefined) {
        descriptor.inodeBitmapChecksum = crc32c(seed, inodeBitmap.subarray(0, inodesPerGroup / 8));
      }
      descriptor.setChecksum(group, seed);
    }
    return bytes;
  }
}

/** Inodes of a file system with so many entries and values: those below the first of the tree are the file system's own. */
export function inodeCount(nodes: number, values: number): number {
  return FIRST_INODE - 1 + nodes + values;
}
