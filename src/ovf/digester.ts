import { createHash } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import type { Worker } from "node:worker_threads";
import { type ByteSource, chunks, extents } from "../bytes/byte-source.ts";
import { startWorker } from "../bytes/threads.ts";
import type { Context } from "../context.ts";
import { InputOutputError } from "../errors.ts";
import type { DigestAnswer, DigestJob, DigestPart } from "./digest-worker.ts";

/** Beyond this many runs a source is hashed here instead: the list would cost more than the work. */
const MOST_PARTS = 1 << 16;
const ZEROS = new Uint8Array(64 << 10);

/**
 * Hashes sources in a thread of its own, so that a conversion goes on meanwhile; what lies in no file (or with
 * `limits.threads` 0) is hashed here, with a pause after each chunk. One source at a time. Disposing ends the thread, and so
 * does the context's signal.
 */
export class Digester implements AsyncDisposable {
  readonly #ctx: Context;
  #worker: Worker | undefined;

  constructor(ctx: Context) {
    this.#ctx = ctx;
  }

  /** In hex. `item` is what progress calls it. `algorithm` is one of node:crypto's. */
  async digest(source: ByteSource, algorithm: string, item: string): Promise<string> {
    this.#ctx.signal.throwIfAborted();
    const progress = (done: number): void => this.#ctx.progress({ stage: "verify", item, done, total: source.size });
    const parts = this.#ctx.limits.threads > 0 ? await storedParts(source) : undefined;
    const hex =
      parts === undefined
        ? await this.#digestHere(source, algorithm, progress)
        : await this.#digestThere({ algorithm, parts }, source.name, progress);
    progress(source.size);
    return hex;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker?.terminate();
    this.#worker = undefined;
  }

  async #digestHere(source: ByteSource, algorithm: string, progress: (done: number) => void): Promise<string> {
    const hash = createHash(algorithm);
    let done = 0;
    for await (const chunk of chunks(source)) {
      this.#ctx.signal.throwIfAborted();
      if (chunk.kind === "data") hash.update(chunk.bytes);
      else for (let left = chunk.length; left > 0; left -= ZEROS.length) hash.update(ZEROS.subarray(0, left));
      done += chunk.kind === "data" ? chunk.bytes.length : chunk.length;
      progress(done);
      await setImmediate();
    }
    return hash.digest("hex");
  }

  async #digestThere(job: DigestJob, name: string, progress: (done: number) => void): Promise<string> {
    this.#worker ??= startWorker(new URL("./digest-worker.ts", import.meta.url).href);
    const worker = this.#worker;
    const { signal } = this.#ctx;
    const { promise, resolve, reject } = deferred<string>();
    const onAbort = (): void => reject(signal.reason);
    const onExit = (): void => reject(new Error("the thread that hashes ended by itself"));
    const onMessage = (answer: DigestAnswer): void => {
      if (answer.kind === "progress") progress(answer.done);
      else if (answer.kind === "digest") resolve(answer.hex);
      else reject(unreadable(answer.errno, name));
    };
    signal.addEventListener("abort", onAbort);
    worker.on("error", reject).on("exit", onExit).on("message", onMessage);
    worker.postMessage(job);
    try {
      return await promise;
    } catch (cause) {
      await this[Symbol.asyncDispose]();
      throw cause;
    } finally {
      signal.removeEventListener("abort", onAbort);
      worker.off("error", reject).off("exit", onExit).off("message", onMessage);
    }
  }
}

interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(cause: unknown): void;
}

function deferred<T>(): Deferred<T> {
  let resolve: (value: T) => void = () => {};
  let reject: (cause: unknown) => void = () => {};
  const promise = new Promise<T>((onValue, onCause) => {
    resolve = onValue;
    reject = onCause;
  });
  return { promise, resolve, reject };
}

function unreadable(errno: string, name: string): InputOutputError {
  return new InputOutputError("FILE_INPUT_OUTPUT", `${errno} from the operating system`, { where: { file: name } });
}

/** Where all of a source lies in files of this process, or undefined if some of it does not. */
async function storedParts(source: ByteSource): Promise<DigestPart[] | undefined> {
  const parts: DigestPart[] = [];
  for await (const { kind, length, stored } of extents(source)) {
    if (kind === "zero") parts.push({ fd: undefined, offset: 0, length });
    else if (stored?.coding === "identity") parts.push({ fd: stored.fd, offset: stored.offset, length });
    else return undefined;
    if (parts.length > MOST_PARTS) return undefined;
  }
  return parts;
}
