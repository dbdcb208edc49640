import { type ByteSource, checkRange, clip, type Extent, shift } from "../../bytes/byte-source.ts";
import { type Steps, settled } from "../../bytes/steps.ts";
import { compressedDamaged, compressionUnknown, runsDamaged } from "./errors.ts";
import type { Attribute } from "./file-record.ts";
import { lznt1 } from "./lznt1.ts";
import { Runs } from "./runs.ts";

/** The volume as a stream sees it. */
export interface ClusterSpace {
  readonly source: ByteSource;
  /** Bytes. */
  readonly clusterSize: number;
  readonly clusters: number;
}

/** Windows compresses 16 clusters at a time, of 4 KiB at most. */
const LZNT1 = 1;
const LARGEST_UNIT = 1 << 20;

/** Bytes of a run; `physical` is a byte offset on the volume, "packed" where they are compressed. */
interface ByteRun {
  readonly length: number;
  readonly physical: number | "packed" | undefined;
}

/** The value of an attribute: in its file record, or in clusters that may be missing (holes) or compressed. */
export class Stream {
  /** Bytes. */
  readonly size: number;
  readonly isEncrypted: boolean;
  readonly #space: ClusterSpace;
  readonly #record: number;
  readonly #resident: Uint8Array | undefined;
  readonly #runs: Runs | undefined;
  /** Bytes. Beyond it everything is zero. */
  readonly #initialized: number;
  /** Bytes; 0 where nothing is compressed. */
  readonly #unit: number;
  #unpacked: { readonly unit: number; readonly bytes: Uint8Array } | undefined;

  /** `parts` are all parts of the attribute in ascending order, at least one. Throws CorruptError NTFS_RUNS. */
  constructor(space: ClusterSpace, first: Attribute, parts: readonly Attribute[], record: number) {
    const { name } = space.source;
    this.#space = space;
    this.#record = record;
    this.isEncrypted = first.isEncrypted;
    if (first.isResident) {
      this.#resident = first.value;
      this.size = this.#initialized = this.#resident.length;
      this.#unit = 0;
      return;
    }
    this.#runs = Runs.decode(parts, space.clusters, record, name);
    this.size = first.dataSize;
    this.#initialized = Math.min(this.size, first.initializedSize);
    this.#unit = first.compression === 0 ? 0 : space.clusterSize * 2 ** first.compressionUnit;
    if (this.#unit === 0) return;
    if (first.compression !== LZNT1 || this.#unit > LARGEST_UNIT || this.#unit === space.clusterSize) {
      const what = `method ${first.compression}, ${this.#unit} bytes at a time`;
      throw compressionUnknown(`file record ${record} has ${what}`, name);
    }
  }

  /** Throws CorruptError NTFS_RUNS where there are fewer clusters than bytes. */
  checkCovered(): this {
    const covered = this.#runs === undefined ? this.size : this.#runs.length * this.#space.clusterSize;
    if (this.#initialized <= covered) return this;
    const what = `${this.#initialized} bytes are in ${this.#runs?.length} clusters`;
    throw runsDamaged(this.#record, what, this.#space.source.name);
  }

  /** The byte offset on the volume of a range that lies there in one piece. */
  placeOf(offset: number, length: number): number | undefined {
    const found = this.#find(offset, length);
    return found.length === length && typeof found.physical === "number" ? found.physical : undefined;
  }

  /** `length` bytes, of which those beyond the end are zero: a view where they lie in one piece, a copy otherwise. */
  *read(offset: number, length: number): Steps<Uint8Array> {
    if (length === 0) return new Uint8Array(0);
    if (this.#resident !== undefined && offset + length <= this.#resident.length) {
      return this.#resident.subarray(offset, offset + length);
    }
    const place = this.placeOf(offset, length);
    if (place !== undefined) return yield* settled(this.#space.source.read(place, length));
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      const next = this.#find(offset + done, length - done);
      if (next.physical === "packed") {
        const unit = Math.floor((offset + done) / this.#unit);
        const skip = offset + done - unit * this.#unit;
        bytes.set((yield* this.#unpack(unit)).subarray(skip, skip + next.length), done);
      } else if (next.physical !== undefined) {
        bytes.set(yield* settled(this.#space.source.read(next.physical, next.length)), done);
      } else if (this.#resident !== undefined) {
        bytes.set(this.#resident.subarray(offset + done, offset + done + next.length), done);
      }
      done += next.length;
    }
    return bytes;
  }

  *extentAt(offset: number, limit: number): Steps<Extent> {
    const { length, physical } = this.#find(offset, limit);
    if (physical === "packed" || (this.#resident !== undefined && offset < this.#resident.length)) {
      return { offset, length, kind: "data" };
    }
    if (physical === undefined) return { offset, length, kind: "zero" };
    checkRange(this.#space.source, physical, length);
    const below = yield* settled(this.#space.source.extentAt(physical, length));
    return clip(shift(below, offset - physical), offset, length);
  }

  #find(offset: number, limit: number): ByteRun {
    if (offset >= this.#initialized) return { length: limit, physical: undefined };
    const most = Math.min(limit, this.#initialized - offset);
    if (this.#runs === undefined) return { length: most, physical: undefined };
    if (this.#unit === 0) return this.#plain(this.#runs, offset, most);
    return this.#inUnits(this.#runs, offset, most);
  }

  #plain(runs: Runs, offset: number, most: number): ByteRun {
    const { clusterSize } = this.#space;
    const vcn = Math.floor(offset / clusterSize);
    const skip = offset - vcn * clusterSize;
    const { lcn, count } = runs.find(vcn);
    const length = Math.min(most, count * clusterSize - skip);
    return { length, physical: lcn === undefined ? undefined : lcn * clusterSize + skip };
  }

  /** A unit with all of its clusters is stored as it is, one with fewer is compressed, one without any is a hole. */
  #inUnits(runs: Runs, offset: number, most: number): ByteRun {
    const perUnit = this.#unit / this.#space.clusterSize;
    const unit = Math.floor(offset / this.#unit);
    const first = runs.find(unit * perUnit);
    // Long holes and long runs of plain units are found at once.
    if (first.count >= perUnit) {
      const whole = (unit + Math.floor(first.count / perUnit)) * this.#unit - offset;
      return this.#plain(runs, offset, Math.min(most, whole));
    }
    const length = Math.min(most, (unit + 1) * this.#unit - offset);
    const stored = [...allocated(runs, unit * perUnit, perUnit)].reduce((sum, { count }) => sum + count, 0);
    if (stored === 0) return { length, physical: undefined };
    return stored === perUnit ? this.#plain(runs, offset, length) : { length, physical: "packed" };
  }

  *#unpack(unit: number): Steps<Uint8Array> {
    if (this.#unpacked?.unit === unit) return this.#unpacked.bytes;
    const { source, clusterSize } = this.#space;
    const perUnit = this.#unit / clusterSize;
    const parts: Uint8Array[] = [];
    for (const { lcn, count } of allocated(this.#runs, unit * perUnit, perUnit)) {
      parts.push(yield* settled(source.read(lcn * clusterSize, count * clusterSize)));
    }
    const packed = parts.length === 1 ? parts[0] : Buffer.concat(parts);
    const bytes = new Uint8Array(this.#unit);
    const damage = lznt1(packed ?? new Uint8Array(0), bytes);
    if (damage !== undefined) {
      throw compressedDamaged(unit, `file record ${this.#record}: ${damage}`, source.name);
    }
    this.#unpacked = { unit, bytes };
    return bytes;
  }
}

/** The runs of `count` clusters from `vcn` on that are no holes. */
function* allocated(runs: Runs | undefined, vcn: number, count: number) {
  for (let at = vcn; at < vcn + count && runs !== undefined; ) {
    const found = runs.find(at);
    const length = Math.min(found.count, vcn + count - at);
    if (found.lcn !== undefined) yield { lcn: found.lcn, count: length };
    at += length;
  }
}
