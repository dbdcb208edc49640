import { runsDamaged } from "./errors.ts";
import type { Attribute } from "./file-record.ts";

/** Clusters that follow one another in an attribute and on the volume. */
export interface Run {
  /** Undefined for a hole. */
  readonly lcn: number | undefined;
  /** Clusters from the one that was asked for to the end of the run. */
  readonly count: number;
}

const HOLE = -1;

/** Where the clusters of a non-resident attribute lie. */
export class Runs {
  /** Clusters from the start of the attribute, ascending from 0. */
  readonly #starts: Float64Array;
  readonly #lcns: Float64Array;
  /** Clusters. */
  readonly length: number;

  private constructor(starts: readonly number[], lcns: readonly number[], length: number) {
    this.#starts = Float64Array.from(starts);
    this.#lcns = Float64Array.from(lcns);
    this.length = length;
  }

  /**
   * Of an attribute's parts, which follow one another; `clusters` is how many the volume has. Throws CorruptError NTFS_RUNS.
   */
  static decode(parts: readonly Attribute[], clusters: number, record: number, file: string): Runs {
    const starts: number[] = [];
    const lcns: number[] = [];
    let vcn = 0;
    for (const part of parts) {
      if (part.lowestVcn !== vcn) {
        throw runsDamaged(record, `a part begins at ${part.lowestVcn} instead of ${vcn}`, file);
      }
      for (const { length, lcn } of decodePart(part.mappingPairs, record, file)) {
        if (lcn !== HOLE && (lcn < 0 || lcn + length > clusters)) {
          throw runsDamaged(record, `${length} clusters lie at ${lcn} of ${clusters}`, file);
        }
        starts.push(vcn);
        lcns.push(lcn);
        vcn += length;
        if (vcn > MOST_CLUSTERS) throw runsDamaged(record, `there are ${vcn} clusters`, file);
      }
    }
    return new Runs(starts, lcns, vcn);
  }

  /** What lies at a cluster of the attribute; a hole beyond the end. */
  find(vcn: number): Run {
    if (vcn >= this.length) return { lcn: undefined, count: Number.MAX_SAFE_INTEGER };
    let low = 0;
    let high = this.#starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.#starts[middle] ?? 0) <= vcn) low = middle;
      else high = middle - 1;
    }
    const skip = vcn - (this.#starts[low] ?? 0);
    const count = (this.#starts[low + 1] ?? this.length) - vcn;
    const lcn = this.#lcns[low] ?? HOLE;
    return { lcn: lcn === HOLE ? undefined : lcn + skip, count };
  }
}

/** So that a byte offset stays below 2^53 with the largest clusters. */
const MOST_CLUSTERS = 2 ** 32;

interface Pair {
  /** Clusters. */
  readonly length: number;
  readonly lcn: number;
}

/** Each pair is a byte with the sizes of two numbers, then those: a length, and the distance from the place before. */
function* decodePart(bytes: Uint8Array, record: number, file: string): Iterable<Pair> {
  let place = 0;
  for (let at = 0; at < bytes.length && bytes[at] !== 0; ) {
    const header = bytes[at] ?? 0;
    const lengthSize = header & 0xf;
    const offsetSize = header >> 4;
    const next = at + 1 + lengthSize + offsetSize;
    if (lengthSize === 0 || lengthSize > 8 || offsetSize > 8 || next > bytes.length) {
      throw runsDamaged(record, `a run has the sizes 0x${header.toString(16)}`, file);
    }
    const length = signed(bytes, at + 1, lengthSize);
    if (length <= 0 || length > MOST_CLUSTERS) throw runsDamaged(record, `a run has ${length} clusters`, file);
    if (offsetSize > 0) place += signed(bytes, at + 1 + lengthSize, offsetSize);
    yield { length, lcn: offsetSize > 0 ? negativeIsDamage(place) : HOLE };
    at = next;
  }
}

/** A place before the volume must not be taken for a hole. */
function negativeIsDamage(place: number): number {
  return place === HOLE ? HOLE - 1 : place;
}

function signed(bytes: Uint8Array, at: number, size: number): number {
  let value = ((bytes[at + size - 1] ?? 0) << 24) >> 24;
  for (let index = size - 2; index >= 0; index--) value = value * 256 + (bytes[at + index] ?? 0);
  return value;
}
