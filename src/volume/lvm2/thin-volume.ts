import { type Awaitable, type ByteSource, map } from "../../bytes/byte-source.ts";
import { MappedSource, type Run } from "../../bytes/mapped-source.ts";
import { run } from "../../bytes/steps.ts";
import { thinInvalid } from "./errors.ts";
import type { ThinMetadata } from "./thin-metadata.ts";

/** A pool of blocks that thin volumes share. */
export interface ThinPool {
  readonly name: string;
  readonly metadata: ThinMetadata;
  readonly data: ByteSource;
}

/** A volume whose blocks lie in a pool where they were ever written; the others show `origin`, or are holes. */
export class ThinVolume extends MappedSource {
  readonly name: string;
  readonly size: number;
  readonly #pool: ThinPool;
  readonly #root: number;
  readonly #origin: ByteSource | undefined;

  constructor(name: string, size: number, pool: ThinPool, root: number, origin: ByteSource | undefined) {
    super();
    this.name = name;
    this.size = size;
    this.#pool = pool;
    this.#root = root;
    this.#origin = origin;
  }

  protected runAt(offset: number, limit: number): Awaitable<Run> {
    const { metadata, data, name } = this.#pool;
    const { blockSize } = metadata;
    const block = Math.floor(offset / blockSize);
    const inside = offset - block * blockSize;
    const most = Math.ceil((inside + limit) / blockSize);
    return map(run(metadata.lookup(this.#root, block, most)), ({ count, first }) => {
      const length = Math.min(limit, count * blockSize - inside);
      if (first === undefined) return this.#unmapped(offset, length);
      const at = first * blockSize + inside;
      if (at + length > data.size) throw thinInvalid(name, `block ${first} lies beyond the end of its data`);
      return { kind: "plain", length, source: data, at };
    });
  }

  #unmapped(offset: number, length: number): Run {
    const origin = this.#origin;
    if (origin === undefined || offset >= origin.size) return { kind: "zero", length };
    return { kind: "plain", length: Math.min(length, origin.size - offset), source: origin, at: offset };
  }
}
