import {
  type Awaitable,
  type ByteSource,
  checkRange,
  clip,
  type Extent,
  isPromise,
  map,
  shift,
} from "../../bytes/byte-source.ts";
import type { Run } from "./table.ts";

/** Where a file's bytes lie. */
interface Runs {
  /** Bytes from the start of the file, ascending from 0. */
  readonly starts: Float64Array;
  /** Bytes from the start of the volume. */
  readonly offsets: Float64Array;
}

/** A file on a FAT volume. FAT knows no holes, but the volume's own holes are seen through it. */
export class FatContent implements ByteSource {
  readonly name: string;
  readonly size: number;
  readonly #volume: ByteSource;
  readonly #locate: () => Awaitable<Iterable<Run>>;
  #runs: Runs | undefined;

  /** `locate` is asked once, at the first read; its runs cover `size` bytes. */
  constructor(volume: ByteSource, name: string, size: number, locate: () => Awaitable<Iterable<Run>>) {
    this.name = name;
    this.size = size;
    this.#volume = volume;
    this.#locate = locate;
  }

  #located(): Awaitable<Runs> {
    if (this.#runs !== undefined) return this.#runs;
    return map(this.#locate(), (found) => {
      const starts: number[] = [];
      const offsets: number[] = [];
      let at = 0;
      for (const run of found) {
        starts.push(at);
        offsets.push(run.offset);
        at += run.length;
      }
      this.#runs = { starts: Float64Array.from(starts), offsets: Float64Array.from(offsets) };
      return this.#runs;
    });
  }

  read(offset: number, length: number): Awaitable<Uint8Array> {
    checkRange(this, offset, length);
    if (length === 0) return new Uint8Array(0);
    const runs = this.#located();
    return isPromise(runs) ? runs.then((found) => this.#read(found, offset, length)) : this.#read(runs, offset, length);
  }

  #read(runs: Runs, offset: number, length: number): Awaitable<Uint8Array> {
    const first = this.#piece(runs, offset, length);
    if (first.length === length) return this.#volume.read(first.offset, length);
    return this.#gather(runs, offset, length);
  }

  async #gather(runs: Runs, offset: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      const piece = this.#piece(runs, offset + done, length - done);
      bytes.set(await this.#volume.read(piece.offset, piece.length), done);
      done += piece.length;
    }
    return bytes;
  }

  extentAt(offset: number, limit: number): Awaitable<Extent> {
    checkRange(this, offset, 1);
    return map(this.#located(), (runs) => {
      const piece = this.#piece(runs, offset, Math.min(limit, this.size - offset));
      const extent = this.#volume.extentAt(piece.offset, piece.length);
      return map(extent, (found) => shift(clip(found, piece.offset, piece.length), offset - piece.offset));
    });
  }

  /** At most `length` bytes from `offset` of the file, as a place on the volume. */
  #piece(runs: Runs, offset: number, length: number): Run {
    let low = 0;
    let high = runs.starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((runs.starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    const skip = offset - (runs.starts[low] ?? 0);
    const end = runs.starts[low + 1] ?? this.size;
    return { offset: (runs.offsets[low] ?? 0) + skip, length: Math.min(length, end - offset) };
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
