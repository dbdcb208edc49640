import { packUnits } from "../../bytes/pack/units.ts";
import type { DiskWriter } from "../disk-writer.ts";
import { diskTooLarge } from "./errors.ts";
import { Refcounts } from "./refcounts.ts";
import { CLUSTER_BITS, CLUSTER_BYTES, compressedOffsetBits, ENTRY_HIGH, MAGIC, Qcow2Header } from "./structures.ts";

const SECTOR = 512;
/** In an L2 table. */
const ENTRIES = CLUSTER_BYTES / 8;
/** QEMU's QCOW_MAX_L1_SIZE. */
const MOST_L1_BYTES = 32 << 20;
const MOST_BYTES = (MOST_L1_BYTES / 8) * ENTRIES * CLUSTER_BYTES;
/** As QEMU writes it, the header ends with the compression type and padding. */
const HEADER_BYTES = 0x70;
const WORD = 2 ** 32;
/** Measured on a Debian disk: level 2 takes no more time than 1, level 6 half as much again for 3 % less. */
const DEFAULT_LEVEL = 2;

/**
 * QCOW2 version 3 with compressed clusters and without a backing file. The header comes first and is patched at the end, since
 * all tables follow what they tell of: so nothing but one L2 table, the L1 table and the reference counts is kept.
 */
export const writer: DiskWriter = {
  name: "qcow2",
  async *write(content, { level = DEFAULT_LEVEL }, ctx) {
    const size = Math.ceil(content.size / SECTOR) * SECTOR;
    if (size > MOST_BYTES) throw diskTooLarge(content.name, size, MOST_BYTES);
    const image = new Image(size);
    yield* image.begin();
    // QEMU inflates with a window of 4 KiB.
    const coding = { coding: "deflate", unitBytes: CLUSTER_BYTES, level, windowBits: 12 } as const;
    const totals = { done: 0, reused: 0 };
    for await (const { index, isCoded, bytes } of packUnits(content.pieces(), coding, totals, ctx)) {
      yield* isCoded ? image.compressed(index, bytes) : image.plain(index, bytes);
      ctx.progress({ stage: "disk", item: content.name, done: Math.min(totals.done, size), total: size });
    }
    yield* image.end();
    return [{ offset: 0, bytes: image.header() }];
  },
};

/** The image as it grows; QEMU docs/interop/qcow2.txt. */
class Image {
  readonly #size: number;
  readonly #l1: Buffer;
  readonly #l2 = Buffer.alloc(CLUSTER_BYTES);
  /** The L2 table that is being filled. */
  #table = -1;
  readonly #refcounts = new Refcounts();
  /** Where the next byte goes. */
  #at = 0;
  #l1Offset = 0;
  #refcountTable = { tableOffset: 0, tableClusters: 0 };

  constructor(size: number) {
    this.#size = size;
    const l1Entries = Math.ceil(size / (ENTRIES * CLUSTER_BYTES));
    this.#l1 = Buffer.alloc(Math.max(1, l1Entries) * 8);
  }

  /** The header's cluster, still empty. */
  *begin(): Generator<Uint8Array> {
    yield* this.#cluster(new Uint8Array(CLUSTER_BYTES));
  }

  /** Compressed clusters follow each other without gaps; a descriptor tells sectors, which neighbours may share. */
  *compressed(index: number, bytes: Uint8Array): Generator<Uint8Array> {
    yield* this.#open(index);
    const offset = this.#at;
    const firstSector = Math.floor(offset / SECTOR);
    const more = Math.floor((offset + bytes.length - 1) / SECTOR) - firstSector;
    const sizeAt = compressedOffsetBits(CLUSTER_BITS) - 32;
    const high = (Math.floor(offset / WORD) | (more << sizeAt) | ENTRY_HIGH.COMPRESSED) >>> 0;
    this.#entry(index, high, offset % WORD);
    this.#refcounts.add(firstSector * SECTOR, (more + 1) * SECTOR);
    this.#at += bytes.length;
    yield bytes;
  }

  /** A cluster that compression would not make smaller. */
  *plain(index: number, bytes: Uint8Array): Generator<Uint8Array> {
    yield* this.#open(index);
    yield* this.#align();
    this.#entry(index, entryHigh(this.#at), this.#at % WORD);
    yield* this.#cluster(bytes);
  }

  /** The last L2 table, the L1 table and the reference counts. */
  *end(): Generator<Uint8Array> {
    yield* this.#close();
    yield* this.#align();
    this.#l1Offset = this.#at;
    yield* this.#cluster(this.#l1);
    yield* this.#align();
    const { bytes, ...table } = this.#refcounts.finish();
    this.#refcountTable = table;
    yield* bytes;
  }

  header(): Uint8Array {
    const bytes = new Uint8Array(HEADER_BYTES);
    const header = new Qcow2Header(bytes);
    header.magic = MAGIC;
    header.version = 3;
    header.clusterBits = CLUSTER_BITS;
    header.size = this.#size;
    header.l1Size = this.#l1.length / 8;
    header.l1TableOffset = this.#l1Offset;
    header.refcountTableOffset = this.#refcountTable.tableOffset;
    header.refcountTableClusters = this.#refcountTable.tableClusters;
    header.refcountOrder = 4;
    header.headerLength = HEADER_BYTES;
    return bytes;
  }

  /** Makes the table of a cluster the one that is filled. */
  *#open(index: number): Generator<Uint8Array> {
    const table = Math.floor(index / ENTRIES);
    if (table !== this.#table) yield* this.#close();
    this.#table = table;
  }

  #entry(index: number, high: number, low: number): void {
    const at = (index % ENTRIES) * 8;
    this.#l2.writeUInt32BE(high, at);
    this.#l2.writeUInt32BE(low, at + 4);
  }

  /** Writes the table that is being filled: content comes in order, so nothing more will belong into it. */
  *#close(): Generator<Uint8Array> {
    if (this.#table < 0) return;
    yield* this.#align();
    this.#l1.writeUInt32BE(entryHigh(this.#at), this.#table * 8);
    this.#l1.writeUInt32BE(this.#at % WORD, this.#table * 8 + 4);
    yield* this.#cluster(this.#l2);
    this.#l2.fill(0);
  }

  /** Bytes at the beginning of a cluster of their own. */
  *#cluster(bytes: Uint8Array): Generator<Uint8Array> {
    this.#refcounts.add(this.#at, bytes.length);
    this.#at += bytes.length;
    yield bytes;
  }

  *#align(): Generator<Uint8Array> {
    const padding = -this.#at & (CLUSTER_BYTES - 1);
    this.#at += padding;
    if (padding > 0) yield new Uint8Array(padding);
  }
}

/** The upper half of an entry for a cluster that nothing else refers to. */
function entryHigh(offset: number): number {
  return (Math.floor(offset / WORD) | ENTRY_HIGH.COPIED) >>> 0;
}
