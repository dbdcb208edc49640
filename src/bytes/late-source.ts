import { type Awaitable, type ByteSource, checkRange, type Extent, isPromise, map } from "./byte-source.ts";

/** A source that is opened when it is first read. It owns what it opens. */
export class LateSource implements ByteSource {
  readonly name: string;
  readonly size: number;
  readonly #open: () => Awaitable<ByteSource>;
  #source: ByteSource | undefined;

  /** What `open` answers has `size` bytes, or it throws; it may be asked again by reads that do not wait for each other. */
  constructor(name: string, size: number, open: () => Awaitable<ByteSource>) {
    this.name = name;
    this.size = size;
    this.#open = open;
  }

  #opened(): Awaitable<ByteSource> {
    if (this.#source !== undefined) return this.#source;
    return map(this.#open(), (source) => {
      this.#source = source;
      return source;
    });
  }

  read(offset: number, length: number): Awaitable<Uint8Array> {
    checkRange(this, offset, length);
    return map(this.#opened(), (source) => source.read(offset, length));
  }

  extentAt(offset: number, limit: number): Awaitable<Extent> {
    checkRange(this, offset, 1);
    return map(this.#opened(), (source) => source.extentAt(offset, limit));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#source?.[Symbol.asyncDispose]();
  }
}

/** The source itself if it is open already; otherwise one that waits for it when it is used, and throws what `opening` throws. */
export function whenOpened(name: string, size: number, opening: Awaitable<ByteSource>): ByteSource {
  if (!isPromise(opening)) return opening;
  // Nobody may ever use it.
  opening.catch(() => undefined);
  return new LateSource(name, size, () => opening);
}
