import { spawn } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import type { ConversionResult, ResultError } from "../../converters/result.ts";

/** How a conversion is started: a program, and its words in front of `convert`. */
export interface Launcher {
  readonly program: string;
  readonly args: readonly string[];
}

export interface ChildOptions {
  /** Words behind `convert SOURCE DESTINATION`. */
  readonly convertArgs: readonly string[];
  /** The caller's own where absent. */
  readonly environment?: NodeJS.ProcessEnv;
  /** After this many milliseconds the conversion is stopped; never where absent. */
  readonly timeoutMs?: number;
  /** For V8's own memory, in MiB; compressed data lies outside of it. */
  readonly heapMegabytes?: number;
}

const GRACE_MS = 10_000;
const MOST_OUTPUT = 16 << 20;
const STDERR_KEPT = 4 << 10;
const TEMPORARY = 75;
const FAULT = 1;

/**
 * Runs one conversion in a process of its own, so that a crash or a lack of memory is one failed line and no more. Answers a
 * result whatever happens, but rejects with the signal's reason when that ends the batch: then there is no result.
 */
export async function convertInChild(
  { source, destination }: { readonly source: string; readonly destination: string },
  launcher: Launcher,
  options: ChildOptions,
  signal: AbortSignal,
): Promise<ConversionResult> {
  const heap = options.heapMegabytes === undefined ? [] : [`--max-old-space-size=${options.heapMegabytes}`];
  const quiet = ["--json", "--quiet", "--progress", "none"];
  const words = [...heap, ...launcher.args, "convert", source, destination, ...quiet, ...options.convertArgs];
  const env = options.environment === undefined ? {} : { env: options.environment };
  const child = spawn(launcher.program, words, { ...env, stdio: ["ignore", "pipe", "pipe"] });
  const output = collected(child.stdout, MOST_OUTPUT);
  const messages = tail(child.stderr, STDERR_KEPT);
  const ended = new Promise<{ readonly code: number | null; readonly signal: string | null; readonly cause?: Error }>(
    (resolve) => {
      child.once("error", (cause) => resolve({ code: null, signal: null, cause }));
      child.once("close", (code, name) => resolve({ code, signal: name }));
    },
  );
  const stop = new AbortController();
  let timedOut = false;
  const terminate = () => {
    child.kill("SIGTERM");
    // One that hangs does not clean up either.
    delay(GRACE_MS, undefined, { signal: stop.signal }).then(
      () => child.kill("SIGKILL"),
      () => undefined,
    );
  };
  signal.addEventListener("abort", terminate, { once: true });
  const timer =
    options.timeoutMs === undefined
      ? undefined
      : setTimeout(() => {
          timedOut = true;
          terminate();
        }, options.timeoutMs);
  try {
    const end = await ended;
    signal.throwIfAborted();
    if (timedOut) return failed(source, timeout(options.timeoutMs ?? 0));
    return resultOf(output()) ?? failed(source, crash(end, messages()));
  } finally {
    clearTimeout(timer);
    stop.abort();
    signal.removeEventListener("abort", terminate);
  }
}

function resultOf(text: string): ConversionResult | undefined {
  try {
    const result = JSON.parse(text.trim().split("\n").at(-1) ?? "") as Partial<ConversionResult> | null;
    return result?.schema === "transload.result/v1" ? (result as ConversionResult) : undefined;
  } catch {
    return undefined;
  }
}

function failed(ref: string, error: ResultError): ConversionResult {
  return { schema: "transload.result/v1", status: "failed", source: { ref }, warnings: [], error };
}

function timeout(milliseconds: number): ResultError {
  return {
    code: "BATCH_TIMEOUT",
    exit: TEMPORARY,
    message: `the conversion was stopped after ${milliseconds / 1000} s`,
    hint: "give it more time with --timeout",
    retryable: true,
  };
}

/** A process that ended without a result: a usage error has its words on stderr, all else is a crash. */
function crash(
  { code, signal, cause }: { readonly code: number | null; readonly signal: string | null; readonly cause?: Error },
  messages: string,
): ResultError {
  const how = cause?.message ?? (signal === null ? `exit code ${code}` : `signal ${signal}`);
  const last = messages.trim();
  // The kernel's answer to a lack of memory, which another time or place may have.
  const retryable = signal === "SIGKILL" || code === TEMPORARY;
  return {
    code: "BATCH_CHILD_ENDED",
    exit: code ?? FAULT,
    message: `the conversion ended without a result (${how})`,
    ...(last === "" ? {} : { hint: last }),
    retryable,
  };
}

function collected(stream: NodeJS.ReadableStream, most: number): () => string {
  const parts: Buffer[] = [];
  let size = 0;
  stream.on("data", (bytes: Buffer) => {
    size += bytes.length;
    if (size <= most) parts.push(bytes);
  });
  return () => Buffer.concat(parts).toString("utf8");
}

function tail(stream: NodeJS.ReadableStream, most: number): () => string {
  let kept = Buffer.alloc(0);
  stream.on("data", (bytes: Buffer) => {
    kept = Buffer.concat([kept, bytes]).subarray(-most);
  });
  return () => kept.toString("utf8");
}
