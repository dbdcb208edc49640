import { setTimeout as delay } from "node:timers/promises";
import type { ConversionResult } from "../../converters/result.ts";
import type { BatchItem } from "./destination.ts";
import type { ReportLine } from "./report.ts";
import { largestFirst } from "./shard.ts";

export interface BatchOptions {
  /** Conversions at the same time. */
  readonly jobs: number;
  /** How often an item is tried again whose failure may pass (exit codes 74 and 75). */
  readonly retries: number;
  /** Before the first repetition, in milliseconds; doubles each time. */
  readonly backoffMs: number;
  /** Starts nothing new after the first failure. */
  readonly failFast: boolean;
}

/**
 * Runs `convert` for every item, the largest first, and hands each result to `onLine` when it is there. One that fails never
 * stops the others, unless `failFast` says so. Rejects only with the signal's reason, when nothing runs any more, or with what
 * `onLine` throws.
 */
export async function runBatch(
  items: readonly BatchItem[],
  options: BatchOptions,
  convert: (item: BatchItem) => Promise<ConversionResult>,
  onLine: (line: ReportLine) => void,
  signal: AbortSignal,
): Promise<void> {
  const waiting = largestFirst(items);
  const stop = new AbortController();
  const work = async () => {
    for (let item = waiting.shift(); item !== undefined && !stop.signal.aborted; item = waiting.shift()) {
      const line = await settle(item, options, convert, signal);
      onLine(line);
      if (line.status === "failed" && options.failFast) stop.abort();
    }
  };
  const workers = Array.from({ length: Math.min(options.jobs, items.length) }, work);
  const ends = await Promise.allSettled(workers);
  signal.throwIfAborted();
  for (const end of ends) if (end.status === "rejected") throw end.reason;
}

async function settle(
  item: BatchItem,
  { retries, backoffMs }: BatchOptions,
  convert: (item: BatchItem) => Promise<ConversionResult>,
  signal: AbortSignal,
): Promise<ReportLine> {
  for (let attempts = 1; ; attempts++) {
    signal.throwIfAborted();
    const result = await convert(item);
    if (result.error?.retryable !== true || attempts > retries) {
      return { ...result, destination: item.destination, attempts, ended: new Date().toISOString() };
    }
    // Jitter, since what failed for one often failed for all at the same moment.
    await delay(backoffMs * 2 ** (attempts - 1) * (0.5 + Math.random()), undefined, { signal });
  }
}
