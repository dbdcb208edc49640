import yargs, { type ArgumentsCamelCase, type Argv } from "yargs";
import { ConverterError } from "../errors.ts";
import { batchCommand } from "./commands/batch.ts";
import { catCommand } from "./commands/cat.ts";
import { completionCommand } from "./commands/completion.ts";
import { convertCommand } from "./commands/convert.ts";
import { copyCommand } from "./commands/copy.ts";
import { diffCommand } from "./commands/diff.ts";
import { inspectCommand } from "./commands/inspect.ts";
import { lsCommand } from "./commands/ls.ts";
import { reportCommand } from "./commands/report.ts";
import { verifyCommand } from "./commands/verify.ts";
import { readConfig } from "./config.ts";
import { commandLine } from "./errors.ts";
import { type Environment, runOptions } from "./options.ts";
import { SECRET_OPTIONS } from "./registry-options.ts";

/** Reads the words, runs the command that they name, and answers the exit code. Throws what the command throws. */
export async function runCommandLine(argv: readonly string[], version: string, signal: AbortSignal): Promise<number> {
  const environment: Environment = { signal, version, argv, exitCode: 0 };
  const config = await readConfig(configOption(argv), process.cwd());
  const parser = createParser(environment).config(config);
  if (argv.length === 0) {
    parser.showHelp("log");
    return 2;
  }
  try {
    await parser.parseAsync([...argv]);
  } catch (cause) {
    if (!(cause instanceof ConfigPrinted)) throw cause;
  }
  return environment.exitCode;
}

/** Ends a command line whose options were only to be shown. */
class ConfigPrinted extends Error {}

function printConfig({
  _: words,
  $0: _,
  printConfig: asked,
  ...args
}: ArgumentsCamelCase<{ printConfig?: boolean | undefined }>): void {
  if (asked !== true) return;
  const named = Object.entries(args).filter(
    ([name, value]) => value !== undefined && !/[A-Z]/.test(name) && name.length > 1,
  );
  const shown = named.map(([name, value]) => [name, SECRET_OPTIONS.includes(name) ? "(not shown)" : value]);
  process.stdout.write(`${JSON.stringify({ command: words[0], ...Object.fromEntries(shown) }, null, 2)}\n`);
  throw new ConfigPrinted();
}

function createParser(environment: Environment): Argv {
  const parser = yargs();
  return parser
    .scriptName("transload")
    .usage("$0 <command>\n\nConverts virtual appliances into OCI images, and looks into both.")
    .locale("en")
    .exitProcess(false)
    .parserConfiguration({
      "parse-positional-numbers": false,
      "parse-numbers": false,
    })
    .env("TRANSLOAD")
    .options(runOptions)
    .option("config", {
      type: "string",
      group: "Run:",
      describe: "Options from a YAML file [default: transload.yaml, upward]",
    })
    .option("print-config", {
      type: "boolean",
      group: "Run:",
      describe: "Print the options that are in force, and end",
    })
    .middleware((args) => lastOfEach(args, parser), true)
    .middleware(printConfig)
    .command(convertCommand(environment))
    .command(copyCommand(environment))
    .command(inspectCommand(environment))
    .command(lsCommand(environment))
    .command(catCommand(environment))
    .command(verifyCommand(environment))
    .command(diffCommand(environment))
    .command(batchCommand(environment))
    .command(reportCommand(environment))
    .command(completionCommand)
    .demandCommand(1, "a command is missing")
    .strict()
    .recommendCommands()
    .version(environment.version)
    .help()
    .alias("help", "h")
    .wrap(100)
    .fail((message, error) => {
      // yargs hands over our own errors from handlers, and those that its coerce has wrapped.
      if (error instanceof ConverterError || (error !== undefined && message === null)) throw error;
      throw commandLine(message ?? error?.message ?? "the command line is wrong");
    });
}

/** Of an option that is given twice the last word counts, unless it takes a list: only then does yargs's array stay one. */
function lastOfEach(args: Record<string, unknown>, parser: Argv): void {
  const { array } = (parser as unknown as { getOptions(): { readonly array: readonly string[] } }).getOptions();
  const lists = new Set(
    array.flatMap((name) => [name, name.replace(/-([a-z])/g, (_, letter) => letter.toUpperCase())]),
  );
  for (const [name, value] of Object.entries(args)) {
    if (Array.isArray(value) && name !== "_" && !lists.has(name)) args[name] = value.at(-1);
  }
}

/** `--config FILE` must be known before the other options are read. */
function configOption(argv: readonly string[]): string | undefined {
  const at = argv.findIndex((word) => word === "--config" || word.startsWith("--config="));
  const word = argv[at];
  if (word === undefined) return process.env["TRANSLOAD_CONFIG"];
  return word.includes("=") ? word.slice(word.indexOf("=") + 1) : argv[at + 1];
}
