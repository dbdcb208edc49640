import { type Awaitable, type ByteSource, checkRange, type Extent, map } from "../../bytes/byte-source.ts";

/** A file that is opened at its first read. */
export class OpenedLater implements ByteSource {
  readonly name: string;
  readonly size: number;
  readonly #open: () => Awaitable<ByteSource>;
  #content: ByteSource | undefined;

  /** What `open` gives has `size` bytes and is borrowed. */
  constructor(name: string, size: number, open: () => Awaitable<ByteSource>) {
    this.name = name;
    this.size = size;
    this.#open = open;
  }

  #opened(): Awaitable<ByteSource> {
    if (this.#content !== undefined) return this.#content;
    return map(this.#open(), (content) => {
      this.#content = content;
      return content;
    });
  }

  read(offset: number, length: number): Awaitable<Uint8Array> {
    checkRange(this, offset, length);
    return map(this.#opened(), (content) => content.read(offset, length));
  }

  extentAt(offset: number, limit: number): Awaitable<Extent> {
    checkRange(this, offset, 1);
    return map(this.#opened(), (content) => content.extentAt(offset, limit));
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
