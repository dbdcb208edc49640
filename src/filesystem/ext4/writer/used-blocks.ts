import type { Range } from "./allocator.ts";
import { BLOCK, copyBlocks, copyGroups, type Geometry, GROUP_BLOCKS } from "./geometry.ts";

/** Which blocks of the file system are in use. */
export class UsedBlocks {
  readonly #geometry: Geometry;
  /** Ascending. */
  readonly #ranges: readonly Range[];

  /** `taken` is what was given out around the copies of the superblock. */
  constructor(geometry: Geometry, taken: readonly Range[]) {
    const count = copyBlocks(geometry);
    const copies = [0, ...copyGroups(geometry)].map((group) => ({ start: group * GROUP_BLOCKS, count }));
    this.#geometry = geometry;
    this.#ranges = [...taken, ...copies].sort((a, b) => a.start - b.start);
  }

  /** Of the group. */
  blocksIn(group: number): number {
    return Math.min(GROUP_BLOCKS, this.#geometry.blocks - group * GROUP_BLOCKS);
  }

  usedIn(group: number): number {
    let used = 0;
    for (const { count } of this.#inGroup(group)) used += count;
    return used;
  }

  /** What lies behind the end of the file system counts as used. */
  bitmap(group: number): Uint8Array {
    const bits = new Uint8Array(BLOCK);
    for (const { start, count } of this.#inGroup(group)) setBits(bits, start, count);
    const blocks = this.blocksIn(group);
    setBits(bits, blocks, GROUP_BLOCKS - blocks);
    return bits;
  }

  /** Counted from the group's first block. */
  *#inGroup(group: number): Generator<Range> {
    const first = group * GROUP_BLOCKS;
    for (let index = this.#firstBehind(first); index < this.#ranges.length; index++) {
      const { start, count } = this.#ranges[index] as Range;
      if (start >= first + GROUP_BLOCKS) return;
      const from = Math.max(0, start - first);
      yield { start: from, count: Math.min(GROUP_BLOCKS, start + count - first) - from };
    }
  }

  /** Index of the first range that ends behind a block. */
  #firstBehind(block: number): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const { start, count } = this.#ranges[middle] as Range;
      if (start + count <= block) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Whole bytes at once where there are some. */
export function setBits(bits: Uint8Array, from: number, count: number): void {
  const end = from + count;
  let at = from;
  for (; at < end && at % 8 !== 0; at++) setBit(bits, at);
  const bytesEnd = Math.floor(end / 8) * 8;
  if (bytesEnd > at) {
    bits.fill(0xff, at / 8, bytesEnd / 8);
    at = bytesEnd;
  }
  for (; at < end; at++) setBit(bits, at);
}

function setBit(bits: Uint8Array, at: number): void {
  bits[at >>> 3] = (bits[at >>> 3] as number) | (1 << (at & 7));
}
