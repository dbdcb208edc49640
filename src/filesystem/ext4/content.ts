import { type BytePath, displayPath } from "../../bytes/byte-path.ts";
import { type Awaitable, type ByteSource, checkRange, clip, type Extent, shift } from "../../bytes/byte-source.ts";
import { run, type Steps, settled } from "../../bytes/steps.ts";
import type { BlockMap } from "./block-map.ts";
import { encrypted } from "./errors.ts";
import { inlineBytes } from "./inline-data.ts";
import { INODE_FLAG } from "./inode.ts";
import type { Volume } from "./volume.ts";

/** Bytes of a file's run; `physical` is a byte offset in the volume. */
interface ByteRun {
  readonly length: number;
  readonly physical: number | undefined;
}

function* byteRun(volume: Volume, map: BlockMap, offset: number, limit: number): Steps<ByteRun> {
  const { blockSize } = volume;
  const logical = Math.floor(offset / blockSize);
  const skip = offset - logical * blockSize;
  const found = yield* map.find(logical);
  const length = Math.min(limit, found.count * blockSize - skip);
  return { length, physical: found.physical === undefined ? undefined : found.physical * blockSize + skip };
}

/** `length` bytes of mapped blocks, holes as zeros: a view where they lie in one run, a copy otherwise. */
export function* readBlocks(volume: Volume, map: BlockMap, offset: number, length: number): Steps<Uint8Array> {
  if (length === 0) return new Uint8Array(0);
  const first = yield* byteRun(volume, map, offset, length);
  if (first.length === length && first.physical !== undefined) {
    return yield* settled(volume.source.read(first.physical, length));
  }
  const bytes = new Uint8Array(length);
  for (let done = 0, next = first; ; next = yield* byteRun(volume, map, offset + done, length - done)) {
    if (next.physical !== undefined) {
      bytes.set(yield* settled(volume.source.read(next.physical, next.length)), done);
    }
    done += next.length;
    if (done >= length) return bytes;
  }
}

/** The bytes of one file. */
export class FileContent implements ByteSource {
  readonly name: string;
  readonly size: number;
  readonly #volume: Volume;
  readonly #path: BytePath;
  readonly #number: number;
  #opened: BlockMap | Uint8Array | undefined;

  /** `size` in bytes; what the blocks hold beyond it is not part of the file. */
  constructor(volume: Volume, number: number, size: number, path: BytePath) {
    this.name = `${JSON.stringify(displayPath(path))} in ${volume.name}`;
    this.size = size;
    this.#volume = volume;
    this.#number = number;
    this.#path = path;
  }

  /** Reads the inode, once. Throws UnsupportedError EXT_ENCRYPTED. */
  *open(): Steps<BlockMap | Uint8Array> {
    if (this.#opened !== undefined) return this.#opened;
    const inode = yield* this.#volume.inode(this.#number);
    if (inode.hasFlag(INODE_FLAG.ENCRYPT)) throw encrypted(this.#volume.name, this.#path);
    this.#opened = inode.hasFlag(INODE_FLAG.INLINE_DATA) ? inlineBytes(inode) : this.#volume.map(inode);
    return this.#opened;
  }

  read(offset: number, length: number): Awaitable<Uint8Array> {
    checkRange(this, offset, length);
    return run(this.#read(offset, length));
  }

  *#read(offset: number, length: number): Steps<Uint8Array> {
    const opened = yield* this.open();
    if (!(opened instanceof Uint8Array)) return yield* readBlocks(this.#volume, opened, offset, length);
    if (offset + length <= opened.length) return opened.subarray(offset, offset + length);
    const bytes = new Uint8Array(length);
    bytes.set(opened.subarray(offset, offset + length));
    return bytes;
  }

  extentAt(offset: number, limit: number): Awaitable<Extent> {
    checkRange(this, offset, 1);
    return run(this.#extentAt(offset, Math.min(limit, this.size - offset)));
  }

  *#extentAt(offset: number, limit: number): Steps<Extent> {
    const opened = yield* this.open();
    if (opened instanceof Uint8Array) {
      const stored = opened.length - offset;
      if (stored <= 0) return { offset, length: limit, kind: "zero" };
      return { offset, length: Math.min(limit, stored), kind: "data" };
    }
    const { length, physical } = yield* byteRun(this.#volume, opened, offset, limit);
    if (physical === undefined) return { offset, length, kind: "zero" };
    checkRange(this.#volume.source, physical, length);
    const below = yield* settled(this.#volume.source.extentAt(physical, length));
    return clip(shift(below, offset - physical), offset, length);
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
