import type { Timestamp } from "../../../bytes/entry.ts";
import { SuperBlock } from "../super-block.ts";
import type { Range } from "./allocator.ts";
import { extentBlocks } from "./extent-blocks.ts";
import { BLOCK, copyGroups, GROUP_BLOCKS, INODES_PER_BLOCK, LOG_GROUPS_PER_FLEX } from "./geometry.ts";
import { GroupTable } from "./group-table.ts";
import { InodeTable, JOURNAL_INODE, reservedBlocks, resizePointers } from "./inode-table.ts";
import { type Contents, hasSlowTarget, type Layout, type OwnBlocks } from "./layout.ts";
import type { Node } from "./node.ts";
import { type Identity, journalSuperBlock, superBlock } from "./super-block.ts";
import { encodeXattrBlock } from "./xattr-places.ts";

/** Blocks of metadata that are not all zeros. Their bytes are made when they are wanted, in order. */
export interface Section extends Range {
  bytes(): Iterable<Uint8Array>;
}

/** Inodes that are encoded at once. */
const TABLE_PART: number = 64 * INODES_PER_BLOCK;

/** The metadata of a file system, ascending: first what `head` gives, then the files, between which the copies lie. */
export class Sections {
  readonly #contents: Contents;
  readonly #layout: Layout;
  readonly #identity: Identity;
  readonly #seed: number;
  readonly #groups: GroupTable;
  readonly #inodes: InodeTable;
  #descriptors: Uint8Array | undefined;

  constructor(contents: Contents, layout: Layout, identity: Identity, seed: number, time: Timestamp) {
    this.#contents = contents;
    this.#layout = layout;
    this.#identity = identity;
    this.#seed = seed;
    this.#groups = new GroupTable(contents, layout);
    this.#inodes = new InodeTable(contents, layout, seed, time);
  }

  get freeBlocks(): number {
    return this.#groups.freeBlocks;
  }

  /** The superblock with the descriptors, in all groups that have them. */
  *copies(): Generator<Section> {
    const { geometry } = this.#layout;
    const count = 1 + geometry.descriptorBlocks;
    const reserved = reservedBlocks(geometry);
    yield { start: 0, count: count + reserved.length / BLOCK, bytes: () => [...this.#copy(0), reserved] };
    for (const group of copyGroups(geometry)) {
      yield { start: group * GROUP_BLOCKS, count, bytes: () => this.#copy(group) };
    }
  }

  /** Only the first lies behind the place of a boot sector. */
  #copy(group: number): Uint8Array[] {
    const block = new Uint8Array(BLOCK);
    const bytes = superBlock(group, this.#identity, this.#layout, this.#groups, this.#inodes);
    block.set(bytes, group === 0 ? SuperBlock.OFFSET : 0);
    this.#descriptors ??= this.#groups.descriptors(this.#seed);
    return [block, this.#descriptors];
  }

  /** All that lies in front of the data of files. */
  *head(): Generator<Section> {
    const { geometry, journal, resizeBlock } = this.#layout;
    const flexGroups = 1 << LOG_GROUPS_PER_FLEX;
    for (let first = 0; first < geometry.groups; first += flexGroups) {
      yield* this.#flexGroup(first, Math.min(first + flexGroups, geometry.groups));
    }
    for (const { node, plan } of this.#contents.directories) {
      yield* inOrder(node.extents, () => plan.build(this.#seed));
      yield* this.indexBlocks(node, node.number);
    }
    for (const node of [this.#contents.nodes.root, ...this.#contents.nodes.numbered]) yield* this.#ofNode(node);
    for (const [index, { value, number }] of this.#contents.values.entries()) {
      const own = this.#layout.values[index] as OwnBlocks;
      yield* inOrder(own.extents, () => blocksOf(value));
      yield* this.indexBlocks(own, number);
    }
    if (resizeBlock > 0) yield single(resizeBlock, () => resizePointers(this.#layout));
    const [start] = journal.extents;
    if (start === undefined) return;
    yield single(start.start, () => journalSuperBlock(journal.blocks, this.#identity.uuid));
    yield* this.indexBlocks(journal, JOURNAL_INODE);
  }

  *#flexGroup(first: number, end: number): Generator<Section> {
    const { geometry, blockBitmaps, inodeBitmaps, inodeTables } = this.#layout;
    for (const [numbers, bitmap] of [
      [blockBitmaps, (group: number) => this.#groups.blockBitmap(group)],
      [inodeBitmaps, (group: number) => this.#groups.inodeBitmap(group)],
    ] as const) {
      for (let group = first; group < end; group++) {
        const bytes = bitmap(group);
        if (bytes !== undefined) yield single(numbers[group] as number, () => bytes);
      }
    }
    for (let group = first; group < end; group++) {
      const used = this.#groups.usedInodes(group);
      const count = Math.ceil(used / INODES_PER_BLOCK);
      if (used === 0) continue;
      yield {
        start: inodeTables[group] as number,
        count,
        bytes: () => this.#tableParts(group * geometry.inodesPerGroup + 1, used),
      };
    }
  }

  *#tableParts(first: number, count: number): Generator<Uint8Array> {
    for (let at = 0; at < count; at += TABLE_PART) {
      yield this.#inodes.blocks(first + at, Math.min(TABLE_PART, count - at));
    }
  }

  *#ofNode(node: Node): Generator<Section> {
    const { xattrBlock, xattrs, entry, extents } = node;
    if (xattrBlock > 0) yield single(xattrBlock, () => encodeXattrBlock(xattrs.outside, xattrBlock, this.#seed));
    const [first] = extents;
    if (entry.type !== "symlink" || !hasSlowTarget(entry) || first === undefined) return;
    yield single(first.start, () => [...blocksOf(Buffer.from(entry.target, "latin1"))][0] as Uint8Array);
  }

  /** The blocks of an extent tree. */
  *indexBlocks({ extents, indexBlocks }: OwnBlocks, inode: number): Generator<Section> {
    if (indexBlocks.length === 0) return;
    const ranges = indexBlocks.map((start) => ({ start, count: 1 }));
    yield* inOrder(ranges, () => extentBlocks(extents, indexBlocks, inode, this.#seed).blocks);
  }
}

function single(start: number, make: () => Uint8Array): Section {
  return { start, count: 1, bytes: () => [make()] };
}

/** Blocks that are made one after the other and lie in several ranges; the sections are taken in order. */
function* inOrder(ranges: readonly Range[], make: () => Iterable<Uint8Array>): Generator<Section> {
  let blocks: Iterator<Uint8Array> | undefined;
  for (const { start, count } of ranges) {
    yield {
      start,
      count,
      *bytes() {
        blocks ??= make()[Symbol.iterator]();
        for (let left = count; left > 0; left--) yield blocks.next().value;
      },
    };
  }
}

/** Whole blocks, the last filled up with zeros. */
function* blocksOf(value: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < value.length; at += BLOCK) {
    const block = new Uint8Array(BLOCK);
    block.set(value.subarray(at, at + BLOCK));
    yield block;
  }
}
