import type { CommandModule } from "yargs";
import { type Environment, type RunArguments, withContext } from "../options.ts";
import { sourceRegistryOptions } from "../registry-options.ts";
import { renderInspection } from "../render/inspection.ts";
import { type FilesArguments, filesOptions, inputOptions, platformOption } from "./input-options.ts";

interface Arguments extends RunArguments, FilesArguments {
  readonly files: boolean;
  readonly source: string;
}

/** `transload inspect SOURCE` */
export function inspectCommand(environment: Environment): CommandModule<object, Arguments> {
  return {
    command: "inspect <source>",
    describe: "Show what is in a machine or an image",
    builder: ((yargs: import("yargs").Argv) =>
      yargs
        .positional("source", { type: "string", demandOption: true, describe: "A machine or an image" })
        .options({ ...inputOptions, ...platformOption, ...sourceRegistryOptions })
        .option("files", {
          type: "boolean",
          default: false,
          group: "Input:",
          describe: "Read the layers of an image too: its system, files and bytes",
        })
        .example("$0 inspect web01.ova", "hardware, disks, file systems, guest, services, ports")
        .example("$0 inspect docker://HOST/web01:1.0", "an image where it is, without fetching its layers")
        .example("$0 inspect web01.ova --json | jq '.machines[0].guest.services'", "for scripts")) as never,
    handler: async (args) => {
      await withContext(args, environment, async (ctx) => {
        const { inspect } = await import("../../../converters/inspect.ts");
        const inspection = await inspect(args.source, { ...filesOptions(args), files: args.files }, ctx);
        process.stdout.write(args.json ? `${JSON.stringify(inspection)}\n` : renderInspection(inspection));
      });
    },
  };
}
