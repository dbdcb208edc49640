import {
  type Awaitable,
  type ByteSource,
  checkRange,
  clip,
  type Extent,
  isPromise,
  map,
  shift,
} from "./byte-source.ts";

/** A part of a composed source. `content` starts at the region's offset and must be at least `length` long. */
export interface Region {
  readonly offset: number;
  readonly length: number;
  readonly content: ByteSource | Uint8Array | "zero";
  /** Where in a source `content` begins; 0 if absent. */
  readonly contentOffset?: number;
}

/**
 * A source laid out from regions, which must ascend and not overlap; what no region covers is a hole.
 * Writers lay out first and produce lazily; readers join extents. The regions' sources stay their owner's to dispose.
 */
export function compose(name: string, size: number, regions: readonly Region[]): ByteSource {
  return new Composed(name, size, regions);
}

class Composed implements ByteSource {
  readonly name: string;
  readonly size: number;
  readonly #regions: readonly Region[];

  constructor(name: string, size: number, regions: readonly Region[]) {
    let end = 0;
    for (const region of regions) {
      if (region.offset < end || region.length < 0 || region.offset + region.length > size) {
        throw new RangeError(`region at ${region.offset} of ${region.length} bytes overlaps or leaves ${name}`);
      }
      end = region.offset + region.length;
    }
    this.name = name;
    this.size = size;
    this.#regions = regions.filter((region) => region.length > 0);
  }

  /** Index of the first region that ends after `offset`. */
  #find(offset: number): number {
    let low = 0;
    let high = this.#regions.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const region = this.#regions[middle] as Region;
      if (region.offset + region.length <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  read(offset: number, length: number): Awaitable<Uint8Array> {
    checkRange(this, offset, length);
    const first = this.#find(offset);
    const region = this.#regions[first];
    if (region !== undefined && region.offset <= offset && offset + length <= region.offset + region.length) {
      return readRegion(region, offset, length);
    }
    return this.#gather(offset, length, first);
  }

  #gather(offset: number, length: number, first: number): Awaitable<Uint8Array> {
    const bytes = new Uint8Array(length);
    const waiting: Promise<void>[] = [];
    for (let index = first; index < this.#regions.length; index++) {
      const region = this.#regions[index] as Region;
      const start = Math.max(offset, region.offset);
      const end = Math.min(offset + length, region.offset + region.length);
      if (start >= end) break;
      if (region.content === "zero") continue;
      const part = readRegion(region, start, end - start);
      if (isPromise(part)) waiting.push(part.then((found) => bytes.set(found, start - offset)));
      else bytes.set(part, start - offset);
    }
    return waiting.length === 0 ? bytes : Promise.all(waiting).then(() => bytes);
  }

  extentAt(offset: number, limit: number): Awaitable<Extent> {
    checkRange(this, offset, 1);
    const most = Math.min(limit, this.size - offset);
    const region = this.#regions[this.#find(offset)];
    if (region === undefined) return { offset, length: most, kind: "zero" };
    if (offset < region.offset) return { offset, length: Math.min(most, region.offset - offset), kind: "zero" };
    const length = Math.min(most, region.offset + region.length - offset);
    if (region.content === "zero") return { offset, length, kind: "zero" };
    if (region.content instanceof Uint8Array) return { offset, length, kind: "data" };
    const inner = offset - region.offset + (region.contentOffset ?? 0);
    return map(region.content.extentAt(inner, length), (found) => clip(shift(found, offset - inner), offset, length));
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

function readRegion(region: Region, offset: number, length: number): Awaitable<Uint8Array> {
  if (region.content === "zero") return new Uint8Array(length);
  const inner = offset - region.offset + (region.contentOffset ?? 0);
  if (region.content instanceof Uint8Array) return region.content.subarray(inner, inner + length);
  return region.content.read(inner, length);
}

/** Sources one after another, as the chunks of a split file. */
export function concat(name: string, sources: readonly ByteSource[]): ByteSource {
  const regions: Region[] = [];
  let offset = 0;
  for (const content of sources) {
    regions.push({ offset, length: content.size, content });
    offset += content.size;
  }
  return compose(name, offset, regions);
}
