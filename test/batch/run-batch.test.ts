import { describe, expect, it } from "vitest";
import type { ConversionResult } from "../../converters/result.ts";
import { type ChildOptions, convertInChild } from "../../src/batch/child.ts";
import type { BatchItem } from "../../src/batch/destination.ts";
import type { ReportLine } from "../../src/batch/report.ts";
import { type BatchOptions, runBatch } from "../../src/batch/run-batch.ts";

const item = (source: string, size = 1): BatchItem => ({ source, destination: `oci:${source}`, size });
const OPTIONS: BatchOptions = { jobs: 2, retries: 2, backoffMs: 1, failFast: false };
const ok = (ref: string): ConversionResult => ({
  schema: "transload.result/v1",
  status: "ok",
  source: { ref },
  warnings: [],
});
const failed = (ref: string, exit: number): ConversionResult => ({
  ...ok(ref),
  status: "failed",
  error: { code: "X", exit, message: "no", retryable: exit === 75 },
});

async function run(
  items: readonly BatchItem[],
  convert: (item: BatchItem) => Promise<ConversionResult>,
  options: Partial<BatchOptions> = {},
  signal = new AbortController().signal,
): Promise<ReportLine[]> {
  const lines: ReportLine[] = [];
  await runBatch(items, { ...OPTIONS, ...options }, convert, (line) => lines.push(line), signal);
  return lines;
}

describe("a batch", () => {
  it("runs the largest first, as many at a time as asked for, each once", async () => {
    const started: string[] = [];
    let running = 0;
    let most = 0;
    const lines = await run([item("a", 1), item("b", 3), item("c", 2), item("d", 0)], async ({ source }) => {
      started.push(source);
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 5));
      running--;
      return ok(source);
    });
    expect(started).toEqual(["b", "c", "a", "d"]);
    expect(most).toBe(2);
    expect(lines.map(({ source, attempts }) => [source.ref, attempts])).toEqual([
      ["b", 1],
      ["c", 1],
      ["a", 1],
      ["d", 1],
    ]);
  });

  it("tries again what may pass, and nothing else", async () => {
    const tries = new Map<string, number>();
    const lines = await run([item("later"), item("never"), item("broken")], async ({ source }) => {
      const count = (tries.get(source) ?? 0) + 1;
      tries.set(source, count);
      if (source === "broken") return failed(source, 65);
      return source === "later" && count === 3 ? ok(source) : failed(source, 75);
    });
    expect(Object.fromEntries(lines.map((line) => [line.source.ref, [line.status, line.attempts]]))).toEqual({
      later: ["ok", 3],
      never: ["failed", 3],
      broken: ["failed", 1],
    });
  });

  it("starts nothing new after a failure with --fail-fast", async () => {
    const items = [item("a", 9), item("b", 8), item("c", 7)];
    const lines = await run(items, async ({ source }) => failed(source, 65), { jobs: 1, failFast: true });
    expect(lines).toHaveLength(1);
  });

  it("ends with the signal's reason, without a line for what was stopped", async () => {
    const abort = new AbortController();
    const lines: ReportLine[] = [];
    const convert = async ({ source }: BatchItem) => {
      if (source === "b") {
        abort.abort(new Error("stopped"));
        throw abort.signal.reason;
      }
      return ok(source);
    };
    const options = { ...OPTIONS, jobs: 1 };
    const items = [item("a", 9), item("b", 8), item("c", 7)];
    await expect(runBatch(items, options, convert, (line) => lines.push(line), abort.signal)).rejects.toThrow(
      "stopped",
    );
    expect(lines.map(({ source }) => source.ref)).toEqual(["a"]);
  });
});

describe("a conversion in a process of its own", () => {
  const play = (script: string, options: Partial<ChildOptions> = {}, signal = new AbortController().signal) =>
    convertInChild(
      { source: "a.ova", destination: "oci:a" },
      { program: process.execPath, args: ["-e", script, "--"] },
      { convertArgs: ["--profile=full"], ...options },
      signal,
    );

  it("gets its words and answers its result", async () => {
    const script = `console.log(JSON.stringify({ ...${JSON.stringify(ok("x"))}, words: process.argv.slice(1) }))`;
    expect(await play(script)).toMatchObject({
      status: "ok",
      words: ["convert", "a.ova", "oci:a", "--json", "--quiet", "--progress", "none", "--profile=full"],
    });
  });

  it("gets secrets by its environment, not by its words", async () => {
    const script = `console.log(JSON.stringify({ ...${JSON.stringify(ok("x"))}, words: process.argv, env: process.env }))`;
    const result = await play(script, { environment: { TRANSLOAD_DEST_CREDS: "me:hunter2" } });
    expect(result).toMatchObject({ env: { TRANSLOAD_DEST_CREDS: "me:hunter2" } });
    expect(JSON.stringify((result as unknown as { words: unknown }).words)).not.toContain("hunter2");
  });

  it.each([
    ["aborts", "process.abort()", { code: "BATCH_CHILD_ENDED", retryable: false }],
    ["is killed", "process.kill(process.pid, 'SIGKILL')", { code: "BATCH_CHILD_ENDED", retryable: true }],
    [
      "has no words for it",
      "console.error('what?'); process.exit(2)",
      { code: "BATCH_CHILD_ENDED", exit: 2, hint: "what?", retryable: false },
    ],
    ["ends well without a result", "console.log('{}')", { code: "BATCH_CHILD_ENDED", exit: 0 }],
  ])("that %s is one failed line", async (_, script, error) => {
    expect(await play(script)).toMatchObject({ status: "failed", source: { ref: "a.ova" }, error });
  });

  it("that cannot be started is one too", async () => {
    const launcher = { program: "/nowhere/node", args: [] };
    const result = await convertInChild(item("a"), launcher, { convertArgs: [] }, new AbortController().signal);
    expect(result).toMatchObject({ status: "failed", error: { code: "BATCH_CHILD_ENDED", exit: 1 } });
  });

  it("is stopped when its time is over, or the batch ends", async () => {
    const forever = "setInterval(() => {}, 1000)";
    expect(await play(forever, { timeoutMs: 100 })).toMatchObject({
      error: { code: "BATCH_TIMEOUT", exit: 75, retryable: true },
    });
    const abort = new AbortController();
    setTimeout(() => abort.abort(new Error("enough")), 100);
    await expect(play(forever, {}, abort.signal)).rejects.toThrow("enough");
  });
});
