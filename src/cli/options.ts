import { mkdirSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import type { Options } from "yargs";
import { type Context, createContext, DEFAULT_LIMITS, type Diagnostic } from "../context.ts";
import { CorruptError } from "../errors.ts";
import { optionValue } from "./errors.ts";
import { createLog, type LogFormat } from "./log.ts";
import { type RegistryArguments, registriesOf } from "./registry-options.ts";
import { type ProgressStyle, Reporter } from "./reporter.ts";

/** What a command needs from the process that runs it. */
export interface Environment {
  readonly signal: AbortSignal;
  readonly version: string;
  /** The words as they were typed, for options whose order among each other counts. */
  readonly argv: readonly string[];
  /** Ends as the process's exit code. */
  exitCode: number;
}

/** A whole number from `least` on; anything else is a usage error that names the option. */
export function wholeNumber(option: string, least: number): (value: unknown) => number | undefined {
  return (given) => {
    const value = Array.isArray(given) ? given.at(-1) : given;
    if (value === undefined) return undefined;
    const number = Number(value);
    if (!Number.isSafeInteger(number) || number < least || String(value).trim() === "") {
      throw optionValue(option, value, `a whole number from ${least} on`);
    }
    return number;
  };
}

const UNITS: Readonly<Record<string, number>> = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

/** Bytes with a unit of powers of 1024: `512M`, `2G`, `1.5GiB`; anything else is a usage error that names the option. */
export function byteSize(option: string): (value: unknown) => number | undefined {
  return (value) => {
    if (value === undefined) return undefined;
    const [, number, unit = ""] = /^(\d{1,9}(?:\.\d{1,3})?)([KMGT])(?:i?B)?$/i.exec(String(value)) ?? [];
    const bytes = Math.ceil(Number(number) * (UNITS[unit.toUpperCase()] ?? Number.NaN));
    if (!Number.isSafeInteger(bytes) || bytes === 0) throw optionValue(option, value, "a size such as 512M or 2G");
    return bytes;
  };
}

/** True for a place that is a pipe, `ova:-` or `docker-archive:-:web:1`: the content has standard output to itself. */
export function isStandardOutput(destination: string): boolean {
  return /^[a-z0-9-]+:-(:|$)/.test(destination);
}

const RUN = "Run:";

/** Options that every command has. */
export const runOptions = {
  json: { type: "boolean", default: false, group: RUN, describe: "Print the result as JSON" },
  quiet: { type: "boolean", alias: "q", default: false, group: RUN, describe: "Print errors and the result only" },
  verbose: { type: "boolean", alias: "v", default: false, group: RUN, describe: "Tell every step" },
  strict: { type: "boolean", default: false, group: RUN, describe: "Take warnings for errors" },
  progress: {
    choices: ["auto", "tty", "plain", "json", "none"],
    default: "auto",
    group: RUN,
    describe: "How progress is shown on stderr",
  },
  "log-format": {
    choices: ["text", "json"],
    default: "text",
    group: RUN,
    describe: "How log lines are written to stderr",
  },
  threads: {
    type: "string",
    coerce: wholeNumber("threads", 0),
    group: RUN,
    describe: "Worker threads [default: one for each core]",
  },
  tmpdir: { type: "string", group: RUN, describe: "Directory for what must be spooled [default: $TMPDIR]" },
} as const satisfies Record<string, Options>;

export interface RunArguments extends RegistryArguments {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly strict: boolean;
  readonly progress: string;
  readonly logFormat: string;
  readonly threads: number | undefined;
  readonly tmpdir: string | undefined;
}

/** Runs `body` with a context made from the options; what it reported stands complete on stderr when this ends. */
export async function withContext<T>(
  args: RunArguments,
  environment: Environment,
  body: (ctx: Context, reporter: Reporter) => Promise<T>,
): Promise<T> {
  const reporter = new Reporter(args.progress as ProgressStyle, args.quiet);
  const show = () => reporter.show();
  process.on("SIGUSR1", show);
  try {
    return await body(contextFor(args, environment, reporter), reporter);
  } finally {
    process.off("SIGUSR1", show);
    reporter.finish();
  }
}

function contextFor(args: RunArguments, environment: Environment, reporter: Reporter): Context {
  const level = args.quiet ? "warn" : args.verbose ? "debug" : "warn";
  const tmp = args.tmpdir ?? tmpdir();
  if (args.tmpdir !== undefined) mkdirSync(tmp, { recursive: true });
  return createContext({
    signal: environment.signal,
    log: createLog(level, args.logFormat as LogFormat),
    epoch: sourceDateEpoch(),
    limits: { ...DEFAULT_LIMITS, threads: args.threads ?? availableParallelism() },
    tmp,
    registries: registriesOf(args, process.env),
    progress: (event) => reporter.progress(event),
    diagnostic: (diagnostic) => {
      if (args.strict && diagnostic.severity === "warning") throw asError(diagnostic);
      reporter.diagnostic(diagnostic);
    },
  });
}

function asError({ code, message, where, advice }: Diagnostic): CorruptError {
  return new CorruptError(code, message, advice === undefined ? { where } : { where, advice });
}

/** reproducible-builds.org: seconds since 1970; set but malformed is an error, so that nobody believes in a date that is not used. */
function sourceDateEpoch(): number | undefined {
  const text = process.env["SOURCE_DATE_EPOCH"];
  if (text === undefined || text === "") return undefined;
  if (!/^\d{1,15}$/.test(text)) throw optionValue("SOURCE_DATE_EPOCH (environment)", text, "seconds since 1970");
  return Number(text);
}
