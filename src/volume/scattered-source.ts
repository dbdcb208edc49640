import {
  type Awaitable,
  type ByteSource,
  checkRange,
  clip,
  type Extent,
  isPromise,
  map,
  shift,
} from "../bytes/byte-source.ts";
import { run, type Steps, settled } from "../bytes/steps.ts";

/** A run of bytes, at least 1: a hole, or the bytes of `source` from `at` on. */
export type Piece =
  | { readonly length: number; readonly source: undefined }
  | { readonly length: number; readonly source: ByteSource; readonly at: number };

/** A source whose bytes lie scattered over others, by a rule instead of a list. It borrows them. */
export abstract class ScatteredSource implements ByteSource {
  abstract readonly name: string;
  abstract readonly size: number;

  /** The piece at `offset`, of at most `limit` bytes; both were checked. Reads metadata only. */
  protected abstract pieceAt(offset: number, limit: number): Awaitable<Piece>;

  read(offset: number, length: number): Awaitable<Uint8Array> {
    checkRange(this, offset, length);
    if (length === 0) return new Uint8Array(0);
    const piece = this.pieceAt(offset, length);
    if (!isPromise(piece) && piece.length === length) return readPiece(piece);
    return run(this.#gather(offset, length, piece));
  }

  extentAt(offset: number, limit: number): Awaitable<Extent> {
    checkRange(this, offset, 1);
    return map(this.pieceAt(offset, Math.min(limit, this.size - offset)), (piece) => {
      const { length, source } = piece;
      if (source === undefined) return { offset, length, kind: "zero" };
      return map(source.extentAt(piece.at, length), (found) => clip(shift(found, offset - piece.at), offset, length));
    });
  }

  *#gather(offset: number, length: number, first: Awaitable<Piece>): Steps<Uint8Array> {
    const bytes = new Uint8Array(length);
    let piece = yield* settled(first);
    for (let done = 0; ; ) {
      if (piece.source !== undefined) bytes.set(yield* settled(readPiece(piece)), done);
      done += piece.length;
      if (done === length) return bytes;
      piece = yield* settled(this.pieceAt(offset + done, length - done));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

function readPiece(piece: Piece): Awaitable<Uint8Array> {
  return piece.source === undefined ? new Uint8Array(piece.length) : piece.source.read(piece.at, piece.length);
}

/** Chunks dealt out to members in turn: chunk `c` is the one at `floor(c / n)` of member `c % n`. Sizes are bytes. */
export class StripedSource extends ScatteredSource {
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

  protected pieceAt(offset: number, limit: number): Piece {
    const index = Math.floor(offset / this.#chunk);
    const inside = offset - index * this.#chunk;
    const count = this.#members.length;
    const source = this.#members[index % count] as ByteSource;
    return {
      length: Math.min(limit, this.#chunk - inside),
      source,
      at: Math.floor(index / count) * this.#chunk + inside,
    };
  }
}
