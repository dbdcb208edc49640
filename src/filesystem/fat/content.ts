import { type Awaitable, type ByteSource, map } from "../../bytes/byte-source.ts";
import { type Run as MappedRun, MappedSource } from "../../bytes/mapped-source.ts";
import type { Run } from "./table.ts";

/** Where a file's bytes lie. */
interface Runs {
  /** Bytes from the start of the file, ascending from 0. */
  readonly starts: Float64Array;
  /** Bytes from the start of the volume. */
  readonly offsets: Float64Array;
}

/** A file on a FAT volume. FAT knows no holes, but the volume's own holes are seen through it. */
export class FatContent extends MappedSource {
  readonly name: string;
  readonly size: number;
  readonly #volume: ByteSource;
  readonly #locate: () => Awaitable<Iterable<Run>>;
  #runs: Runs | undefined;

  /** `locate` is asked once, at the first read; its runs cover `size` bytes. */
  constructor(volume: ByteSource, name: string, size: number, locate: () => Awaitable<Iterable<Run>>) {
    super();
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

  protected override runAt(offset: number, limit: number): Awaitable<MappedRun> {
    return map(this.#located(), (runs) => this.#find(runs, offset, limit));
  }

  #find({ starts, offsets }: Runs, offset: number, limit: number): MappedRun {
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    const skip = offset - (starts[low] ?? 0);
    const end = starts[low + 1] ?? this.size;
    const length = Math.min(limit, end - offset);
    return { kind: "plain", length, source: this.#volume, at: (offsets[low] ?? 0) + skip };
  }
}
