import type { Worker } from "node:worker_threads";
import { startWorker } from "../../bytes/threads.ts";
import type { UnpackJob } from "./unpack-worker.ts";

/** Blocks that each thread has to do at a time, so that it does not wait for the next. */
const JOBS_PER_THREAD = 2;

interface Thread {
  readonly worker: Worker;
  /** In the order in which the thread answers. */
  readonly waiting: ((plain: Uint8Array | undefined) => void)[];
}

/** Threads that unpack blocks. They start with the first block, and keep no process alive while they have nothing to do. */
class UnpackThreads {
  readonly #threads = new Set<Thread>();
  #failed = false;

  /** Whether one of at most `most` threads can take another block. */
  hasRoom(most: number): boolean {
    if (this.#failed || most === 0) return false;
    return this.#threads.size < most || [...this.#threads].some(({ waiting }) => waiting.length < JOBS_PER_THREAD);
  }

  /** Never rejects: what does not unpack, for whatever reason, is undefined. Call it while there is room. */
  unpack(job: UnpackJob, most: number): Promise<Uint8Array | undefined> {
    const [least] = [...this.#threads].sort((a, b) => a.waiting.length - b.waiting.length);
    const isIdle = least?.waiting.length === 0;
    const thread = least === undefined || (!isIdle && this.#threads.size < most) ? this.#start() : least;
    return new Promise((resolve) => {
      thread.waiting.push(resolve);
      thread.worker.ref();
      thread.worker.postMessage(job);
    });
  }

  #start(): Thread {
    const worker = startWorker(new URL("./unpack-worker.ts", import.meta.url).href);
    const thread: Thread = { worker, waiting: [] };
    worker.on("message", (plain: Uint8Array | undefined) => {
      thread.waiting.shift()?.(plain);
      if (thread.waiting.length === 0) worker.unref();
    });
    // Without threads all is unpacked where it is asked for.
    worker.on("error", () => {
      this.#failed = true;
    });
    worker.on("exit", () => {
      this.#threads.delete(thread);
      for (const resolve of thread.waiting.splice(0)) resolve(undefined);
    });
    this.#threads.add(thread);
    return thread;
  }
}

/** The process has these threads once, for all images that it reads. */
export const unpackThreads: UnpackThreads = new UnpackThreads();
