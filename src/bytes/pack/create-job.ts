import { StreamJob } from "./stream-job.ts";
import type { Job, PackCoding } from "./task.ts";
import { UnitJob } from "./unit-job.ts";

/** The job for a coding, over the memory of a pool. */
export function createJob(memory: Uint8Array, coding: PackCoding): Job {
  return "unitBytes" in coding ? new UnitJob(memory, coding) : new StreamJob(memory, coding);
}
