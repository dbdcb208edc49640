import type { BytePath } from "../../bytes/byte-path.ts";
import { crc32c } from "../../bytes/crc32c.ts";
import type { Steps } from "../../bytes/steps.ts";
import type { BlockMap, Run } from "./block-map.ts";
import { INODE_FLAG, MODE } from "./inode.ts";

/** Tags of a fast commit's records; the kernel's fs/ext4/fast_commit.h. */
const TAG = {
  ADD_RANGE: 1,
  DEL_RANGE: 2,
  CREAT: 3,
  LINK: 4,
  UNLINK: 5,
  INODE: 6,
  PAD: 7,
  TAIL: 8,
  HEAD: 9,
} as const;

const TAG_HEADER = 4;
/** Bytes that a record must have at least, by tag. */
const SHORTEST: readonly number[] = [0, 16, 12, 9, 9, 9, 4 + 128, 0, 8, 8];
const MAX_WRITTEN = 0x8000;
const I_BLOCK = 0x28;
const I_BLOCK_END = 0x64;

/** A record with all that a range, a name or an inode needs; little endian. */
export interface FastCommitRecord {
  readonly tag: number;
  readonly value: Buffer;
}

/** Where a file's blocks are now: disjoint, ascending; `physical` is undefined for what was removed or never written. */
interface Range {
  readonly from: number;
  readonly to: number;
  readonly physical: number | undefined;
}

/** What fast commits changed, as far as it is not written over inodes: names by directory, ranges of blocks by file. */
export interface FastCommits {
  /** undefined for a name that was removed. */
  readonly names: ReadonlyMap<number, ReadonlyMap<BytePath, number | undefined>>;
  readonly ranges: ReadonlyMap<number, readonly Range[]>;
  /** The last record of each inode. */
  readonly inodes: ReadonlyMap<number, Buffer>;
}

/** Collects the records of the fast commit area, block by block, up to the last one that is whole. */
export class FastCommitScan {
  readonly #expectedTid: number;
  readonly #seen: FastCommitRecord[] = [];
  #valid = 0;
  #crc = 0;
  #first = true;

  /** `expectedTid` is the transaction after the last one in the log. */
  constructor(expectedTid: number) {
    this.#expectedTid = expectedTid;
  }

  get records(): readonly FastCommitRecord[] {
    return this.#seen.slice(0, this.#valid);
  }

  /** Takes the next block; false when there is nothing after it. */
  add(block: Uint8Array): boolean {
    const buffer = Buffer.from(block);
    if (this.#first && buffer.readUInt16LE(0) !== TAG.HEAD) return false;
    this.#first = false;
    for (let at = 0; at + TAG_HEADER <= buffer.length; ) {
      const tag = buffer.readUInt16LE(at);
      const end = at + TAG_HEADER + buffer.readUInt16LE(at + 2);
      const shortest = SHORTEST[tag];
      if (tag === 0 || shortest === undefined || end > buffer.length || end - at - TAG_HEADER < shortest) return false;
      if (!this.#take(tag, buffer.subarray(at, end))) return false;
      at = end;
    }
    return true;
  }

  #take(tag: number, record: Buffer): boolean {
    const value = record.subarray(TAG_HEADER);
    if (tag === TAG.HEAD && (value.readUInt32LE(0) !== 0 || value.readUInt32LE(4) !== this.#expectedTid)) return false;
    this.#seen.push({ tag, value });
    if (tag !== TAG.TAIL) {
      this.#crc = crc32c(this.#crc, record);
      return true;
    }
    const crc = crc32c(this.#crc, record.subarray(0, TAG_HEADER + 4));
    this.#crc = 0;
    if (value.readUInt32LE(0) !== this.#expectedTid || value.readUInt32LE(4) !== crc) return false;
    this.#valid = this.#seen.length;
    return true;
  }
}

/** What the records come to. `holds` tells whether blocks lie inside the file system; ranges outside are left out. */
export function fastCommitsOf(
  records: readonly FastCommitRecord[],
  holds: (block: number, count: number) => boolean,
): FastCommits {
  const names = new Map<number, Map<BytePath, number | undefined>>();
  const ranges = new Map<number, Range[]>();
  const inodes = new Map<number, Buffer>();
  for (const { tag, value } of records) {
    switch (tag) {
      case TAG.ADD_RANGE:
        addRange(listOf(ranges, value.readUInt32LE(0)), value, holds);
        break;
      case TAG.DEL_RANGE: {
        const from = value.readUInt32LE(4);
        put(listOf(ranges, value.readUInt32LE(0)), { from, to: from + value.readUInt32LE(8), physical: undefined });
        break;
      }
      case TAG.CREAT:
      case TAG.LINK:
      case TAG.UNLINK: {
        const parent = value.readUInt32LE(0);
        const changed = names.get(parent) ?? new Map<BytePath, number | undefined>();
        names.set(parent, changed);
        changed.set(value.toString("latin1", 8), tag === TAG.UNLINK ? undefined : value.readUInt32LE(4));
        break;
      }
      case TAG.INODE:
        inodes.set(value.readUInt32LE(0), value.subarray(4));
        break;
    }
  }
  return { names, ranges, inodes };
}

function listOf(ranges: Map<number, Range[]>, inode: number): Range[] {
  const list = ranges.get(inode) ?? [];
  ranges.set(inode, list);
  return list;
}

/** An ext4_extent: first block, length (more than 32768 when never written), start high and low. */
function addRange(list: Range[], value: Buffer, holds: (block: number, count: number) => boolean): void {
  const from = value.readUInt32LE(4);
  const raw = value.readUInt16LE(8);
  const unwritten = raw > MAX_WRITTEN;
  const length = unwritten ? raw - MAX_WRITTEN : raw;
  const physical = value.readUInt16LE(10) * 0x1_0000_0000 + value.readUInt32LE(12);
  if (holds(physical, length)) put(list, { from, to: from + length, physical: unwritten ? undefined : physical });
}

/** Index of the first range that ends after `logical`. */
function search(list: readonly Range[], logical: number): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((list[middle] as Range).to <= logical) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Writes a range over those that it overlaps. */
function put(list: Range[], range: Range): void {
  if (range.to <= range.from) return;
  const first = search(list, range.from);
  let last = first;
  const parts: Range[] = [];
  for (let old = list[last]; old !== undefined && old.from < range.to; old = list[++last]) {
    if (old.from < range.from) parts.push({ ...old, to: range.from });
    if (old.to > range.to) {
      const physical = old.physical === undefined ? undefined : old.physical + range.to - old.from;
      parts.push({ from: range.to, to: old.to, physical });
    }
  }
  parts.push(range);
  list.splice(first, last - first, ...parts.sort((a, b) => a.from - b.from));
}

/** `map` with ranges over it. */
export function withRanges(map: BlockMap, ranges: readonly Range[]): BlockMap {
  return {
    *find(logical: number): Steps<Run> {
      const range = ranges[search(ranges, logical)];
      if (range === undefined) return yield* map.find(logical);
      if (range.from <= logical) {
        const physical = range.physical === undefined ? undefined : range.physical + logical - range.from;
        return { count: range.to - logical, physical };
      }
      const run = yield* map.find(logical);
      return { count: Math.min(run.count, range.from - logical), physical: run.physical };
    },
  };
}

/**
 * Writes a recorded inode over the one on disk, which keeps its tree of extents: the ranges say what changed in that. What
 * has no tree (short symlinks, devices, inline data) brings its i_block along.
 */
export function writeInode(disk: Uint8Array, record: Buffer): void {
  const end = Math.min(record.length, disk.length);
  disk.set(record.subarray(0, I_BLOCK));
  disk.set(record.subarray(I_BLOCK_END, end), I_BLOCK_END);
  const format = record.readUInt16LE(0) & MODE.FORMAT;
  const isBlockMapped = format === MODE.FILE || format === MODE.DIRECTORY;
  const flags = record.readUInt32LE(0x20);
  const inBlock = Buffer.from(disk.buffer, disk.byteOffset + I_BLOCK, I_BLOCK_END - I_BLOCK);
  if ((flags & INODE_FLAG.EXTENTS) !== 0) {
    if (inBlock.readUInt16LE(0) === 0xf30a) return;
    inBlock.fill(0);
    inBlock.writeUInt16LE(0xf30a, 0);
    inBlock.writeUInt16LE(4, 4);
  } else if ((flags & INODE_FLAG.INLINE_DATA) !== 0 || !isBlockMapped) {
    inBlock.set(record.subarray(I_BLOCK, I_BLOCK_END));
  }
}
