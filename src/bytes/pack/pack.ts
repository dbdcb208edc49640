import type { Context } from "../../context.ts";
import { type ByteSource, isPromise } from "../byte-source.ts";
import type { Piece } from "../content.ts";
import { runTasks, type Task } from "./run-tasks.ts";
import { KIND, PLAIN_ROOM, type StreamCoding, TASK_BYTES, UNIT_BYTES } from "./task.ts";
import { TaskBuilder } from "./task-builder.ts";

export interface PackOptions extends StreamCoding {
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
  const { coding, level, threads } = options;
  for await (const { result, plain, coded } of runTasks(split(pieces), { coding, level }, threads, ctx)) {
    options.onPlain(plain);
    const bytes = coding === "identity" ? plain : coded;
    totals.plain += plain.length;
    totals.coded += bytes.length;
    totals.reused += result.reused;
    yield bytes;
  }
}

/** Into tasks of about TASK_BYTES; a stored unit is never cut by the end of a task. */
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
    const added = builder.extent(source, extent, take);
    if (isPromise(added)) await added;
    at += take;
    if (builder.size >= TASK_BYTES) yield builder.take();
  }
}
