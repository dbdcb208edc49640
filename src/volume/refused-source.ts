import type { Awaitable, ByteSource, Extent } from "../bytes/byte-source.ts";
import type { ConverterError } from "../errors.ts";

/** What has a name and a size but cannot be read: every use throws why. */
export class RefusedSource implements ByteSource {
  readonly name: string;
  readonly size: number;
  readonly #error: ConverterError;

  constructor(name: string, size: number, error: ConverterError) {
    this.name = name;
    this.size = size;
    this.#error = error;
  }

  read(): Awaitable<Uint8Array> {
    throw this.#error;
  }

  extentAt(): Awaitable<Extent> {
    throw this.#error;
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
