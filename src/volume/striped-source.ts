import type { ByteSource } from "../bytes/byte-source.ts";
import { MappedSource, type Run } from "../bytes/mapped-source.ts";

/** Chunks dealt out to members in turn: chunk `c` is the one at `floor(c / n)` of member `c % n`. Sizes are bytes. */
export class StripedSource extends MappedSource {
  readonly name: string;
  readonly size: number;
  readonly #chunk: number;
  readonly #members: readonly ByteSource[];

  /** Each member has at least `size / n` bytes, which is a multiple of `chunk`. */
  constructor(name: string, size: number, chunk: number, members: readonly ByteSource[]) {
    super();
    this.name = name;
    this.size = size;
    this.#chunk = chunk;
    this.#members = members;
  }

  protected runAt(offset: number, limit: number): Run {
    const index = Math.floor(offset / this.#chunk);
    const inside = offset - index * this.#chunk;
    const count = this.#members.length;
    const source = this.#members[index % count] as ByteSource;
    return {
      kind: "plain",
      length: Math.min(limit, this.#chunk - inside),
      source,
      at: Math.floor(index / count) * this.#chunk + inside,
    };
  }
}
