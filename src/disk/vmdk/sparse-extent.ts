import { type Awaitable, type ByteSource, isPromise, map, type StoredRange } from "../../bytes/byte-source.ts";
import { MappedSource, type Run } from "../../bytes/mapped-source.ts";
import { extentTooSmall, grainOutOfRange, grainTableOutOfRange, notVmdk, shutDownUncleanly } from "./errors.ts";
import type { ExtentFormat } from "./extent-formats.ts";
import { decodeSectors, readGrainDirectory } from "./grain-directory.ts";
import type { Session } from "./session.ts";
import { checkHeader, SECTOR, SparseHeader } from "./sparse-header.ts";
import { type CompressedGrain, findFooter, type GrainPlace, inflateGrain, locateGrain } from "./stream-optimized.ts";

/** A table without a single grain. */
const NO_GRAINS = new Uint32Array(0);
/** A grain table entry, or directory entry, for zeros where the header allows it. */
const ZEROED = 1;

type Hole = "absent" | "zeroed";

/** Undefined for a file that is no sparse extent. */
export async function readHeader(source: ByteSource, session: Session): Promise<SparseHeader | undefined> {
  if (source.size < SparseHeader.SIZE) return undefined;
  // A copy: the header outlives the block that it was read with.
  const header = new SparseHeader((await source.read(0, SparseHeader.SIZE)).slice());
  if (header.magic !== SparseHeader.MAGIC) return undefined;
  checkHeader(header, source.name);
  if (header.uncleanShutdown) session.ctx.diagnostic(shutDownUncleanly(source.name));
  return header;
}

/** The sparse files of VMware's hosted products and of exports, as one of several extents. */
export const extentFormat: ExtentFormat = {
  async open(source, sectors, parent, session) {
    const header = await readHeader(source, session);
    if (header === undefined) throw notVmdk(source.name);
    if (header.capacity < sectors) throw extentTooSmall(source.name, sectors, header.capacity);
    return await SparseExtent.open(source, header, sectors * SECTOR, parent, session);
  },
};

/** A file of grains (64 KiB as a rule) that a directory and tables find; plain or each compressed. */
export class SparseExtent extends MappedSource {
  readonly name: string;
  readonly size: number;
  readonly #source: ByteSource;
  readonly #header: SparseHeader;
  readonly #directory: Uint32Array;
  readonly #parent: ByteSource | undefined;
  readonly #session: Session;
  readonly #key: number;
  readonly #grainBytes: number;
  readonly #entries: number;
  readonly #zeroed: Uint32Array;

  private constructor(
    source: ByteSource,
    header: SparseHeader,
    directory: Uint32Array,
    size: number,
    parent: ByteSource | undefined,
    session: Session,
  ) {
    super();
    this.name = source.name;
    this.size = size;
    this.#source = source;
    this.#header = header;
    this.#directory = directory;
    this.#parent = parent;
    this.#session = session;
    this.#key = session.nextKey();
    this.#grainBytes = header.grainSize * SECTOR;
    this.#entries = header.numGTEsPerGT;
    this.#zeroed = new Uint32Array(header.hasZeroedGrains ? this.#entries : 0).fill(ZEROED);
  }

  /**
   * `size` in bytes, at most what the header describes. What the extent never got is read from `parent`, which has the same
   * size. Reads the directory; grain tables are read when they are needed.
   */
  static async open(
    source: ByteSource,
    header: SparseHeader,
    size: number,
    parent: ByteSource | undefined,
    session: Session,
  ): Promise<SparseExtent> {
    const whole = header.directoryAtEnd ? await findFooter(source, header, session.ctx) : header;
    const directory = await readGrainDirectory(source, whole, session);
    return new SparseExtent(source, header, directory, size, parent, session);
  }

  protected override runAt(offset: number, limit: number): Awaitable<Run> {
    const grain = Math.floor(offset / this.#grainBytes);
    return map(this.#table(Math.floor(grain / this.#entries)), (table) => this.#run(table, grain, offset, limit));
  }

  #run(table: Uint32Array, grain: number, offset: number, limit: number): Run {
    const sector = table[grain % this.#entries] ?? 0;
    const hole = this.#holeOf(sector);
    if (hole !== undefined) {
      const length = Math.min(limit, this.#holeEnd(hole, table, grain, offset + limit) * this.#grainBytes - offset);
      return hole === "zeroed" || this.#parent === undefined
        ? { kind: "zero", length }
        : { kind: "plain", length, source: this.#parent, at: offset };
    }
    const skip = offset - grain * this.#grainBytes;
    if (this.#header.compressed) return this.#compressedRun({ grain, sector }, skip, limit);
    const at = sector * SECTOR + skip;
    const length = Math.min(limit, this.#plainGrains(table, grain, offset + limit) * this.#grainBytes - skip);
    const left = this.#source.size - sector * SECTOR;
    if (left < this.#needed(grain)) throw grainOutOfRange(this.name, { grain, sector }, this.#source.size);
    return { kind: "plain", length: Math.min(length, left - skip), source: this.#source, at };
  }

  #holeOf(sector: number): Hole | undefined {
    if (sector === 0) return "absent";
    return sector === ZEROED && this.#header.hasZeroedGrains ? "zeroed" : undefined;
  }

  /** The first grain behind `grain` that is not the same kind of hole, or lies at `end` or beyond. Skips tables without grains. */
  #holeEnd(hole: Hole, from: Uint32Array, grain: number, end: number): number {
    const last = Math.ceil(end / this.#grainBytes);
    let table = from;
    for (let at = grain + 1; at < last; at++) {
      const entry = at % this.#entries;
      if (entry === 0) {
        const next = this.#table(at / this.#entries);
        if (isPromise(next)) return at;
        table = next;
      }
      if (table.length === 0 && hole === "absent") at += this.#entries - entry - 1;
      else if (this.#holeOf(table[entry] ?? 0) !== hole) return at;
    }
    return last;
  }

  /** How many grains from `grain` on follow each other in the file too, as far as its table and `end` go. */
  #plainGrains(table: Uint32Array, grain: number, end: number): number {
    const first = grain % this.#entries;
    const last = Math.min(this.#entries, first + Math.ceil(end / this.#grainBytes) - grain);
    const step = this.#header.grainSize;
    let next = first + 1;
    while (next < last && table[next] === (table[first] ?? 0) + (next - first) * step) next++;
    return next - first;
  }

  /** The bytes of a grain that the extent has, less than a grain at its end. */
  #needed(grain: number): number {
    return Math.min(this.#grainBytes, this.size - grain * this.#grainBytes);
  }

  #table(index: number): Awaitable<Uint32Array> {
    const sector = this.#directory[index] ?? 0;
    const hole = this.#holeOf(sector);
    if (hole !== undefined) return hole === "absent" ? NO_GRAINS : this.#zeroed;
    const key = this.#key + sector;
    const known = this.#session.tables.get(key);
    if (known !== undefined) return known;
    const bytes = this.#entries * 4;
    if (sector * SECTOR + bytes > this.#source.size) {
      throw grainTableOutOfRange(this.name, index, sector, this.#source.size);
    }
    return map(this.#source.read(sector * SECTOR, bytes), (found) => {
      const table = decodeSectors(found, this.#entries);
      const used = table.some((entry) => entry !== 0);
      return this.#session.tables.set(key, used ? table : NO_GRAINS, used ? bytes : 64);
    });
  }

  #compressedRun(place: GrainPlace, skip: number, limit: number): Run {
    return {
      kind: "unit",
      length: Math.min(limit, this.#needed(place.grain) - skip),
      skip,
      decode: () => this.#inflated(place),
      stored: () => map(locateGrain(this.#source, this.#header, place), (found) => this.#stored(place, found)),
    };
  }

  #inflated(place: GrainPlace): Awaitable<Uint8Array> {
    const key = this.#key + place.grain;
    const known = this.#session.grains.get(key);
    if (known !== undefined) return known;
    const most = this.#grainBytes;
    return map(locateGrain(this.#source, this.#header, place), ({ at, length, exact }) =>
      // Without its own length a stream ends where zlib says, within twice the grain as in qemu.
      map(this.#source.read(at, exact ? length : Math.min(length, 2 * most)), (bytes) => {
        const grain = inflateGrain(this.#source, place, bytes, most, this.#needed(place.grain));
        return this.#session.grains.set(key, grain, grain.length);
      }),
    );
  }

  /** Where another thread finds the grain. The last one may be short, so that only inflating tells its size. */
  #stored(place: GrainPlace, { at, length, exact }: CompressedGrain): Awaitable<Omit<StoredRange, "skip"> | undefined> {
    if (!exact || this.#needed(place.grain) < this.#grainBytes) return undefined;
    return map(this.#source.extentAt(at, length), ({ stored, length: whole }) =>
      stored === undefined || stored.coding !== "identity" || whole !== length
        ? undefined
        : { fd: stored.fd, offset: stored.offset, length, coding: "zlib", size: this.#grainBytes },
    );
  }
}
