import type { Awaitable } from "./byte-source.ts";

const EMPTY = new Uint8Array(0);

/** Takes a stream of bytes apart in pieces of known lengths, forwards only. */
export class ByteReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #chunk: Uint8Array = EMPTY;
  #position = 0;

  constructor(content: AsyncIterable<Uint8Array>) {
    this.#chunks = content[Symbol.asyncIterator]();
  }

  /** Bytes taken so far. */
  get position(): number {
    return this.#position;
  }

  /** The next `length` bytes, fewer at the end of the stream. The view is valid until the next call. */
  take(length: number): Awaitable<Uint8Array> {
    return length <= this.#chunk.length ? this.#cut(length) : this.#gather(length);
  }

  /** The next `length` bytes in pieces as they come, fewer at the end of the stream. */
  async *pieces(length: number): AsyncGenerator<Uint8Array, void> {
    for (let left = length; left > 0; ) {
      if (this.#chunk.length === 0 && !(await this.#next())) return;
      const piece = this.#cut(Math.min(left, this.#chunk.length));
      left -= piece.length;
      yield piece;
    }
  }

  /** Passes over `length` bytes and answers how many there were. */
  skip(length: number): Awaitable<number> {
    return length <= this.#chunk.length ? this.#cut(length).length : this.#pass(length);
  }

  async close(): Promise<void> {
    this.#chunk = EMPTY;
    await this.#chunks.return?.();
  }

  async #pass(length: number): Promise<number> {
    let done = 0;
    for await (const piece of this.pieces(length)) done += piece.length;
    return done;
  }

  #cut(length: number): Uint8Array {
    const piece = this.#chunk.subarray(0, length);
    this.#chunk = this.#chunk.subarray(length);
    this.#position += length;
    return piece;
  }

  async #next(): Promise<boolean> {
    while (this.#chunk.length === 0) {
      const { done, value } = await this.#chunks.next();
      if (done === true) return false;
      this.#chunk = value;
    }
    return true;
  }

  /** Copies, so that a length that was never meant is paid for only as far as the stream really goes. */
  async #gather(length: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    for await (const piece of this.pieces(length)) parts.push(new Uint8Array(piece));
    return Buffer.concat(parts);
  }
}
