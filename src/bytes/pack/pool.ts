import type { Worker } from "node:worker_threads";
import { startWorker } from "../threads.ts";
import { createJob } from "./create-job.ts";
import { type Job, type PackCoding, PLAIN_ROOM, SLOT_BYTES, type TaskDone, type TaskFailure } from "./task.ts";
import type { PackWorkerData, TaskMessage } from "./worker.ts";

/** Tasks that wait in a thread's queue, so that it never idles while the caller hashes and writes. */
const SLOTS_PER_THREAD = 4;

export interface FinishedTask {
  readonly slot: number;
  readonly result: TaskDone | TaskFailure;
  /** Views of the slot's memory, valid until it is released. */
  readonly plain: Uint8Array;
  readonly coded: Uint8Array;
}

interface Thread {
  readonly worker: Worker;
  /** In the order in which the thread answers. */
  readonly waiting: { resolve(result: TaskDone | TaskFailure): void; reject(cause: unknown): void }[];
}

/** Threads that run jobs over slots of one shared memory; with 0 threads, the same in the calling one. */
export class PackPool {
  readonly slots: number;
  readonly #memory: Uint8Array;
  readonly #free: number[];
  readonly #threads: Thread[];
  readonly #local: Job | undefined;

  constructor(coding: PackCoding, threads: number) {
    this.slots = Math.max(1, threads * SLOTS_PER_THREAD);
    const memory = new SharedArrayBuffer(this.slots * SLOT_BYTES);
    this.#memory = new Uint8Array(memory);
    this.#free = Array.from({ length: this.slots }, (_, slot) => slot);
    this.#threads = Array.from({ length: threads }, () => startThread({ memory, coding }));
    this.#local = threads === 0 ? createJob(this.#memory, coding) : undefined;
  }

  /** Runs one task in a free slot; at most `slots` may be unreleased at a time. */
  async run(operations: Float64Array, literals: Uint8Array): Promise<FinishedTask> {
    const slot = this.#free.pop();
    if (slot === undefined) throw new Error("more tasks than slots");
    const result = await this.#dispatch({ slot, operations, literals });
    const base = slot * SLOT_BYTES;
    const sizes = "kind" in result ? { plain: 0, coded: 0 } : result;
    const plain = this.#memory.subarray(base, base + sizes.plain);
    const coded = this.#memory.subarray(base + PLAIN_ROOM, base + PLAIN_ROOM + sizes.coded);
    return { slot, result, plain, coded };
  }

  release(slot: number): void {
    this.#free.push(slot);
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()));
  }

  async #dispatch(message: TaskMessage): Promise<TaskDone | TaskFailure> {
    if (this.#local !== undefined) return this.#local.run(message.slot, message.operations, message.literals);
    const thread = this.#threads.reduce((least, each) => (each.waiting.length < least.waiting.length ? each : least));
    return await new Promise((resolve, reject) => {
      thread.waiting.push({ resolve, reject });
      thread.worker.postMessage(message);
    });
  }
}

function startThread(data: PackWorkerData): Thread {
  const worker = startWorker(new URL("./worker.ts", import.meta.url).href, data);
  const thread: Thread = { worker, waiting: [] };
  worker.on("message", (result: TaskDone | TaskFailure) => thread.waiting.shift()?.resolve(result));
  worker.on("error", (cause) => {
    for (const { reject } of thread.waiting.splice(0)) reject(cause);
  });
  return thread;
}
