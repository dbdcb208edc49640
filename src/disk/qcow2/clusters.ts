import { inflateRawSync } from "node:zlib";
import { ByteCache } from "../../bytes/byte-cache.ts";
import { type Awaitable, type ByteSource, map } from "../../bytes/byte-source.ts";
import { unzstdFrame } from "../../bytes/decompress.ts";
import type { Run } from "../../bytes/mapped-source.ts";
import { BlockSource } from "../block-source.ts";
import { clusterDamaged, clusterOutOfRange, entryDamaged, tableOutOfRange } from "./errors.ts";
import { entryBytes, type Qcow2Layout } from "./header.ts";
import { compressedOffsetBits, ENTRY_HIGH } from "./structures.ts";

const SECTOR = 512;
const SUBCLUSTERS = 32;
const TABLE_CACHE = 16 << 20;
const CLUSTER_CACHE = 4 << 20;
/** How far a cache may shrink in a long chain: 2^4 times. */
const MOST_SHRINK = 4;
const WORD = 2 ** 32;

const { COPIED, COMPRESSED } = ENTRY_HIGH;
/** In the upper half of an entry. */
const OFFSET_HIGH = 0x00ffffff;
/** In the lower half. */
const OFFSET_LOW = 0xfffffe00;
const ALL_ZEROS = 1;

/** An entry of an L2 table: its halves, and those of the bitmap in an extended one. */
interface Entry {
  readonly high: number;
  readonly low: number;
  readonly zeros: number;
  readonly allocated: number;
}

/** The clusters of a QCOW2 image, found by two levels of tables. */
export class Qcow2Clusters extends BlockSource {
  readonly name: string;
  readonly size: number;
  readonly #source: ByteSource;
  readonly #layout: Qcow2Layout;
  readonly #l1: DataView;
  readonly #data: ByteSource;
  readonly #backing: ByteSource | undefined;
  readonly #clusterBytes: number;
  /** In one L2 table. */
  readonly #entries: number;
  readonly #tables: ByteCache<DataView>;
  readonly #inflated: ByteCache<Uint8Array>;

  /** `data` has the plain clusters, `backing` the disk's size. `depth` as in FormatContext: the deeper, the smaller the caches. */
  constructor(
    source: ByteSource,
    layout: Qcow2Layout,
    l1: DataView,
    data: ByteSource,
    backing: ByteSource | undefined,
    depth: number,
  ) {
    super();
    this.name = source.name;
    this.size = layout.size;
    this.#source = source;
    this.#layout = layout;
    this.#l1 = l1;
    this.#data = data;
    this.#backing = backing;
    this.#clusterBytes = 2 ** layout.clusterBits;
    this.#entries = this.#clusterBytes / entryBytes(layout.extendedL2);
    this.#tables = new ByteCache(TABLE_CACHE >> Math.min(depth, MOST_SHRINK));
    this.#inflated = new ByteCache(CLUSTER_CACHE >> Math.min(depth, MOST_SHRINK));
  }

  protected override blockAt(offset: number): Awaitable<Run> {
    const cluster = Math.floor(offset / this.#clusterBytes);
    const index = Math.floor(cluster / this.#entries);
    const tableOffset = this.#tableOffset(index);
    if (tableOffset === 0) return this.#absent(offset, (index + 1) * this.#entries * this.#clusterBytes - offset);
    return map(this.#table(tableOffset), (table) =>
      this.#clusterRun(this.#entry(table, cluster % this.#entries), offset),
    );
  }

  #tableOffset(index: number): number {
    return clusterOffset(this.#l1.getUint32(index * 8), this.#l1.getUint32(index * 8 + 4));
  }

  #table(offset: number): Awaitable<DataView> {
    const known = this.#tables.get(offset);
    if (known !== undefined) return known;
    const length = this.#clusterBytes;
    if (offset % length !== 0 || offset + length > this.#source.size) {
      throw tableOutOfRange(this.name, 2, offset, length, this.#source.size);
    }
    return map(this.#source.read(offset, length), (bytes) =>
      this.#tables.set(offset, new DataView(new Uint8Array(bytes).buffer), length),
    );
  }

  #entry(table: DataView, index: number): Entry {
    const { extendedL2 } = this.#layout;
    const at = index * entryBytes(extendedL2);
    return {
      high: table.getUint32(at),
      low: table.getUint32(at + 4),
      zeros: extendedL2 ? table.getUint32(at + 8) : 0,
      allocated: extendedL2 ? table.getUint32(at + 12) : 0,
    };
  }

  #clusterRun(entry: Entry, offset: number): Run {
    const skip = offset % this.#clusterBytes;
    const left = this.#clusterBytes - skip;
    if ((entry.high & COMPRESSED) !== 0) return this.#compressedRun(entry, offset, skip);
    if (this.#layout.extendedL2) return this.#subclusterRun(entry, offset, skip);
    if ((entry.low & ALL_ZEROS) !== 0 && this.#layout.version >= 3) return { kind: "zero", length: left };
    return this.#isAllocated(entry) ? this.#plainRun(entry, offset, skip, left) : this.#absent(offset, left);
  }

  /** In a data file of its own, the first cluster is one like the others. */
  #isAllocated({ high, low }: Entry): boolean {
    return clusterOffset(high, low) !== 0 || (this.#data !== this.#source && (high & COPIED) !== 0);
  }

  #subclusterRun(entry: Entry, offset: number, skip: number): Run {
    const bytes = this.#clusterBytes / SUBCLUSTERS;
    const subcluster = Math.floor(skip / bytes);
    const length = bytes - (skip % bytes);
    const allocated = ((entry.allocated >>> subcluster) & 1) === 1;
    const zero = ((entry.zeros >>> subcluster) & 1) === 1;
    if (zero && allocated) throw entryDamaged(this.name, offset, `a subcluster that is zero and has data`);
    if (zero) return { kind: "zero", length };
    if (!allocated) return this.#absent(offset, length);
    if (!this.#isAllocated(entry)) throw entryDamaged(this.name, offset, `a subcluster with data but without a place`);
    return this.#plainRun(entry, offset, skip, length);
  }

  #plainRun({ high, low }: Entry, offset: number, skip: number, length: number): Run {
    const start = clusterOffset(high, low);
    if (start % this.#clusterBytes !== 0) {
      throw entryDamaged(this.name, offset, `a cluster at 0x${start.toString(16)}, which is not aligned`);
    }
    const at = start + skip;
    const needed = Math.min(length, this.size - offset);
    if (at + needed > this.#data.size) throw clusterOutOfRange(this.#data.name, offset, start, this.#data.size);
    return { kind: "plain", length, source: this.#data, at };
  }

  #absent(offset: number, length: number): Run {
    if (this.#backing === undefined) return { kind: "zero", length };
    return { kind: "plain", length, source: this.#backing, at: offset };
  }

  /** QEMU docs/interop/qcow2.txt, "Compressed Clusters Descriptor". */
  #compressedRun({ high, low, zeros, allocated }: Entry, offset: number, skip: number): Run {
    if (this.#data !== this.#source) throw entryDamaged(this.name, offset, "a compressed cluster beside a data file");
    if (zeros !== 0 || allocated !== 0) throw entryDamaged(this.name, offset, "subclusters of a compressed cluster");
    const highBits = compressedOffsetBits(this.#layout.clusterBits) - 32;
    const descriptor = high & ~(COPIED | COMPRESSED);
    const at = (descriptor & (2 ** highBits - 1)) * WORD + low;
    const sectors = (descriptor >>> highBits) + 1;
    if (at >= this.#source.size) throw clusterOutOfRange(this.name, offset, at, this.#source.size);
    const length = Math.min(sectors * SECTOR - (at % SECTOR), this.#source.size - at);
    return {
      kind: "unit",
      length: this.#clusterBytes - skip,
      skip,
      decode: () => this.#inflate(at, length, Math.min(this.#clusterBytes, this.size - offset + skip)),
      stored: () => undefined,
    };
  }

  /** Clusters never share their first byte, so that this tells them apart. */
  #inflate(at: number, length: number, needed: number): Awaitable<Uint8Array> {
    const known = this.#inflated.get(at);
    if (known !== undefined && known.length >= needed) return known;
    return map(this.#source.read(at, length), (bytes) => {
      const plain = this.#decoded(bytes, at);
      if (plain.length < needed) throw clusterDamaged(this.name, at, `${plain.length} bytes came out, not ${needed}`);
      return this.#inflated.set(at, plain, plain.length);
    });
  }

  #decoded(bytes: Uint8Array, at: number): Uint8Array {
    const most = this.#clusterBytes;
    if (this.#layout.compression === "zstd") return unzstdFrame(bytes, most, this.name);
    try {
      // A chunk that is one byte longer than the cluster spares zlib a second one to find out that it is done.
      return inflateRawSync(bytes, { chunkSize: most + 1, maxOutputLength: most });
    } catch (cause) {
      if (!(cause instanceof Error)) throw cause;
      throw clusterDamaged(
        this.name,
        at,
        cause instanceof RangeError ? `more than ${most} bytes` : cause.message,
        cause,
      );
    }
  }
}

function clusterOffset(high: number, low: number): number {
  return (high & OFFSET_HIGH) * WORD + ((low & OFFSET_LOW) >>> 0);
}
