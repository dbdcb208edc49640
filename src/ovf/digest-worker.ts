import { createHash } from "node:crypto";
import { readSync } from "node:fs";
import { parentPort } from "node:worker_threads";

/** A run of the bytes to hash: in a file of this process, or `length` zeros if there is no `fd`. */
export interface DigestPart {
  readonly fd: number | undefined;
  readonly offset: number;
  readonly length: number;
}

export interface DigestJob {
  readonly algorithm: string;
  readonly parts: readonly DigestPart[];
}

/** `done` counts bytes on the way; the last answer to a job is `hex`, or what the operating system said. */
export type DigestAnswer =
  | { readonly kind: "progress"; readonly done: number }
  | { readonly kind: "digest"; readonly hex: string }
  | { readonly kind: "failure"; readonly errno: string };

const CHUNK = 1 << 20;
const PROGRESS_STEP = 16 << 20;
const BUFFER = Buffer.allocUnsafeSlow(CHUNK);
const ZEROS = Buffer.alloc(CHUNK);

function digest({ algorithm, parts }: DigestJob, report: (done: number) => void): string {
  const hash = createHash(algorithm);
  let done = 0;
  let reported = 0;
  for (const { fd, offset, length } of parts) {
    for (let at = 0; at < length; ) {
      const wanted = Math.min(CHUNK, length - at);
      const count = fd === undefined ? wanted : readSync(fd, BUFFER, 0, wanted, offset + at);
      if (count === 0) throw Object.assign(new Error("the file became shorter"), { code: "EOF" });
      hash.update((fd === undefined ? ZEROS : BUFFER).subarray(0, count));
      at += count;
      done += count;
      if (done - reported < PROGRESS_STEP) continue;
      reported = done;
      report(done);
    }
  }
  return hash.digest("hex");
}

parentPort?.on("message", (job: DigestJob) => {
  const answer = (message: DigestAnswer): void => parentPort?.postMessage(message);
  try {
    answer({ kind: "digest", hex: digest(job, (done) => answer({ kind: "progress", done })) });
  } catch (cause) {
    answer({ kind: "failure", errno: (cause as NodeJS.ErrnoException).code ?? "unknown" });
  }
});
