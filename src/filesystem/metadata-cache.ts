import { type ByteSource, checkRange, isPromise } from "../bytes/byte-source.ts";
import { type Steps, settled } from "../bytes/steps.ts";

/** Aligned, so that a grain of a compressed disk is asked for once. */
const PIECE = 64 << 10;
const PIECES = 256;

/**
 * Reads of small records through pieces of 64 KiB, of which the last 256 are kept (16 MiB): the inodes of a directory stand
 * together, so most reads cost nothing.
 */
export class MetadataCache {
  readonly #source: ByteSource;
  readonly #pieces = new Map<number, Uint8Array>();

  constructor(source: ByteSource) {
    this.#source = source;
  }

  /** A read-only view of `length` bytes. */
  *read(offset: number, length: number): Steps<Uint8Array> {
    checkRange(this.#source, offset, length);
    const index = Math.floor(offset / PIECE);
    const skip = offset - index * PIECE;
    if (skip + length <= PIECE) return (yield* this.#piece(index)).subarray(skip, skip + length);
    return yield* settled(this.#source.read(offset, length));
  }

  *#piece(index: number): Steps<Uint8Array> {
    const kept = this.#pieces.get(index);
    if (kept !== undefined) {
      this.#pieces.delete(index);
      this.#pieces.set(index, kept);
      return kept;
    }
    const offset = index * PIECE;
    const found = this.#source.read(offset, Math.min(PIECE, this.#source.size - offset));
    const piece = isPromise(found) ? yield* settled(found) : found;
    if (this.#pieces.size >= PIECES) {
      for (const oldest of this.#pieces.keys()) {
        this.#pieces.delete(oldest);
        break;
      }
    }
    this.#pieces.set(index, piece);
    return piece;
  }
}
