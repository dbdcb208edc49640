import { type Awaitable, type ByteSource, checkRange, clip, type Extent, map, shift } from "./byte-source.ts";

/** `[offset, offset + size)` of another source, which stays the owner of its resources: disposing a slice does nothing. */
export class Slice implements ByteSource {
  readonly name: string;
  readonly size: number;
  readonly #source: ByteSource;
  readonly #offset: number;

  constructor(source: ByteSource, offset: number, size: number, name: string = source.name) {
    checkRange(source, offset, size);
    this.name = name;
    this.size = size;
    this.#source = source;
    this.#offset = offset;
  }

  read(offset: number, length: number): Awaitable<Uint8Array> {
    checkRange(this, offset, length);
    return this.#source.read(this.#offset + offset, length);
  }

  extentAt(offset: number, limit: number): Awaitable<Extent> {
    checkRange(this, offset, 1);
    const extent = this.#source.extentAt(this.#offset + offset, Math.min(limit, this.size - offset));
    return map(extent, (found) => shift(found, -this.#offset));
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** The first `size` bytes as they are, then zeros: a source that is longer than what backs it. */
export class ZeroPadded implements ByteSource {
  readonly name: string;
  readonly size: number;
  readonly #source: ByteSource;

  constructor(source: ByteSource, size: number) {
    this.name = source.name;
    this.size = size;
    this.#source = source;
  }

  read(offset: number, length: number): Awaitable<Uint8Array> {
    checkRange(this, offset, length);
    const real = Math.max(0, Math.min(length, this.#source.size - offset));
    const bytes = new Uint8Array(real === length ? 0 : length);
    if (real === 0) return bytes;
    if (real === length) return this.#source.read(offset, length);
    return map(this.#source.read(offset, real), (found) => {
      bytes.set(found);
      return bytes;
    });
  }

  extentAt(offset: number, limit: number): Awaitable<Extent> {
    checkRange(this, offset, 1);
    const real = this.#source.size - offset;
    if (real <= 0) return { offset, length: Math.min(limit, this.size - offset), kind: "zero" };
    return map(this.#source.extentAt(offset, Math.min(limit, real)), (found) => clip(found, offset, limit));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve(this.#source[Symbol.asyncDispose]());
  }
}
