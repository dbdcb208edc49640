import type { Context } from "../../context.ts";
import { CorruptError, InputOutputError } from "../../errors.ts";
import { PackPool } from "./pool.ts";
import { FIELD, type PackCoding, STRIDE, type TaskDone, type TaskFailure } from "./task.ts";

/** Operations, with what they need. */
export interface Task {
  readonly operations: Float64Array;
  readonly literals: Uint8Array;
  /** For messages: where operation n comes from. */
  readonly names: readonly string[];
}

/** A task's outcome; `plain` and `coded` are valid until the next one is asked for. */
export interface DoneTask<T extends Task> {
  readonly task: T;
  readonly result: TaskDone;
  readonly plain: Uint8Array;
  readonly coded: Uint8Array;
}

/**
 * Runs tasks on worker threads and gives what became of them in order.
 * Throws CorruptError PACK_DATA_DAMAGED and BYTES_TRUNCATED, InputOutputError FILE_INPUT_OUTPUT.
 */
export async function* runTasks<T extends Task>(
  source: AsyncIterable<T>,
  coding: PackCoding,
  threads: number,
  ctx: Context,
): AsyncGenerator<DoneTask<T>> {
  const pool = new PackPool(coding, threads);
  const tasks = source[Symbol.asyncIterator]();
  try {
    const running: Running<T>[] = [];
    for (let ended = false; ; ) {
      while (!ended && running.length < pool.slots) {
        const next = await tasks.next();
        if (next.done === true) ended = true;
        else running.push(start(pool, next.value));
      }
      const first = running.shift();
      if (first === undefined) return;
      ctx.signal.throwIfAborted();
      const { task } = first;
      const { slot, result, plain, coded } = await first.done;
      if ("kind" in result) throw taskFailed(result, task);
      yield { task, result, plain, coded };
      pool.release(slot);
    }
  } finally {
    await tasks.return?.();
    await pool.close();
  }
}

function start<T extends Task>(pool: PackPool, task: T): Running<T> {
  const done = pool.run(task.operations, task.literals);
  // Awaited in order; one that is behind a failed one never is, and must not count as unhandled.
  done.catch(() => {});
  return { task, done };
}

interface Running<T> {
  readonly task: T;
  readonly done: ReturnType<PackPool["run"]>;
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
