import { writeFileSync } from "node:fs";
import { availableParallelism, freemem } from "node:os";
import type { ArgumentsCamelCase, Argv, CommandModule } from "yargs";
import type { BatchItem } from "../../batch/destination.ts";
import type { ReportLine } from "../../batch/report.ts";
import type { Context } from "../../context.ts";
import { optionValue } from "../errors.ts";
import { type Environment, type RunArguments, runOptions, wholeNumber, withContext } from "../options.ts";
import { SECRET_OPTIONS } from "../registry-options.ts";
import { renderSummary } from "../render/summary.ts";
import type { Reporter } from "../reporter.ts";
import { convertOptions } from "./convert.ts";

const BATCH = "Batch:";
/** Exit code of a batch in which some items failed. */
const SOME_FAILED = 3;
/** What one conversion takes at most, in bytes: V8's heap and the shared memory of its threads. */
const MEMORY_EACH = 512 << 20;

const options = {
  "skip-existing": {
    type: "boolean",
    default: true,
    group: BATCH,
    describe: "Convert only what does not stand at its destination already",
  },
  to: {
    type: "string",
    group: BATCH,
    describe: "Destination, with {name} {stem} {version} {date} {index}; a list may have its own",
  },
  jobs: {
    type: "string",
    coerce: wholeNumber("jobs", 1),
    group: BATCH,
    describe: "Conversions at a time [default: 1]",
  },
  "memory-limit": { type: "string", group: BATCH, describe: "For all jobs together: 4G; fewer run where it is short" },
  report: { type: "string", default: "report.jsonl", group: BATCH, describe: "File of results, a line each" },
  junit: { type: "string", group: BATCH, describe: "Write the results as JUnit XML too" },
  resume: { type: "boolean", default: false, group: BATCH, describe: "Go on where the report ends" },
  "retry-failed": { type: "string", group: BATCH, describe: "Take what failed in this report as the sources" },
  retries: {
    type: "string",
    default: "2",
    coerce: wholeNumber("retries", 0),
    group: BATCH,
    describe: "Tries more for what may pass (exit codes 74, 75)",
  },
  "fail-fast": { type: "boolean", default: false, group: BATCH, describe: "Start nothing new after a failure" },
  timeout: { type: "string", group: BATCH, describe: "For each conversion: 90s, 30m, 2h" },
  shard: { type: "string", group: BATCH, describe: "This machine's share: INDEX/COUNT from 0, or auto in a job array" },
} as const;

function builder(yargs: Argv) {
  return yargs
    .positional("sources", {
      type: "string",
      array: true,
      describe: "Files, folders, references, @FILE for a list, - for a list on standard input",
    })
    .options({ ...convertOptions, ...options })
    .example("$0 batch exports --to 'oci:images:{name}' --jobs 2", "every appliance below exports")
    .example("$0 batch @list.tsv --to 'docker://REF/vm/{name}:{date}' --shard auto --resume", "one of many machines");
}

type Arguments = ArgumentsCamelCase<Awaited<ReturnType<typeof builder>["argv"]>> & RunArguments;

/** `transload batch SOURCES... --to DESTINATION` */
export function batchCommand(environment: Environment): CommandModule<object, Arguments> {
  return {
    command: "batch [sources..]",
    describe: "Convert many machines, each in a process of its own, and report",
    builder: builder as never,
    handler: async (args) => {
      await withContext(args, environment, async (ctx, reporter) => {
        const items = await itemsOf(args, ctx);
        if (args.dryRun) {
          for (const { source, destination } of items) process.stdout.write(`${source}\t${destination}\n`);
          return;
        }
        environment.exitCode = await run(items, args, ctx, reporter);
      });
    },
  };
}

async function itemsOf(args: Arguments, ctx: Context): Promise<readonly BatchItem[]> {
  const [{ listItems }, { nameDestinations }, { parseShard, shareOf }, { readReports, latest }] = await Promise.all([
    import("../../batch/list.ts"),
    import("../../batch/destination.ts"),
    import("../../batch/shard.ts"),
    import("../../batch/report.ts"),
  ]);
  const shard = args.shard === undefined ? { index: 0, count: 1 } : parseShard(args.shard, process.env);
  if (args.retryFailed !== undefined) {
    const failed = latest(readReports([args.retryFailed])).filter(({ status }) => status === "failed");
    return shareOf(
      failed.map(({ source, destination }) => ({ source: source.ref, destination, size: source.size ?? 0 })),
      shard,
    );
  }
  const listed = await listItems((args.sources ?? []).map(String), ctx);
  if (args.to === undefined && listed.some(({ destination }) => destination === undefined)) {
    throw optionValue("to", args.to, "a destination such as 'oci:images:{name}'");
  }
  // Every machine names all items, so that two with one destination are found whichever shards they are in.
  return shareOf(await nameDestinations(listed, args.to ?? "", ctx), shard);
}

async function run(items: readonly BatchItem[], args: Arguments, ctx: Context, reporter: Reporter): Promise<number> {
  const { appendLine, openReport, summarise } = await import("../../batch/report.ts");
  const { convertInChild } = await import("../../batch/child.ts");
  const { runBatch } = await import("../../batch/run-batch.ts");
  const earlier = openReport(args.report, args).filter(({ status }) => status !== "failed");
  const done = new Set(earlier.map(({ source, destination }) => `${source.ref}\0${destination}`));
  const left = items.filter(({ source, destination }) => !done.has(`${source}\0${destination}`));
  const jobs = jobsFor(args);
  const child = {
    convertArgs: [
      ...convertArgs(args),
      `--threads=${args.threads ?? Math.max(1, Math.floor(availableParallelism() / jobs))}`,
    ],
    environment: { ...process.env, ...secretsOf(args) },
    ...(args.timeout === undefined ? {} : { timeoutMs: duration(args.timeout) }),
  };
  const launcher = { program: process.execPath, args: [...process.execArgv, process.argv[1] ?? ""] };
  const batch = { jobs, retries: args.retries ?? 0, backoffMs: 1000, failFast: args.failFast };
  const lines: ReportLine[] = earlier.filter((line) =>
    items.some(({ source, destination }) => source === line.source.ref && destination === line.destination),
  );
  await runBatch(
    left,
    batch,
    (item) => convertInChild(item, launcher, child, ctx.signal),
    (line) => {
      appendLine(args.report, line);
      lines.push(line);
      tell(line, lines.length, items.length, args, reporter);
    },
    ctx.signal,
  );
  if (args.junit !== undefined) {
    const { junitXml } = await import("../../batch/junit.ts");
    writeFileSync(args.junit, junitXml(lines, "transload batch"));
  }
  const summary = summarise(lines);
  process.stdout.write(args.json ? `${JSON.stringify(summary)}\n` : renderSummary(summary, lines));
  return summary.failed > 0 ? SOME_FAILED : 0;
}

function tell(line: ReportLine, done: number, total: number, { quiet }: Arguments, reporter: Reporter): void {
  if (quiet) return;
  const what = line.error === undefined ? (line.target?.digest ?? "") : `${line.error.message} (${line.error.code})`;
  reporter.line(`[${done}/${total}] ${line.status} ${line.source.ref} -> ${line.destination} ${what}`);
}

/** As many as asked for, and fewer where memory is short. */
function jobsFor({ jobs = 1, memoryLimit }: Arguments): number {
  const memory = memoryLimit === undefined ? Math.max(freemem(), MEMORY_EACH) : bytesOf(memoryLimit);
  return Math.max(1, Math.min(jobs, Math.floor(memory / MEMORY_EACH)));
}

const UNITS: Readonly<Record<string, number>> = { "": 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

function bytesOf(text: string): number {
  const [, number, unit = ""] = /^(\d+)([KMGT]?)(?:i?B)?$/i.exec(text) ?? [];
  if (number === undefined) throw optionValue("memory-limit", text, "a size such as 4G");
  return Number(number) * (UNITS[unit.toUpperCase()] ?? 1);
}

const SECONDS: Readonly<Record<string, number>> = { "": 1, s: 1, m: 60, h: 3600 };

function duration(text: string): number {
  const [, number, unit = ""] = /^(\d+)([smh]?)$/.exec(text) ?? [];
  if (number === undefined) throw optionValue("timeout", text, "a time such as 90s, 30m or 2h");
  return Number(number) * (SECONDS[unit] ?? 1) * 1000;
}

/** Those that every conversion gets as the batch has them. */
const HANDED_ON = [
  ...Object.keys(convertOptions).filter((name) => ![...SECRET_OPTIONS, "dry-run", "digestfile"].includes(name)),
  ...Object.keys(runOptions).filter((name) => name === "strict" || name === "tmpdir"),
  "config",
];

/** What nobody may read in the list of processes goes by the environment. */
function secretsOf(args: Arguments): NodeJS.ProcessEnv {
  const given = SECRET_OPTIONS.map((name) => [name, (args as Readonly<Record<string, unknown>>)[name]] as const);
  return Object.fromEntries(
    given.flatMap(([name, value]) =>
      value === undefined ? [] : [[`TRANSLOAD_${name.replaceAll("-", "_").toUpperCase()}`, String(value)]],
    ),
  );
}

function convertArgs(args: Arguments): string[] {
  return HANDED_ON.flatMap((name) => {
    const value = (args as Readonly<Record<string, unknown>>)[name];
    if (typeof value === "boolean") return [value ? `--${name}` : `--no-${name}`];
    if (value === undefined) return [];
    return (Array.isArray(value) ? value : [value]).map((each) => `--${name}=${each}`);
  });
}
