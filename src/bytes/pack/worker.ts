import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { parentPort, workerData } from "node:worker_threads";
import { createJob } from "./create-job.ts";
import type { PackCoding } from "./task.ts";

/** What a pool sends to a thread; the answer is a TaskDone or a TaskFailure. */
export interface TaskMessage {
  readonly slot: number;
  readonly operations: Float64Array;
  readonly literals: Uint8Array;
}

export interface PackWorkerData {
  readonly memory: SharedArrayBuffer;
  readonly coding: PackCoding;
}

/**
 * Inflated units are garbage outside the JavaScript heap, which V8 lets grow to 64 MB in each thread. Measured: a collection
 * every 40 tasks takes 50 MB off the process's peak and costs 3 % of the time; every 16 tasks, 75 MB and 7 %.
 */
const TASKS_PER_COLLECTION = 40;
setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

const { memory, coding } = workerData as PackWorkerData;
const job = createJob(new Uint8Array(memory), coding);
let tasks = 0;
parentPort?.on("message", ({ slot, operations, literals }: TaskMessage) => {
  parentPort?.postMessage(job.run(slot, operations, literals));
  if (++tasks % TASKS_PER_COLLECTION === 0) collectGarbage();
});
