import {
  type Awaitable,
  type ByteSource,
  checkRange,
  clip,
  type Extent,
  isPromise,
  type StoredRange,
  shift,
} from "../bytes/byte-source.ts";
import { run, type Steps, settled } from "../bytes/steps.ts";

/** Where one block of a file is. Offsets and lengths are bytes of the volume. */
export type Block =
  | { readonly kind: "zero" }
  | { readonly kind: "plain"; readonly at: number }
  /** The bytes from `skip` on of what comes out of a unit; `size` is how many come out, where that is known. */
  | {
      readonly kind: "packed";
      readonly at: number;
      readonly length: number;
      readonly skip: number;
      readonly size?: number;
    };

/** A file in blocks of one size, of which the last may be shorter. */
export interface BlockFile {
  /** Bytes. */
  readonly blockSize: number;
  /** Of packed blocks that every thread can unpack. */
  readonly coding: "zlib" | undefined;
  block(index: number): Steps<Block>;
  /** What comes out of a packed block: at least `least` bytes. */
  unpack(block: Extract<Block, { kind: "packed" }>, least: number): Steps<Uint8Array>;
}

/** The content of a file whose blocks may each be compressed. */
export class BlockContent implements ByteSource {
  readonly name: string;
  readonly size: number;
  readonly #volume: ByteSource;
  readonly #locate: () => Steps<BlockFile>;
  #file: BlockFile | undefined;

  /** `locate` is asked once, at the first read. */
  constructor(volume: ByteSource, name: string, size: number, locate: () => Steps<BlockFile>) {
    this.name = name;
    this.size = size;
    this.#volume = volume;
    this.#locate = locate;
  }

  *#located(): Steps<BlockFile> {
    this.#file ??= yield* this.#locate();
    return this.#file;
  }

  read(offset: number, length: number): Awaitable<Uint8Array> {
    checkRange(this, offset, length);
    return length === 0 ? new Uint8Array(0) : run(this.#read(offset, length));
  }

  *#read(offset: number, length: number): Steps<Uint8Array> {
    const file = yield* this.#located();
    const first = yield* this.#part(file, offset, length);
    if (first.length === length) return first;
    const bytes = new Uint8Array(length);
    for (let done = 0, part = first; ; part = yield* this.#part(file, offset + done, length - done)) {
      bytes.set(part, done);
      done += part.length;
      if (done === length) return bytes;
    }
  }

  /** The bytes from `offset` to the end of their block, at most `limit`. */
  *#part(file: BlockFile, offset: number, limit: number): Steps<Uint8Array> {
    const { index, skip, length } = this.#place(file, offset, limit);
    const block = yield* file.block(index);
    if (block.kind === "zero") return new Uint8Array(length);
    if (block.kind === "plain") return yield* settled(this.#volume.read(block.at + skip, length));
    const unpacked = yield* file.unpack(block, this.#blockLength(file, index) + block.skip);
    return unpacked.subarray(block.skip + skip, block.skip + skip + length);
  }

  #place({ blockSize }: BlockFile, offset: number, limit: number): { index: number; skip: number; length: number } {
    const index = Math.floor(offset / blockSize);
    const skip = offset - index * blockSize;
    return { index, skip, length: Math.min(limit, blockSize - skip, this.size - offset) };
  }

  #blockLength({ blockSize }: BlockFile, index: number): number {
    return Math.min(blockSize, this.size - index * blockSize);
  }

  extentAt(offset: number, limit: number): Awaitable<Extent> {
    checkRange(this, offset, 1);
    return run(this.#extentAt(offset, limit));
  }

  *#extentAt(offset: number, limit: number): Steps<Extent> {
    const file = yield* this.#located();
    const { index, skip, length } = this.#place(file, offset, limit);
    const block = yield* file.block(index);
    if (block.kind === "zero") return { offset, length: yield* this.#zeros(file, offset, limit), kind: "zero" };
    if (block.kind === "packed") {
      const stored = yield* this.#stored(file, block);
      const extent: Extent = { offset, length, kind: "data" };
      return stored === undefined ? extent : { ...extent, stored: { ...stored, skip: block.skip + skip } };
    }
    const at = block.at + skip;
    const below = yield* settled(this.#volume.extentAt(at, length));
    return clip(shift(below, offset - at), offset, length);
  }

  *#zeros(file: BlockFile, offset: number, limit: number): Steps<number> {
    let { index, length } = this.#place(file, offset, limit);
    while (length < limit && offset + length < this.size && (yield* file.block(++index)).kind === "zero") {
      length += Math.min(limit - length, this.#blockLength(file, index));
    }
    return length;
  }

  *#stored(file: BlockFile, block: Extract<Block, { kind: "packed" }>): Steps<StoredRange | undefined> {
    if (file.coding === undefined || block.size === undefined) return undefined;
    const found = this.#volume.extentAt(block.at, block.length);
    const { stored, length } = isPromise(found) ? yield* settled(found) : found;
    if (stored?.coding !== "identity" || length < block.length) return undefined;
    return { ...stored, length: block.length, coding: file.coding, size: block.size };
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
