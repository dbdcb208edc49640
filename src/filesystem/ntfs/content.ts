import { type BytePath, displayPath } from "../../bytes/byte-path.ts";
import { type Awaitable, type ByteSource, checkRange, type Extent } from "../../bytes/byte-source.ts";
import { run, type Steps } from "../../bytes/steps.ts";
import type { Stream } from "./stream.ts";

/** The bytes of one file. */
export class FileContent implements ByteSource {
  readonly name: string;
  readonly size: number;
  readonly #locate: () => Steps<Stream>;
  #stream: Stream | undefined;

  /** `size` in bytes. `locate` is asked once, at the first read. */
  constructor(volume: ByteSource, path: BytePath, size: number, locate: () => Steps<Stream>) {
    this.name = `${JSON.stringify(displayPath(path))} in ${volume.name}`;
    this.size = size;
    this.#locate = locate;
  }

  *open(): Steps<Stream> {
    this.#stream ??= yield* this.#locate();
    return this.#stream;
  }

  read(offset: number, length: number): Awaitable<Uint8Array> {
    checkRange(this, offset, length);
    return run(this.#read(offset, length));
  }

  *#read(offset: number, length: number): Steps<Uint8Array> {
    return yield* (yield* this.open()).read(offset, length);
  }

  extentAt(offset: number, limit: number): Awaitable<Extent> {
    checkRange(this, offset, 1);
    return run(this.#extentAt(offset, Math.min(limit, this.size - offset)));
  }

  *#extentAt(offset: number, limit: number): Steps<Extent> {
    return yield* (yield* this.open()).extentAt(offset, limit);
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
