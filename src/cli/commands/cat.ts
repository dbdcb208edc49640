import type { CommandModule } from "yargs";
import { bytePath } from "../../bytes/byte-path.ts";
import { noSuchPath, notAFile } from "../errors.ts";
import { type Environment, type RunArguments, withContext } from "../options.ts";
import { sourceRegistryOptions } from "../registry-options.ts";
import { type FilesArguments, filesOptions, inputOptions, platformOption } from "./input-options.ts";

interface Arguments extends RunArguments, FilesArguments {
  readonly source: string;
  readonly path: string;
}

/** `transload cat SOURCE PATH` */
export function catCommand(environment: Environment): CommandModule<object, Arguments> {
  return {
    command: "cat <source> <path>",
    describe: "Print a file of a machine or an image",
    builder: ((yargs: import("yargs").Argv) =>
      yargs
        .positional("source", { type: "string", demandOption: true, describe: "A machine or an image" })
        .positional("path", {
          type: "string",
          demandOption: true,
          describe: "A file in it; symlinks are followed inside the machine",
        })
        .options({ ...inputOptions, ...platformOption, ...sourceRegistryOptions })
        .example("$0 cat web01.ova /etc/os-release", "to standard output")) as never,
    handler: async (args) => {
      await withContext(args, environment, async (ctx) => {
        const { openFilesAt } = await import("../../../converters/files.ts");
        await using opened = await openFilesAt(args.source, filesOptions(args), ctx);
        const entry = await opened.tree.follow(bytePath(args.path.replace(/^\/+/, "")));
        if (entry === undefined) throw noSuchPath(args.path, args.source);
        if (entry.type !== "file") throw notAFile(args.path, entry.type);
        for await (const chunk of opened.content(entry)) {
          ctx.signal.throwIfAborted();
          if (chunk.kind === "data") await write(chunk.bytes);
          else
            for (let left = chunk.length; left > 0; left -= ZEROS.length)
              await write(ZEROS.subarray(0, Math.min(left, ZEROS.length)));
        }
      });
    },
  };
}

const ZEROS = Buffer.alloc(256 << 10);

/** Waits until the reader has taken it, so that a slow one does not fill the memory. */
async function write(bytes: Uint8Array): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    process.stdout.write(Buffer.from(bytes), (error) => (error ? reject(error) : resolve()));
  });
}
