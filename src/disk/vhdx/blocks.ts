import { type Awaitable, type ByteSource, map } from "../../bytes/byte-source.ts";
import type { Run } from "../../bytes/mapped-source.ts";
import { BlockSource } from "../block-source.ts";
import { sectorRun } from "../sector-bitmap.ts";
import { blockOutOfRange, blockStateUnknown } from "./errors.ts";
import type { Metadata } from "./metadata.ts";
import { MEBIBYTE } from "./structures.ts";

/** [MS-VHDX] 2.5.1.1. Versions before 1.0 had the number 5 for unmapped blocks. */
const STATE = { ABSENT: 0, UNDEFINED: 1, ZERO: 2, UNMAPPED: 3, UNMAPPED_OLD: 5, PRESENT: 6, PARTLY: 7 } as const;

/** Sectors that one bitmap block describes. */
const CHUNK_SECTORS = 2 ** 23;

/** The block allocation table: entries for the blocks, and after those of each chunk one for the chunk's sector bitmap. */
export class BlockTable {
  readonly #entries: DataView;
  readonly #perChunk: number;

  constructor(entries: DataView, metadata: Metadata) {
    this.#entries = entries;
    this.#perChunk = chunkBlocks(metadata);
  }

  /** Of the entries that a disk needs. */
  static bytesOf(metadata: Metadata): number {
    const perChunk = chunkBlocks(metadata);
    const blocks = Math.ceil(metadata.size / metadata.blockSize);
    if (metadata.parent !== undefined) return Math.ceil(blocks / perChunk) * (perChunk + 1) * 8;
    return (blocks + Math.floor((blocks - 1) / perChunk)) * 8;
  }

  state(block: number): number {
    return this.#low(this.#place(block)) & 7;
  }

  offset(block: number): number {
    return this.#offset(this.#place(block));
  }

  /** Where the sector bitmap of the block's chunk lies; undefined if there is none. */
  bitmapOffset(block: number): number | undefined {
    const place = Math.floor(block / this.#perChunk) * (this.#perChunk + 1) + this.#perChunk;
    return (this.#low(place) & 7) === STATE.PRESENT ? this.#offset(place) : undefined;
  }

  #place(block: number): number {
    return block + Math.floor(block / this.#perChunk);
  }

  #low(place: number): number {
    return this.#entries.getUint32(place * 8, true);
  }

  #offset(place: number): number {
    const high = this.#entries.getUint32(place * 8 + 4, true);
    return high * 2 ** 32 + ((this.#low(place) & -MEBIBYTE) >>> 0);
  }
}

function chunkBlocks({ sectorSize, blockSize }: Metadata): number {
  return (CHUNK_SECTORS * sectorSize) / blockSize;
}

/** The blocks of a VHDX disk. */
export class VhdxBlocks extends BlockSource {
  readonly name: string;
  readonly size: number;
  readonly #source: ByteSource;
  readonly #metadata: Metadata;
  readonly #table: BlockTable;
  readonly #parent: ByteSource | undefined;

  /** `parent` has the disk's size. */
  constructor(source: ByteSource, metadata: Metadata, table: BlockTable, parent: ByteSource | undefined) {
    super();
    this.name = source.name;
    this.size = metadata.size;
    this.#source = source;
    this.#metadata = metadata;
    this.#table = table;
    this.#parent = parent;
  }

  /** Of blocks that have data, whole or in part. */
  get storedBytes(): number {
    const { blockSize } = this.#metadata;
    let stored = 0;
    for (let block = 0; block * blockSize < this.size; block++) {
      if (this.#table.state(block) >= STATE.PRESENT) stored += blockSize;
    }
    return Math.min(stored, this.size);
  }

  protected override blockAt(offset: number): Awaitable<Run> {
    const { blockSize } = this.#metadata;
    const block = Math.floor(offset / blockSize);
    const skip = offset - block * blockSize;
    const length = blockSize - skip;
    const state = this.#table.state(block);
    switch (state) {
      case STATE.ABSENT:
        return this.#parent === undefined
          ? { kind: "zero", length }
          : { kind: "plain", length, source: this.#parent, at: offset };
      case STATE.UNDEFINED:
      case STATE.ZERO:
      case STATE.UNMAPPED:
      case STATE.UNMAPPED_OLD:
        return { kind: "zero", length };
      case STATE.PRESENT:
        return { kind: "plain", length, source: this.#source, at: this.#dataAt(block) + skip };
      case STATE.PARTLY:
        if (this.#parent !== undefined) return this.#partly(this.#parent, block, offset, skip);
        break;
    }
    throw blockStateUnknown(this.name, block, state);
  }

  #dataAt(block: number): number {
    const { blockSize } = this.#metadata;
    const at = this.#table.offset(block);
    const needed = Math.min(blockSize, this.size - block * blockSize);
    if (at === 0 || at + needed > this.#source.size) throw blockOutOfRange(this.name, block, at, this.#source.size);
    return at;
  }

  #partly(parent: ByteSource, block: number, offset: number, skip: number): Awaitable<Run> {
    const { blockSize, sectorSize } = this.#metadata;
    const data = this.#dataAt(block);
    const sectors = blockSize / sectorSize;
    const chunk = this.#table.bitmapOffset(block);
    const at = (chunk ?? 0) + ((block % chunkBlocks(this.#metadata)) * sectors) / 8;
    if (chunk === undefined || at + sectors / 8 > this.#source.size) {
      throw blockOutOfRange(this.name, block, chunk ?? 0, this.#source.size);
    }
    return map(this.#source.read(at, sectors / 8), (bitmap) => {
      const run = sectorRun(bitmap, Math.floor(skip / sectorSize), sectors, false);
      const length = run.sectors * sectorSize - (skip % sectorSize);
      return run.present
        ? { kind: "plain", length, source: this.#source, at: data + skip }
        : { kind: "plain", length, source: parent, at: offset };
    });
  }
}
