import { parentPort, workerData } from "node:worker_threads";
import { type PackCoding, PackJob } from "./job.ts";

/** What a pool sends to a thread; the answer is a TaskDone or a TaskFailure. */
export interface TaskMessage {
  readonly slot: number;
  readonly operations: Float64Array;
  readonly literals: Uint8Array;
}

export interface PackWorkerData {
  readonly memory: SharedArrayBuffer;
  readonly options: PackCoding;
}

const { memory, options } = workerData as PackWorkerData;
const job = new PackJob(new Uint8Array(memory), options);
parentPort?.on("message", ({ slot, operations, literals }: TaskMessage) => {
  parentPort?.postMessage(job.run(slot, operations, literals));
});
