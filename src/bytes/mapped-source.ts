import {
  type Awaitable,
  type ByteSource,
  checkRange,
  clip,
  type Extent,
  isPromise,
  map,
  type StoredRange,
  shift,
} from "./byte-source.ts";
import { run as finish, type Steps, settled } from "./steps.ts";

/** What a map of blocks knows about the bytes from some offset on. `length` is at least 1. */
export type Run =
  | { readonly kind: "zero"; readonly length: number }
  /** The bytes of another source (the image itself, a parent), from `at` on. */
  | { readonly kind: "plain"; readonly length: number; readonly source: ByteSource; readonly at: number }
  /** A part of a unit that must be decoded as a whole: its bytes from `skip` on. */
  | {
      readonly kind: "unit";
      readonly length: number;
      readonly skip: number;
      decode(): Awaitable<Uint8Array>;
      stored(): Awaitable<Omit<StoredRange, "skip"> | undefined>;
    };

/** A source put together from blocks that a table finds: a format only says which run lies where. */
export abstract class MappedSource implements ByteSource {
  abstract readonly name: string;
  abstract readonly size: number;

  /** The run at `offset`, of at most `limit` bytes, not beyond the end; both were checked. Reads metadata only. */
  protected abstract runAt(offset: number, limit: number): Awaitable<Run>;

  read(offset: number, length: number): Awaitable<Uint8Array> {
    checkRange(this, offset, length);
    if (length === 0) return new Uint8Array(0);
    const run = this.runAt(offset, length);
    if (!isPromise(run) && run.length === length) return readRun(run);
    return finish(this.#gather(offset, length, run));
  }

  extentAt(offset: number, limit: number): Awaitable<Extent> {
    checkRange(this, offset, 1);
    return map(this.runAt(offset, Math.min(limit, this.size - offset)), (run) => extentOf(run, offset));
  }

  *#gather(offset: number, length: number, first: Awaitable<Run>): Steps<Uint8Array> {
    let run = yield* settled(first);
    if (run.length === length) return yield* settled(readRun(run));
    const bytes = new Uint8Array(length);
    for (let done = 0; ; ) {
      if (run.kind !== "zero") bytes.set(yield* settled(readRun(run)), done);
      done += run.length;
      if (done === length) return bytes;
      run = yield* settled(this.runAt(offset + done, length - done));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

function readRun(run: Run): Awaitable<Uint8Array> {
  if (run.kind === "zero") return new Uint8Array(run.length);
  if (run.kind === "plain") return run.source.read(run.at, run.length);
  return map(run.decode(), (unit) => unit.subarray(run.skip, run.skip + run.length));
}

function extentOf(run: Run, offset: number): Awaitable<Extent> {
  const { length } = run;
  if (run.kind === "zero") return { offset, length, kind: "zero" };
  if (run.kind === "unit") {
    return map(run.stored(), (stored) =>
      stored === undefined
        ? { offset, length, kind: "data" }
        : { offset, length, kind: "data", stored: { ...stored, skip: run.skip } },
    );
  }
  return map(run.source.extentAt(run.at, length), (found) => clip(shift(found, offset - run.at), offset, length));
}
