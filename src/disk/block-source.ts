import { type Awaitable, isPromise, map } from "../bytes/byte-source.ts";
import { MappedSource, type Run } from "../bytes/mapped-source.ts";

/** Data is joined over so many blocks at most: what lies below may cut the run short, and then it is joined anew. */
const MOST_JOINED = 1024;

/** A source of blocks of which each is looked up by itself; neighbours that go on where the last one ended become one run. */
export abstract class BlockSource extends MappedSource {
  /** The run at `offset` to the end of its block (or of several), which may be beyond the end of the source. Reads metadata only. */
  protected abstract blockAt(offset: number): Awaitable<Run>;

  protected override runAt(offset: number, limit: number): Awaitable<Run> {
    return map(this.blockAt(offset), (first) => this.#joined(first, offset, limit));
  }

  #joined(first: Run, offset: number, limit: number): Run {
    let { length } = first;
    const most = first.kind === "zero" ? Number.POSITIVE_INFINITY : MOST_JOINED;
    for (let blocks = 1; length < limit && blocks < most && first.kind !== "unit"; blocks++) {
      const next = this.blockAt(offset + length);
      if (isPromise(next)) {
        // Nobody waits for it: the same block is asked for again, and then its error counts.
        next.catch(() => {});
        break;
      }
      if (!goesOn(first, length, next)) break;
      length += next.length;
    }
    return { ...first, length: Math.min(length, limit) };
  }
}

function goesOn(first: Run, length: number, next: Run): boolean {
  if (first.kind === "zero") return next.kind === "zero";
  return (
    first.kind === "plain" && next.kind === "plain" && next.source === first.source && next.at === first.at + length
  );
}
