import { type Awaitable, type ByteSource, map } from "../../bytes/byte-source.ts";
import type { Run } from "../../bytes/mapped-source.ts";
import { BlockSource } from "../block-source.ts";
import { sectorRun } from "../sector-bitmap.ts";
import { SECTOR } from "./structures.ts";

/** In the block allocation table. */
export const NO_BLOCK = 0xffffffff;

/** The blocks of a dynamic or differencing disk: each has a bitmap of its sectors in front. */
export class VhdBlocks extends BlockSource {
  readonly name: string;
  readonly size: number;
  readonly #source: ByteSource;
  readonly #blockSize: number;
  readonly #table: Uint32Array;
  readonly #parent: ByteSource | undefined;
  readonly #bitmapBytes: number;

  /** `table` has the sector of each block; all of them lie in the file. `parent` has the disk's size. */
  constructor(source: ByteSource, blockSize: number, table: Uint32Array, size: number, parent: ByteSource | undefined) {
    super();
    this.name = source.name;
    this.size = size;
    this.#source = source;
    this.#blockSize = blockSize;
    this.#table = table;
    this.#parent = parent;
    this.#bitmapBytes = VhdBlocks.bitmapBytes(blockSize);
  }

  /** With what fills it up to a sector. */
  static bitmapBytes(blockSize: number): number {
    return Math.ceil(blockSize / SECTOR / 8 / SECTOR) * SECTOR;
  }

  protected override blockAt(offset: number): Awaitable<Run> {
    const block = Math.floor(offset / this.#blockSize);
    const skip = offset - block * this.#blockSize;
    const length = this.#blockSize - skip;
    const sector = this.#table[block] ?? NO_BLOCK;
    const parent = this.#parent;
    if (sector === NO_BLOCK) {
      return parent === undefined ? { kind: "zero", length } : { kind: "plain", length, source: parent, at: offset };
    }
    const at = sector * SECTOR + this.#bitmapBytes + skip;
    // Without a parent the bitmap says nothing that the data does not: it is zero where the bits are, and QEMU ignores them.
    if (parent === undefined) return { kind: "plain", length, source: this.#source, at };
    return map(this.#source.read(sector * SECTOR, this.#bitmapBytes), (bitmap) => {
      const { present, sectors } = sectorRun(bitmap, Math.floor(skip / SECTOR), this.#blockSize / SECTOR, true);
      const inside = sectors * SECTOR - (skip % SECTOR);
      return present
        ? { kind: "plain", length: inside, source: this.#source, at }
        : { kind: "plain", length: inside, source: parent, at: offset };
    });
  }
}
