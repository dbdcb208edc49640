import type { Context } from "../../context.ts";
import { type ByteSource, clip, isPromise } from "../byte-source.ts";
import type { Piece } from "../content.ts";
import { runTasks, type Task } from "./run-tasks.ts";
import { KIND, TASK_BYTES, UNIT, type UnitCoding } from "./task.ts";
import { TaskBuilder } from "./task-builder.ts";

export type { UnitCoding } from "./task.ts";

/** One unit of the content that is not all zeros. */
export interface PackedUnit {
  /** It holds the content's bytes from `index * unitBytes` on. */
  readonly index: number;
  /** False where `bytes` are the unit as it is: with `plain` always, with `deflate` where coding does not make it smaller. */
  readonly isCoded: boolean;
  /** Valid until the next unit is asked for. */
  readonly bytes: Uint8Array;
}

/** What has been packed so far, in bytes. */
export interface UnitTotals {
  /** Content behind the position that has been reached, zeros included. */
  done: number;
  /** Of units whose stored coding went out as it was. */
  reused: number;
}

/**
 * Codes content in units of a fixed size on worker threads, in order: what grains and clusters of disk images are. A unit of
 * zeros is left out, and a hole costs nothing; the last unit is filled up with zeros. With `zlib`, a unit that the source stores
 * as one zlib stream goes out as it is stored, after it has been inflated to see that it is sound.
 *
 *     for await (const { index, bytes } of packUnits(content.pieces(), { coding: "zlib", unitBytes: 65536, level: 6 }, totals, ctx)) {
 *       table[index] = offset; yield bytes; offset += bytes.length;
 *     }
 *
 * Throws CorruptError PACK_DATA_DAMAGED and BYTES_TRUNCATED, InputOutputError FILE_INPUT_OUTPUT.
 */
export async function* packUnits(
  pieces: AsyncIterable<Piece> | Iterable<Piece>,
  coding: UnitCoding,
  totals: UnitTotals,
  ctx: Context,
): AsyncGenerator<PackedUnit> {
  const { unitBytes } = coding;
  const tasks = new UnitTasks(unitBytes).split(pieces);
  for await (const { task, result, plain, coded } of runTasks(tasks, coding, ctx.limits.threads, ctx)) {
    let codedEnd = 0;
    for (const [n, length] of (result.units ?? []).entries()) {
      const start = n * unitBytes;
      const index = task.indices[n] as number;
      totals.done = (index + 1) * unitBytes;
      if (length === UNIT.plain) yield { index, isCoded: false, bytes: plain.subarray(start, start + unitBytes) };
      if (length > 0) yield { index, isCoded: true, bytes: coded.subarray(codedEnd, codedEnd + length) };
      if (length > 0) codedEnd += length;
    }
    totals.reused += result.reused;
  }
}

interface UnitTask extends Task {
  /** Of its units in the content: those of zeros between them are left out. */
  readonly indices: readonly number[];
}

/** Cuts pieces into tasks of whole units. */
class UnitTasks {
  readonly #unitBytes: number;
  readonly #builder = new TaskBuilder();
  #indices: number[] = [];
  /** Of the content. */
  #position = 0;

  constructor(unitBytes: number) {
    this.#unitBytes = unitBytes;
  }

  async *split(pieces: AsyncIterable<Piece> | Iterable<Piece>): AsyncGenerator<UnitTask> {
    for await (const piece of pieces) {
      if ("bytes" in piece) {
        for (let at = 0; at < piece.bytes.length; ) {
          const length = this.#room(piece.bytes.length - at);
          this.#builder.literal(piece.bytes.slice(at, at + length));
          yield* this.#added(length);
          at += length;
        }
      } else if ("zeros" in piece) {
        yield* this.#zeros(piece.zeros);
      } else {
        yield* this.#source(piece.source, piece.offset, piece.offset + piece.length);
      }
    }
    const last = this.#position % this.#unitBytes;
    if (last > 0) yield* this.#zeros(this.#unitBytes - last);
    if (this.#builder.size > 0) yield this.#take();
  }

  async *#source(source: ByteSource, from: number, end: number): AsyncGenerator<UnitTask> {
    for (let at = from; at < end; ) {
      const found = source.extentAt(at, end - at);
      const extent = isPromise(found) ? await found : found;
      if (extent.kind === "zero") {
        yield* this.#zeros(extent.length);
        at += extent.length;
        continue;
      }
      for (const stop = at + extent.length; at < stop; ) {
        const length = this.#room(stop - at);
        const added = this.#builder.extent(source, clip(extent, at, length), length);
        if (isPromise(added)) await added;
        yield* this.#added(length);
        at += length;
      }
    }
  }

  /** Only the zeros that share a unit with something else go to the workers. */
  *#zeros(length: number): Generator<UnitTask> {
    const last = this.#position % this.#unitBytes;
    const first = last === 0 ? 0 : Math.min(length, this.#unitBytes - last);
    if (first > 0) yield* this.#addZeros(first);
    const rest = (length - first) % this.#unitBytes;
    this.#position += length - first - rest;
    if (rest > 0) yield* this.#addZeros(rest);
  }

  *#addZeros(length: number): Generator<UnitTask> {
    this.#builder.add(KIND.zero, length, "");
    yield* this.#added(length);
  }

  /** How much of `length` bytes still goes into this task. */
  #room(length: number): number {
    return Math.min(length, TASK_BYTES - this.#builder.size);
  }

  *#added(length: number): Generator<UnitTask> {
    const first = this.#position - (this.#builder.size - length);
    while (this.#indices.length * this.#unitBytes < this.#builder.size) {
      this.#indices.push(Math.floor((first + this.#indices.length * this.#unitBytes) / this.#unitBytes));
    }
    this.#position += length;
    if (this.#builder.size >= TASK_BYTES) yield this.#take();
  }

  #take(): UnitTask {
    const task = { ...this.#builder.take(), indices: this.#indices };
    this.#indices = [];
    return task;
  }
}
