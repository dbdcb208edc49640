import { ByteCache } from "../../bytes/byte-cache.ts";
import type { OpenContext } from "../virtual-disk.ts";

const GRAIN_CACHE = 4 << 20;
const TABLE_CACHE = 32 << 20;
const MOST_PARENTS = 255;

/** What the extents and parents of one disk share, so that their number does not multiply the memory that they take. */
export class Session {
  readonly ctx: OpenContext;
  /** Grain tables by extent and sector. */
  readonly tables = new ByteCache<Uint32Array>(TABLE_CACHE);
  /** Inflated grains by extent and number. */
  readonly grains = new ByteCache<Uint8Array>(GRAIN_CACHE);
  /** The files of the chain so far. */
  readonly parents = new Set<string>();
  #extents = 0;
  #tableBytes: number;

  constructor(ctx: OpenContext) {
    this.ctx = ctx;
    this.#tableBytes = ctx.limits.tableBytes;
  }

  get mostParents(): number {
    return Math.min(MOST_PARENTS, this.ctx.limits.depth);
  }

  /** A base for the cache keys of one more extent: a sector or grain number below 2^32 may be added. */
  nextKey(): number {
    return this.#extents++ * 0x1_0000_0000;
  }

  /** Whether `bytes` of tables may be kept for as long as the disk is open. */
  takeTable(bytes: number): boolean {
    this.#tableBytes -= bytes;
    return this.#tableBytes >= 0;
  }
}
