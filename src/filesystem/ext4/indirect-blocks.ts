import type { Steps } from "../../bytes/steps.ts";
import { type BlockMap, NO_END, type Run } from "./block-map.ts";
import { blockOutOfRange } from "./errors.ts";
import type { Volume } from "./volume.ts";

const DIRECT = 12;
const LEVELS = 3;

/** The block pointers of ext2 and ext3: twelve direct ones, then trees of one, two and three levels. 0 is a hole at any level. */
export class IndirectBlocks implements BlockMap {
  readonly #volume: Volume;
  readonly #root: DataView;
  readonly #inode: number;

  /** `root` is the inode's i_block. */
  constructor(volume: Volume, root: Uint8Array, inode: number) {
    this.#volume = volume;
    this.#root = viewOf(root);
    this.#inode = inode;
  }

  *find(logical: number): Steps<Run> {
    if (logical < DIRECT) return this.#runIn(this.#root, logical, DIRECT);
    const perBlock = this.#volume.blockSize / 4;
    let rest = logical - DIRECT;
    let covered = perBlock;
    for (let level = 0; level < LEVELS; level++) {
      if (rest < covered) return yield* this.#descend(this.#root.getUint32((DIRECT + level) * 4, true), rest, covered);
      rest -= covered;
      covered *= perBlock;
    }
    return { count: NO_END - logical, physical: undefined };
  }

  /** `pointer` leads to a tree that covers `covered` blocks, of which the one at `rest` is sought. */
  *#descend(pointer: number, rest: number, covered: number): Steps<Run> {
    const perBlock = this.#volume.blockSize / 4;
    if (pointer === 0) return { count: covered - rest, physical: undefined };
    const table = viewOf(yield* this.#volume.block(this.#checked(pointer)));
    if (covered === perBlock) return this.#runIn(table, rest, perBlock);
    const below = covered / perBlock;
    return yield* this.#descend(table.getUint32(Math.floor(rest / below) * 4, true), rest % below, below);
  }

  /** The run at `index` of a table of `length` pointers to data: as far as the pointers ascend, or stay 0. */
  #runIn(table: DataView, index: number, length: number): Run {
    const first = table.getUint32(index * 4, true);
    const step = first === 0 ? 0 : 1;
    let count = 1;
    while (index + count < length && table.getUint32((index + count) * 4, true) === first + step * count) count++;
    if (first === 0) return { count, physical: undefined };
    this.#checked(first);
    this.#checked(first + count - 1);
    return { count, physical: first };
  }

  #checked(block: number): number {
    if (this.#volume.holds(block, 1)) return block;
    throw blockOutOfRange(this.#inode, block, this.#volume.blocks, this.#volume.name);
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
