import { crc32c } from "../../../bytes/crc32c.ts";
import { ExtentNode, MAX_WRITTEN } from "../extent-node.ts";
import { inodeSeed } from "../inode.ts";
import { BLOCK } from "./geometry.ts";
import type { Extent } from "./node.ts";

/** Of i_block. */
const ROOT_BYTES = 60;
const ROOT_ROOM: number = ExtentNode.room(ROOT_BYTES);
const CHECKSUM_BYTES = 4;
const BLOCK_ROOM: number = ExtentNode.room(BLOCK - CHECKSUM_BYTES);

/** The blocks that a tree needs outside the inode. */
export function indexBlockCount(extents: readonly Extent[]): number {
  let total = 0;
  for (let entries = entryCount(extents); entries > ROOT_ROOM; ) {
    entries = Math.ceil(entries / BLOCK_ROOM);
    total += entries;
  }
  return total;
}

function entryCount(extents: readonly Extent[]): number {
  return extents.reduce((sum, { count }) => sum + Math.ceil(count / MAX_WRITTEN), 0);
}

/** An extent tree: what stands in the inode, and its blocks in the order of the numbers that were given for them. */
export interface ExtentBlocks {
  readonly root: Uint8Array;
  readonly blocks: readonly Uint8Array[];
}

/** An entry of a node: an extent, or the child that starts at `logical`. */
interface Entry {
  readonly logical: number;
  readonly start: number;
  /** Undefined for a child. */
  readonly count: number | undefined;
}

/** Builds the tree from its leaves up: `numbers` holds the leaves first, then the level above them, and so on. */
export function extentBlocks(
  extents: readonly Extent[],
  numbers: readonly number[],
  inode: number,
  seed: number,
): ExtentBlocks {
  const blocks: Uint8Array[] = [];
  let entries: Entry[] = extents.flatMap(pieces);
  let depth = 0;
  while (entries.length > ROOT_ROOM) {
    const above: Entry[] = [];
    for (let at = 0; at < entries.length; at += BLOCK_ROOM) {
      const part = entries.slice(at, at + BLOCK_ROOM);
      above.push({ logical: (part[0] as Entry).logical, start: numbers[blocks.length] as number, count: undefined });
      blocks.push(withChecksum(node(part, depth, BLOCK, BLOCK_ROOM), inode, seed));
    }
    entries = above;
    depth++;
  }
  return { root: node(entries, depth, ROOT_BYTES, ROOT_ROOM), blocks };
}

/** An extent has 32768 blocks at most. */
function pieces({ logical, start, count }: Extent): Entry[] {
  const found: Entry[] = [];
  for (let at = 0; at < count; at += MAX_WRITTEN) {
    found.push({ logical: logical + at, start: start + at, count: Math.min(MAX_WRITTEN, count - at) });
  }
  return found;
}

function node(entries: readonly Entry[], depth: number, size: number, max: number): Buffer {
  const bytes = Buffer.alloc(size);
  const view = new ExtentNode(bytes, 0, size);
  view.magic = ExtentNode.MAGIC;
  view.entries = entries.length;
  view.max = max;
  view.depth = depth;
  for (const [index, { logical, start, count }] of entries.entries()) {
    if (count === undefined) view.setChild(index, logical, start);
    else view.setExtent(index, logical, start, count);
  }
  return bytes;
}

/** struct ext4_extent_tail. */
function withChecksum(block: Buffer, inode: number, seed: number): Buffer {
  const end = BLOCK - CHECKSUM_BYTES;
  block.writeUInt32LE(crc32c(inodeSeed(seed, inode), block.subarray(0, end)), end);
  return block;
}
