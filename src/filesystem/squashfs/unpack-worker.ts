import { parentPort } from "node:worker_threads";
import { COMPRESSORS } from "./compressors.ts";

/** A packed block; the answer is what it unpacks to, or undefined where it does not. */
export interface UnpackJob {
  /** Its number in the superblock. */
  readonly compressor: number;
  readonly packed: Uint8Array;
  /** Bytes that come out, at most. */
  readonly most: number;
}

function unpack({ compressor, packed, most }: UnpackJob): Uint8Array | undefined {
  try {
    return COMPRESSORS[compressor]?.unpack(packed, most, "");
  } catch {
    return undefined;
  }
}

parentPort?.on("message", (job: UnpackJob) => {
  const plain = unpack(job);
  // Only a buffer that holds nothing else may leave this thread.
  const isWhole = plain !== undefined && plain.byteLength === plain.buffer.byteLength;
  parentPort?.postMessage(plain, isWhole ? [plain.buffer as ArrayBuffer] : []);
});
