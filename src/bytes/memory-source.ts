import { type Awaitable, type ByteSource, checkRange, type Extent } from "./byte-source.ts";

/** Bytes in memory as a source. */
export class MemorySource implements ByteSource {
  readonly name: string;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array, name = "memory") {
    this.#bytes = bytes;
    this.name = name;
  }

  get size(): number {
    return this.#bytes.length;
  }

  read(offset: number, length: number): Awaitable<Uint8Array> {
    checkRange(this, offset, length);
    return this.#bytes.subarray(offset, offset + length);
  }

  extentAt(offset: number, limit: number): Awaitable<Extent> {
    checkRange(this, offset, 1);
    return { offset, length: Math.min(limit, this.size - offset), kind: "data" };
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
