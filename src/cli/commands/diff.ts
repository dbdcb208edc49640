import { once } from "node:events";
import type { Argv, CommandModule } from "yargs";
import { FILE_ASPECTS, type FileAspect } from "../../../converters/diff/aspects.ts";
import type { FileDifference } from "../../../converters/diff/files.ts";
import { displayPath } from "../../bytes/byte-path.ts";
import type { Context } from "../../context.ts";
import { optionValue } from "../errors.ts";
import { type Environment, type RunArguments, withContext } from "../options.ts";
import { sourceRegistryOptions } from "../registry-options.ts";
import { diskLine, fileLine } from "../render/difference.ts";
import { type FilesArguments, filesOptions, inputOptions, platformOption } from "./input-options.ts";

interface Arguments extends RunArguments, FilesArguments {
  readonly a: string;
  readonly b: string;
  readonly bytes: boolean;
  readonly ignore: readonly string[] | undefined;
  readonly exclude: readonly string[] | undefined;
}

function builder(yargs: Argv) {
  const { verify: _, ...options } = inputOptions;
  return yargs
    .positional("a", {
      type: "string",
      demandOption: true,
      describe: "A machine or an image; one of a disk or package counts as its machine",
    })
    .positional("b", { type: "string", demandOption: true, describe: "Another one" })
    .options({ ...options, ...platformOption, ...sourceRegistryOptions })
    .option("bytes", {
      type: "boolean",
      default: false,
      describe: "Compare the bytes of disks instead of files, also of those in images of a disk or package",
    })
    .option("ignore", {
      type: "string",
      array: true,
      nargs: 1,
      describe: `What does not count, also as a list with commas: ${FILE_ASPECTS.join(", ")}`,
    })
    .option("exclude", { type: "string", array: true, nargs: 1, describe: "Leave these paths out on both sides" })
    .example("$0 diff web01.ova oci:images:web01 --ignore mtime", "what a conversion has left out")
    .example("$0 diff --bytes web01.ova web01.qcow2", "the disks, block by block")
    .example("$0 diff --bytes web01.ova oci:images:web01-disk", "a disk, and the one in an image");
}

/** `transload diff A B`: ends with 0 where both are the same, with 1 where they differ. */
export function diffCommand(environment: Environment): CommandModule<object, Arguments> {
  return {
    command: "diff <a> <b>",
    describe: "Compare two machines or images by what they hold",
    builder: builder as never,
    handler: async (args) => {
      const ignore = aspectsOf(args.ignore ?? []);
      await withContext(args, environment, async (ctx) => {
        const summary: Counts = args.bytes ? await diskSummary(args, ctx) : await fileSummary(args, ignore, ctx);
        const { same, ...others } = summary;
        environment.exitCode = Object.values(others).some((count) => count > 0) ? 1 : 0;
        const words = Object.entries(summary).map(([name, count]) => `${count} ${WORDS[name] ?? name}`);
        process.stdout.write(args.json ? `${JSON.stringify({ schema: SCHEMA, summary })}\n` : `${words.join(", ")}\n`);
      });
    },
  };
}

type Counts = Readonly<Record<string, number>>;

const SCHEMA = "transload.diff/v1";
const WORDS: Readonly<Record<string, string>> = { onlyA: "only in the first", onlyB: "only in the second" };

function aspectsOf(words: readonly string[]): readonly FileAspect[] {
  return words
    .flatMap((word) => word.split(","))
    .map((word) => {
      const known = FILE_ASPECTS.find((aspect) => aspect === word.trim());
      if (known === undefined) throw optionValue("ignore", word, FILE_ASPECTS.join(", "));
      return known;
    });
}

async function fileSummary(args: Arguments, ignore: readonly FileAspect[], ctx: Context): Promise<Counts> {
  const { diffFiles } = await import("../../../converters/diff/files.ts");
  const options = { ...filesOptions(args), ignore, exclude: args.exclude ?? [] };
  const show = (found: FileDifference) => print(args.json ? fileJson(found) : fileLine(found), ctx);
  return { ...(await diffFiles(args.a, args.b, options, show, ctx)) };
}

async function diskSummary(args: Arguments, ctx: Context): Promise<Counts> {
  const { diffDisks } = await import("../../../converters/diff/disks.ts");
  const show = (found: Parameters<typeof diskLine>[0]) =>
    print(args.json ? JSON.stringify(found) : diskLine(found), ctx);
  return { ...(await diffDisks(args.a, args.b, filesOptions(args), show, ctx)) };
}

function fileJson(difference: FileDifference): string {
  const path = `/${displayPath(difference.path)}`;
  if (difference.change === "changed") return JSON.stringify({ ...difference, path });
  const { change, entry } = difference;
  return JSON.stringify({ change, path, type: entry.type, ...(entry.type === "file" && { size: entry.size }) });
}

/** Waits for a slow reader, so that a million lines do not fill the memory. */
async function print(line: string, { signal }: Context): Promise<void> {
  if (!process.stdout.write(`${line}\n`)) await once(process.stdout, "drain", { signal });
}
