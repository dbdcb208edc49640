import type { BytePath } from "../../bytes/byte-path.ts";
import type { ByteSource } from "../../bytes/byte-source.ts";
import { type Steps, settled } from "../../bytes/steps.ts";
import type { Run } from "../fat/table.ts";
import { MetadataCache } from "../metadata-cache.ts";
import type { Layout } from "./boot-sector.ts";
import { chainBroken, chainLoops, chainShort, clusterOutOfRange, directoryTooLarge } from "./errors.ts";

const BAD = 0xfffffff7;
const LAST = 0xffffffff;

/** Where something lies, as its entry tells. */
export interface Allocation {
  readonly firstCluster: number;
  readonly isContiguous: boolean;
  /** Bytes; undefined where the chain rules. */
  readonly length: number | undefined;
}

/** The clusters of a volume and the table that chains them. Most files of exFAT have no chain, so it is read piece by piece. */
export class Clusters {
  readonly #source: ByteSource;
  readonly #table: MetadataCache;
  readonly layout: Layout;

  constructor(source: ByteSource, layout: Layout) {
    this.#source = source;
    this.#table = new MetadataCache(source);
    this.layout = layout;
  }

  /** The runs of an allocation; those of a length cover it. `path` is for messages, `most` bytes are given at most. */
  *runs({ firstCluster, isContiguous, length }: Allocation, path: BytePath, most: number): Steps<Run[]> {
    if (length === 0) return [];
    if (length !== undefined && length > most) throw directoryTooLarge(length, most, this.#source.name, path);
    const { clusterSize } = this.layout;
    const wanted = length === undefined ? Number.POSITIVE_INFINITY : Math.ceil(length / clusterSize);
    this.#check(firstCluster, 1, path);
    if (!isContiguous) return yield* this.#chain(firstCluster, wanted, path, most);
    this.#check(firstCluster, wanted, path);
    return [this.#run(firstCluster, wanted)];
  }

  *#chain(first: number, wanted: number, path: BytePath, most: number): Steps<Run[]> {
    const runs: Run[] = [];
    let start = first;
    let cluster = first;
    for (let count = 1, mark = first, nextMark = 1; ; count++) {
      if (count * this.layout.clusterSize > most + this.layout.clusterSize) {
        throw directoryTooLarge(count * this.layout.clusterSize, most, this.#source.name, path);
      }
      const next = count < wanted ? yield* this.#next(cluster, path) : undefined;
      // Brent's cycle finding: a mark that moves on at each power of two is met again if the chain loops.
      if (next === mark) throw chainLoops(mark, this.#source.name, path);
      if (count === nextMark) {
        mark = cluster;
        nextMark *= 2;
      }
      if (next !== cluster + 1) runs.push(this.#run(start, cluster + 1 - start));
      if (next === undefined) {
        if (wanted !== Number.POSITIVE_INFINITY && count < wanted) {
          throw chainShort(count, wanted, this.#source.name, path);
        }
        return runs;
      }
      if (next !== cluster + 1) start = next;
      cluster = next;
    }
  }

  *#next(cluster: number, path: BytePath): Steps<number | undefined> {
    const bytes = yield* this.#table.read(this.layout.tableOffset + cluster * 4, 4);
    const next = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
    if (this.#holds(next, 1)) return next;
    if (next === LAST) return undefined;
    const others = next === 0 ? "a free one" : `${next}, but they run from 2 to ${this.layout.clusters + 1}`;
    throw chainBroken(cluster, next === BAD ? "a bad one" : others, this.#source.name, path);
  }

  #check(cluster: number, count: number, path: BytePath): void {
    if (!this.#holds(cluster, count)) {
      throw clusterOutOfRange(cluster, count, this.layout.clusters, this.#source.name, path);
    }
  }

  #holds(cluster: number, count: number): boolean {
    return cluster >= 2 && cluster + count <= this.layout.clusters + 2;
  }

  #run(cluster: number, count: number): Run {
    const { dataOffset, clusterSize } = this.layout;
    return { offset: dataOffset + (cluster - 2) * clusterSize, length: count * clusterSize };
  }

  /** The first `most` bytes of runs. */
  *read(runs: readonly Run[], most = Number.POSITIVE_INFINITY): Steps<Uint8Array> {
    const parts: Uint8Array[] = [];
    let left = most;
    for (const { offset, length } of runs) {
      parts.push(yield* settled(this.#source.read(offset, Math.min(left, length))));
      left -= length;
    }
    return parts.length === 1 ? (parts[0] ?? new Uint8Array(0)) : Buffer.concat(parts);
  }
}
