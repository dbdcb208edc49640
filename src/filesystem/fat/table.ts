import type { BytePath } from "../../bytes/byte-path.ts";
import type { ByteSource } from "../../bytes/byte-source.ts";
import type { Context } from "../../context.ts";
import type { Layout } from "./boot-sector.ts";
import { chainBroken, chainLoops, chainShort, firstClusterMissing, tableTooLarge } from "./errors.ts";

/** Clusters that follow one another in a file and on the volume. */
export interface Run {
  /** Bytes from the start of the volume. */
  readonly offset: number;
  /** Bytes. */
  readonly length: number;
}

/** The file allocation table: which cluster follows which. Held in memory, so chains cost no reads. */
export class Table {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #layout: Layout;
  readonly #name: string;
  /** What entries from here on mean: 7 bad, 8 and above the end. */
  readonly #special: number;

  constructor(bytes: Uint8Array, layout: Layout, name: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#layout = layout;
    this.#name = name;
    this.#special = layout.bits === 32 ? 0x0ffffff0 : (1 << layout.bits) - 0x10;
  }

  /** Reads the first of the tables; throws UnsupportedError FAT_TABLE_TOO_LARGE beyond `ctx.limits.tableBytes`. */
  static async read(source: ByteSource, layout: Layout, ctx: Context): Promise<Table> {
    const length = Math.ceil(((layout.clusters + 2) * layout.bits) / 8);
    if (length > ctx.limits.tableBytes) throw tableTooLarge(length, ctx.limits.tableBytes, source.name);
    return new Table(await source.read(layout.tableOffset, length), layout, source.name);
  }

  #entry(cluster: number): number {
    switch (this.#layout.bits) {
      case 32:
        return this.#view.getUint32(cluster * 4, true) & 0x0fffffff;
      case 16:
        return this.#view.getUint16(cluster * 2, true);
      case 12: {
        const at = cluster + (cluster >> 1);
        const pair = (this.#bytes[at] ?? 0) | ((this.#bytes[at + 1] ?? 0) << 8);
        return cluster % 2 === 0 ? pair & 0xfff : pair >> 4;
      }
    }
  }

  get freeClusters(): number {
    let free = 0;
    for (let cluster = 2; cluster < this.#layout.clusters + 2; cluster++) if (this.#entry(cluster) === 0) free++;
    return free;
  }

  isCluster(cluster: number): boolean {
    return cluster >= 2 && cluster < this.#layout.clusters + 2;
  }

  /**
   * The chain from `first` as runs. With `bytes` it ends there, since a file's size rules, and a chain that ends before
   * throws; without, it ends where it ends. `path` is for messages.
   */
  *runs(first: number, bytes: number | undefined, path: BytePath): Iterable<Run> {
    const { clusterSize, dataOffset } = this.#layout;
    const most = bytes === undefined ? Number.POSITIVE_INFINITY : Math.ceil(bytes / clusterSize);
    if (most === 0) return;
    if (!this.isCluster(first)) throw firstClusterMissing(first, this.#layout.clusters, this.#name, path);
    let start = first;
    let count = 0;
    for (let cluster = first, mark = first, nextMark = 1; ; ) {
      count++;
      const following = count < most ? this.#next(cluster, path) : undefined;
      // Brent's cycle finding: a mark that moves on at each power of two is met again if the chain loops.
      if (following === mark) throw chainLoops(mark, this.#name, path);
      if (count === nextMark) {
        mark = cluster;
        nextMark *= 2;
      }
      if (following !== cluster + 1) {
        yield { offset: dataOffset + (start - 2) * clusterSize, length: (cluster + 1 - start) * clusterSize };
        if (following === undefined) break;
        start = following;
      }
      cluster = following;
    }
    if (bytes !== undefined && count < most) throw chainShort(count, most, this.#name, path);
  }

  #next(cluster: number, path: BytePath): number | undefined {
    const next = this.#entry(cluster);
    if (this.isCluster(next)) return next;
    if (next >= this.#special + 8) return undefined;
    throw chainBroken(cluster, this.#describe(next), this.#name, path);
  }

  #describe(entry: number): string {
    if (entry === 0) return "a free one";
    if (entry === this.#special + 7) return "a bad one";
    return `${entry}, but they run from 2 to ${this.#layout.clusters + 1}`;
  }
}
