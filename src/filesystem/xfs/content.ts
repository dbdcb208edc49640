import { type BytePath, displayPath } from "../../bytes/byte-path.ts";
import { type Awaitable, type ByteSource, checkRange, clip, type Extent, shift } from "../../bytes/byte-source.ts";
import { run, type Steps, settled } from "../../bytes/steps.ts";
import { onRealtimeDevice } from "./errors.ts";
import type { ExtentMap } from "./extent-map.ts";
import type { Volume } from "./volume.ts";

/** Bytes of a file's run; `physical` is a byte offset in the volume. */
interface ByteRun {
  readonly length: number;
  readonly physical: number | undefined;
}

function* byteRun(volume: Volume, map: ExtentMap, offset: number, limit: number): Steps<ByteRun> {
  const { blockSize } = volume;
  const logical = Math.floor(offset / blockSize);
  const skip = offset - logical * blockSize;
  const found = yield* map.find(logical);
  const length = Math.min(limit, found.count * blockSize - skip);
  return { length, physical: found.physical === undefined ? undefined : found.physical + skip };
}

/** The bytes of one file. */
export class FileContent implements ByteSource {
  readonly name: string;
  readonly size: number;
  readonly #volume: Volume;
  readonly #path: BytePath;
  readonly #number: number;
  #map: ExtentMap | undefined;

  /** `size` in bytes; what the extents hold beyond it is not part of the file. */
  constructor(volume: Volume, number: number, size: number, path: BytePath) {
    this.name = `${JSON.stringify(displayPath(path))} in ${volume.name}`;
    this.size = size;
    this.#volume = volume;
    this.#number = number;
    this.#path = path;
  }

  /** Reads the inode, once. Throws UnsupportedError XFS_REALTIME. */
  *open(): Steps<ExtentMap> {
    if (this.#map !== undefined) return this.#map;
    const inode = yield* this.#volume.inode(this.#number);
    if (inode.isRealtime) throw onRealtimeDevice(this.#volume.name, this.#path);
    this.#map = this.#volume.map(inode, inode.dataFork);
    return this.#map;
  }

  read(offset: number, length: number): Awaitable<Uint8Array> {
    checkRange(this, offset, length);
    return run(this.#read(offset, length));
  }

  /** A view where the bytes lie in one run, a copy otherwise. */
  *#read(offset: number, length: number): Steps<Uint8Array> {
    if (length === 0) return new Uint8Array(0);
    const map = yield* this.open();
    const { source } = this.#volume;
    const first = yield* byteRun(this.#volume, map, offset, length);
    if (first.length === length && first.physical !== undefined) {
      return yield* settled(source.read(first.physical, length));
    }
    const bytes = new Uint8Array(length);
    for (let done = 0, next = first; ; next = yield* byteRun(this.#volume, map, offset + done, length - done)) {
      if (next.physical !== undefined) bytes.set(yield* settled(source.read(next.physical, next.length)), done);
      done += next.length;
      if (done >= length) return bytes;
    }
  }

  extentAt(offset: number, limit: number): Awaitable<Extent> {
    checkRange(this, offset, 1);
    return run(this.#extentAt(offset, Math.min(limit, this.size - offset)));
  }

  *#extentAt(offset: number, limit: number): Steps<Extent> {
    const map = yield* this.open();
    const { length, physical } = yield* byteRun(this.#volume, map, offset, limit);
    if (physical === undefined) return { offset, length, kind: "zero" };
    checkRange(this.#volume.source, physical, length);
    const below = yield* settled(this.#volume.source.extentAt(physical, length));
    return clip(shift(below, offset - physical), offset, length);
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/**
 * Blocks `[logical, logical + count)` of a fork that holds metadata, through the volume's cache; undefined where one of them
 * is a hole. `offset` is where the first of them lies in the volume.
 */
export function* readBlocks(
  volume: Volume,
  map: ExtentMap,
  logical: number,
  count: number,
): Steps<{ readonly bytes: Uint8Array; readonly offset: number } | undefined> {
  const { blockSize } = volume;
  const first = yield* map.find(logical);
  const offset = first.physical;
  if (offset === undefined) return undefined;
  if (first.count >= count) return { bytes: yield* volume.read(offset, count * blockSize), offset };
  const bytes = new Uint8Array(count * blockSize);
  for (let done = 0, next = first; ; next = yield* map.find(logical + done)) {
    const blocks = Math.min(next.count, count - done);
    if (next.physical === undefined) return undefined;
    bytes.set(yield* volume.read(next.physical, blocks * blockSize), done * blockSize);
    done += blocks;
    if (done >= count) return { bytes, offset };
  }
}
