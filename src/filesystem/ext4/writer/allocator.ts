import { holdsSparseSuper } from "../super-block.ts";
import { copyBlocks, type Geometry, GROUP_BLOCKS } from "./geometry.ts";

/** A stretch of blocks. */
export interface Range {
  readonly start: number;
  readonly count: number;
}

/**
 * Gives out blocks in ascending order, around the copies of the superblock. It never refuses: what lies beyond the end is
 * found when all has been given out, and tells how large the file system would have to be.
 */
export class Allocator {
  readonly #copyBlocks: number;
  /** What was given out, neighbours joined. */
  readonly #taken: { start: number; count: number }[] = [];
  #next: number;
  /** The first block of the next copy. */
  #copy = GROUP_BLOCKS;

  constructor(geometry: Geometry) {
    this.#copyBlocks = copyBlocks(geometry);
    this.#next = this.#copyBlocks;
  }

  /** The block behind the last one that was given out. */
  get end(): number {
    return this.#next;
  }

  get taken(): readonly Range[] {
    return this.#taken;
  }

  /** As few stretches as can be. The first starts `phase` blocks behind a multiple of `unit`, and later ones keep step. */
  take(count: number, unit = 1, phase = 0): Range[] {
    const ranges: Range[] = [];
    for (let left = count; left > 0; ) {
      this.#next += (((phase + count - left - this.#next) % unit) + unit) % unit;
      const room = this.#room(unit);
      if (room === 0) continue;
      const length = Math.min(left, room);
      ranges.push(this.#give(length));
      left -= length;
    }
    return ranges;
  }

  /** One stretch; `count` is at most what fits between two copies that are neighbours. */
  takeTogether(count: number): number {
    while (this.#room(1) < count) this.#next = this.#copy;
    return this.#give(count).start;
  }

  #give(count: number): Range {
    const start = this.#next;
    const last = this.#taken.at(-1);
    if (last !== undefined && last.start + last.count === start) last.count += count;
    else this.#taken.push({ start, count });
    this.#next += count;
    return { start, count };
  }

  /** Blocks up to the next copy. One that starts here, or was passed, is stepped over first; with units nothing is left then. */
  #room(unit: number): number {
    if (this.#next < this.#copy) return this.#copy - this.#next;
    this.#next = Math.max(this.#next, this.#copy + this.#copyBlocks);
    do this.#copy += GROUP_BLOCKS;
    while (!holdsSparseSuper(this.#copy / GROUP_BLOCKS));
    return unit === 1 ? this.#room(1) : 0;
  }
}
