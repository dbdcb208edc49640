import type { CommandModule } from "yargs";
import { bytePath, displayPath } from "../../bytes/byte-path.ts";
import type { Entry } from "../../bytes/entry.ts";
import { noSuchPath } from "../errors.ts";
import { type Environment, type RunArguments, withContext } from "../options.ts";
import { sourceRegistryOptions } from "../registry-options.ts";
import { type FilesArguments, filesOptions, inputOptions, platformOption } from "./input-options.ts";

interface Arguments extends RunArguments, FilesArguments {
  readonly source: string;
  readonly path: string;
  readonly long: boolean;
  readonly recursive: boolean;
}

/** `transload ls SOURCE [PATH]` */
export function lsCommand(environment: Environment): CommandModule<object, Arguments> {
  return {
    command: "ls <source> [path]",
    describe: "List files inside a machine or an image",
    builder: ((yargs: import("yargs").Argv) =>
      yargs
        .positional("source", { type: "string", demandOption: true, describe: "A machine or an image" })
        .positional("path", { type: "string", default: "/", describe: "A directory or file in it" })
        .options({ ...inputOptions, ...platformOption, ...sourceRegistryOptions })
        .option("long", {
          type: "boolean",
          alias: "l",
          default: false,
          describe: "Type, mode, owner, size and time as well",
        })
        .option("recursive", { type: "boolean", alias: "R", default: false, describe: "Everything below, too" })
        .example("$0 ls -l web01.ova /etc", "a directory of the machine")
        .example("$0 ls -R oci:images:web01", "all files, as the layers have them together")) as never,
    handler: async (args) => {
      await withContext(args, environment, async (ctx) => {
        const { openFilesAt } = await import("../../../converters/files.ts");
        await using opened = await openFilesAt(args.source, filesOptions(args), ctx);
        const { tree } = opened;
        const start = await tree.follow(bytePath(args.path.replace(/^\/+|\/+$/g, "")));
        if (start === undefined) throw noSuchPath(args.path, args.source);
        const show = (entry: Entry) =>
          void process.stdout.write(args.json ? jsonLine(entry) : textLine(entry, args.long));
        if (start.type !== "directory") show(start);
        else if (!args.recursive) (await tree.list(start.path)).forEach(show);
        else for await (const entry of below(tree, start.path)) show(entry);
      });
    },
  };
}

async function* below(
  tree: Pick<import("../../../converters/guest/tree.ts").GuestTree, "walk">,
  path: string,
): AsyncIterable<Entry> {
  const inside = (entry: Entry) => path === "" || entry.path === path || entry.path.startsWith(`${path}/`);
  const leadsTo = (entry: Entry) => entry.path === "" || path.startsWith(`${entry.path}/`);
  for await (const entry of tree.walk((directory) => inside(directory) || leadsTo(directory)))
    if (inside(entry)) yield entry;
}

const TYPE_LETTERS: Readonly<Record<Entry["type"], string>> = {
  file: "-",
  directory: "d",
  symlink: "l",
  "character-device": "c",
  "block-device": "b",
  fifo: "p",
  socket: "s",
};

function textLine(entry: Entry, long: boolean): string {
  const path = `/${displayPath(entry.path)}`.replace(
    /\p{Cc}/gu,
    (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
  if (!long) return `${path}\n`;
  const size = entry.type === "file" ? String(entry.size) : "major" in entry ? `${entry.major},${entry.minor}` : "0";
  const owner = `${entry.uid}:${entry.gid}`.padEnd(11);
  const link = entry.type === "symlink" ? ` -> ${displayPath(entry.target)}` : "";
  const mode = entry.mode.toString(8).padStart(4, "0");
  return `${TYPE_LETTERS[entry.type]}${mode} ${String(entry.links).padStart(3)} ${owner} ${size.padStart(12)} ${time(entry)} ${path}${link}\n`;
}

function time({ mtime }: Entry): string {
  const date = new Date(mtime.seconds * 1000);
  return Number.isNaN(date.getTime()) ? String(mtime.seconds) : date.toISOString().replace(/\.\d+Z$/, "Z");
}

function jsonLine(entry: Entry): string {
  const { path, xattrs, ...rest } = entry;
  const attributes = Object.fromEntries(
    [...xattrs].map(([name, value]) => [name, Buffer.from(value).toString("base64")]),
  );
  return `${JSON.stringify({ path: `/${displayPath(path)}`, ...rest, xattrs: attributes })}\n`;
}
