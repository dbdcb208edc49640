import type { FileTree } from "../../../bytes/file-tree.ts";
import { Allocator, type Range } from "./allocator.ts";
import { type DirectoryPlan, planDirectory } from "./directory-blocks.ts";
import { indexBlockCount } from "./extent-blocks.ts";
import { BLOCK, type Geometry, LOG_GROUPS_PER_FLEX } from "./geometry.ts";
import type { Extent, Node, Nodes } from "./node.ts";
import type { XattrValue } from "./xattr-places.ts";

/** Targets up to this many bytes stand in the inode. */
export const FAST_TARGET = 59;
const NONE: readonly number[] = [];
const FLEX_GROUPS: number = 1 << LOG_GROUPS_PER_FLEX;
/** Grains of VMDK, and the units in which layers of ours are compressed. */
const GRAIN_BLOCKS: number = 65536 / BLOCK;

/** Blocks of an inode that the tree does not know: the journal, the value of an attribute. */
export interface OwnBlocks {
  readonly extents: readonly Extent[];
  readonly indexBlocks: readonly number[];
}

/** Everything that is to be written, in so far as it does not depend on the size. */
export interface Contents {
  readonly tree: FileTree;
  readonly nodes: Nodes;
  readonly values: readonly XattrValue[];
  readonly directories: readonly { readonly node: Node; readonly plan: DirectoryPlan }[];
  /** Inodes, those in reserve for the file system itself included. */
  readonly inodes: number;
  /** Blocks of all of it, about: extents that are split may need a few more. */
  readonly blocks: number;
}

/** Which blocks everything has. Nodes know their own. */
export interface Layout {
  readonly geometry: Geometry;
  readonly journal: OwnBlocks & { readonly blocks: number };
  /** The block of pointers of the resize inode. */
  readonly resizeBlock: number;
  /** In the order of the values. */
  readonly values: readonly OwnBlocks[];
  readonly blockBitmaps: readonly number[];
  readonly inodeBitmaps: readonly number[];
  readonly inodeTables: readonly number[];
  readonly taken: readonly Range[];
  /** The file system must have so many blocks for all this to lie in it. */
  readonly end: number;
}

export interface LayoutOptions {
  readonly journalBlocks: number;
  /** Bytes: data of files from this size on lies in step with multiples of 64 KiB. */
  readonly alignFrom: number;
}

/** Lays out plans of directories, from whose number of blocks all else follows. */
export function planContents(
  tree: FileTree,
  nodes: Nodes,
  values: readonly XattrValue[],
  hashSeed: Int32Array,
): Omit<Contents, "inodes"> {
  const directories = [nodes.root, ...nodes.numbered]
    .filter(({ directory }) => directory !== undefined)
    .map((node) => ({ node, plan: planDirectory(node, hashSeed, node === nodes.lostAndFound) }));
  let blocks = 1;
  for (const { node, plan } of directories) {
    blocks += plan.blocks;
    if (node.directory !== undefined) node.directory.indexed = plan.indexed;
  }
  for (const { value } of values) blocks += blocksOf(value.length);
  for (const { entry, xattrs } of [nodes.root, ...nodes.numbered]) {
    blocks += (hasSlowTarget(entry) ? 1 : 0) + (xattrs.outside.length > 0 ? 1 : 0);
  }
  for (const inode of tree.order) {
    for (const { logical, count } of dataBlocks(tree, inode)) blocks += count + (logical > 0 ? 1 / 300 : 0);
  }
  return { tree, nodes, values, directories, blocks: Math.ceil(blocks) };
}

/**
 * Gives every block its place, ascending in the order in which all is written: metadata of groups, directories, attributes,
 * long targets, the journal, and the data of files in the tree's own order, each followed by the blocks of its extent tree.
 */
export function layOut(contents: Contents, geometry: Geometry, options: LayoutOptions): Layout {
  const allocator = new Allocator(geometry);
  const groups = layOutGroups(geometry, allocator);
  for (const { node, plan } of contents.directories) {
    node.size = plan.blocks * BLOCK;
    Object.assign(node, ownBlocks(plan.blocks, allocator));
  }
  for (const node of [contents.nodes.root, ...contents.nodes.numbered]) {
    if (node.xattrs.outside.length > 0) node.xattrBlock = allocator.takeTogether(1);
    if (hasSlowTarget(node.entry)) Object.assign(node, ownBlocks(1, allocator));
  }
  const values = contents.values.map(({ value }) => ownBlocks(blocksOf(value.length), allocator));
  const resizeBlock = geometry.reservedBlocks === 0 ? 0 : allocator.takeTogether(1);
  const journal = { blocks: options.journalBlocks, ...ownBlocks(options.journalBlocks, allocator) };
  for (const inode of contents.tree.order) {
    const node = contents.nodes.files.get(inode);
    if (node === undefined) throw new Error(`inode ${inode} has content but no name`);
    layOutFile(node, contents.tree, allocator, node.size >= options.alignFrom ? GRAIN_BLOCKS : 1);
  }
  return { geometry, journal, resizeBlock, values, ...groups, taken: allocator.taken, end: allocator.end };
}

function layOutGroups(
  { groups, inodeTableBlocks }: Geometry,
  allocator: Allocator,
): Pick<Layout, "blockBitmaps" | "inodeBitmaps" | "inodeTables"> {
  const blockBitmaps: number[] = [];
  const inodeBitmaps: number[] = [];
  const inodeTables: number[] = [];
  for (let first = 0; first < groups; first += FLEX_GROUPS) {
    const count = Math.min(FLEX_GROUPS, groups - first);
    const bitmaps = allocator.takeTogether(count * 2);
    for (let index = 0; index < count; index++) {
      blockBitmaps.push(bitmaps + index);
      inodeBitmaps.push(bitmaps + count + index);
      inodeTables.push(allocator.takeTogether(inodeTableBlocks));
    }
  }
  return { blockBitmaps, inodeBitmaps, inodeTables };
}

function layOutFile(node: Node, tree: FileTree, allocator: Allocator, unit: number): void {
  const extents: Extent[] = [];
  for (const { logical, count } of dataBlocks(tree, node.entry.inode)) {
    let at = logical;
    for (const range of allocator.take(count, unit, logical % unit)) {
      extents.push({ logical: at, ...range });
      at += range.count;
    }
  }
  // A copy of just that length: arrays that grew keep room for sixteen more, measured 150 bytes a file.
  node.extents = extents.slice();
  node.indexBlocks = singleBlocks(indexBlockCount(extents), allocator);
}

function ownBlocks(count: number, allocator: Allocator): OwnBlocks {
  let logical = 0;
  const extents = allocator.take(count).map((range) => {
    logical += range.count;
    return { logical: logical - range.count, ...range };
  });
  return { extents, indexBlocks: singleBlocks(indexBlockCount(extents), allocator) };
}

function singleBlocks(count: number, allocator: Allocator): readonly number[] {
  return count === 0 ? NONE : Array.from({ length: count }, () => allocator.takeTogether(1));
}

export function hasSlowTarget(entry: Node["entry"]): boolean {
  return entry.type === "symlink" && entry.target.length > FAST_TARGET;
}

function blocksOf(bytes: number): number {
  return Math.ceil(bytes / BLOCK);
}

/** The blocks of a file that hold data, neighbours joined. */
function* dataBlocks(tree: FileTree, inode: number): Generator<{ readonly logical: number; readonly count: number }> {
  let at = 0;
  let from = 0;
  let to = 0;
  for (const { length, kind } of tree.runs(inode)) {
    const end = at + length;
    if (kind === "data" && length > 0) {
      const first = Math.floor(at / BLOCK);
      if (first > to) {
        if (to > from) yield { logical: from, count: to - from };
        from = first;
      }
      to = blocksOf(end);
    }
    at = end;
  }
  if (to > from) yield { logical: from, count: to - from };
}
