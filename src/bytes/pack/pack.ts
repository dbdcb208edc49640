import type { Context } from "../../context.ts";
import { CorruptError, InputOutputError } from "../../errors.ts";
import { type ByteSource, type Extent, isPromise } from "../byte-source.ts";
import type { Piece } from "../content.ts";
import { FIELD, KIND, type PackCoding, PLAIN_ROOM, STRIDE, TASK_BYTES, type TaskFailure, UNIT_BYTES } from "./job.ts";
import { PackPool } from "./pool.ts";

export interface PackOptions extends PackCoding {
  /** Threads; 0 works in the calling one. */
  readonly threads: number;
  /** Sees the plain bytes in order, before they are coded; they are valid during the call. */
  onPlain(bytes: Uint8Array): void;
}

/** What has been packed so far, in bytes. */
export interface PackTotals {
  plain: number;
  coded: number;
  /** Plain bytes whose stored coding went out as it was, without compressing again. */
  reused: number;
}

/**
 * Codes pieces on worker threads, in order. A whole unit that is stored as a zlib stream goes into the result as a gzip
 * member of its own, without being compressed again. Each chunk is valid until the next is asked for.
 * Throws CorruptError PACK_DATA_DAMAGED and BYTES_TRUNCATED, InputOutputError FILE_INPUT_OUTPUT.
 */
export async function* pack(
  pieces: AsyncIterable<Piece> | Iterable<Piece>,
  options: PackOptions,
  totals: PackTotals,
  ctx: Context,
): AsyncIterable<Uint8Array> {
  const pool = new PackPool(options);
  try {
    const tasks = split(pieces)[Symbol.asyncIterator]();
    const running: Running[] = [];
    for (let ended = false; ; ) {
      while (!ended && running.length < pool.slots) {
        const next = await tasks.next();
        if (next.done === true) ended = true;
        else running.push(start(pool, next.value));
      }
      const first = running.shift();
      if (first === undefined) return;
      ctx.signal.throwIfAborted();
      const done = await first.done;
      if ("kind" in done.result) throw taskFailed(done.result, first.task);
      options.onPlain(done.plain);
      totals.plain += done.plain.length;
      totals.coded += done.coded.length;
      totals.reused += done.result.reused;
      yield done.coded;
      pool.release(done.slot);
    }
  } finally {
    await pool.close();
  }
}

function start(pool: PackPool, task: Task): Running {
  const done = pool.run(task.operations, task.literals);
  // Awaited in order; one that is behind a failed one never is, and must not count as unhandled.
  done.catch(() => {});
  return { task, done };
}

interface Running {
  readonly task: Task;
  readonly done: ReturnType<PackPool["run"]>;
}

interface Task {
  readonly operations: Float64Array;
  readonly literals: Uint8Array;
  /** For messages: where operation n comes from. */
  readonly names: readonly string[];
}

function taskFailed({ operation, kind, detail }: TaskFailure, task: Task): Error {
  const offset = task.operations[operation * STRIDE + FIELD.offset] as number;
  const where = { file: task.names[operation] ?? "", offset };
  if (kind === "damaged") {
    return new CorruptError("PACK_DATA_DAMAGED", `the compressed data does not inflate (${detail})`, { where });
  }
  if (kind === "truncated") return new CorruptError("BYTES_TRUNCATED", detail, { where });
  return new InputOutputError("FILE_INPUT_OUTPUT", detail, { where });
}

/** Gathers operations into tasks of about TASK_BYTES; a stored unit is never cut by the end of a task. */
class TaskBuilder {
  #operations: number[] = [];
  #literals: Uint8Array[] = [];
  #names: string[] = [];
  size = 0;

  add(kind: number, length: number, name: string, stored?: Extent["stored"]): void {
    const { fd = 0, offset = 0, length: storedLength = 0, size = 0, skip = 0 } = stored ?? {};
    this.#operations.push(kind, length, fd, offset, storedLength, size, skip);
    this.#names.push(name);
    this.size += length;
  }

  literal(bytes: Uint8Array): void {
    this.#literals.push(bytes);
    this.add(KIND.literal, bytes.length, "");
  }

  take(): Task {
    const operations = Float64Array.from(this.#operations);
    const task = { operations, literals: Buffer.concat(this.#literals), names: this.#names };
    this.#operations = [];
    this.#literals = [];
    this.#names = [];
    this.size = 0;
    return task;
  }
}

async function* split(pieces: AsyncIterable<Piece> | Iterable<Piece>): AsyncGenerator<Task> {
  const builder = new TaskBuilder();
  for await (const piece of pieces) {
    if ("bytes" in piece) {
      for (let at = 0; at < piece.bytes.length; ) {
        const length = Math.min(piece.bytes.length - at, TASK_BYTES - builder.size);
        builder.literal(piece.bytes.subarray(at, at + length));
        at += length;
        if (builder.size >= TASK_BYTES) yield builder.take();
      }
    } else if ("zeros" in piece) {
      for (let left = piece.zeros; left > 0; ) {
        const length = Math.min(left, TASK_BYTES - builder.size);
        builder.add(KIND.zero, length, "");
        left -= length;
        if (builder.size >= TASK_BYTES) yield builder.take();
      }
    } else {
      yield* splitSource(piece.source, piece.offset, piece.length, builder);
    }
  }
  if (builder.size > 0) yield builder.take();
}

async function* splitSource(
  source: ByteSource,
  from: number,
  length: number,
  builder: TaskBuilder,
): AsyncGenerator<Task> {
  const end = from + length;
  for (let at = from; at < end; ) {
    const room = PLAIN_ROOM - builder.size;
    const found = source.extentAt(at, Math.min(end - at, TASK_BYTES));
    const extent = isPromise(found) ? await found : found;
    const whole = extent.stored?.coding === "zlib" && extent.length <= UNIT_BYTES;
    const take = whole ? extent.length : Math.min(extent.length, TASK_BYTES - builder.size);
    if (take > room) {
      yield builder.take();
      continue;
    }
    if (extent.kind === "zero") {
      builder.add(KIND.zero, take, source.name);
    } else if (extent.stored === undefined) {
      builder.literal(Buffer.from(await source.read(at, take)));
    } else if (extent.stored.coding === "identity") {
      builder.add(KIND.stored, take, source.name, extent.stored);
    } else {
      builder.add(KIND.zlib, take, source.name, extent.stored);
    }
    at += take;
    if (builder.size >= TASK_BYTES) yield builder.take();
  }
}
