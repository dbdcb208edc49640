import { writeFileSync } from "node:fs";
import type { Argv, CommandModule } from "yargs";
import type { ConvertRequest } from "../../../converters/convert.ts";
import { fileError } from "../../bytes/file-source.ts";
import { type Environment, isStandardOutput, type RunArguments, withContext } from "../options.ts";
import { registryOptions } from "../registry-options.ts";
import { renderPlan } from "../render/plan.ts";

interface Arguments extends RunArguments {
  readonly source: string;
  readonly destination: string;
  readonly all: boolean;
  readonly platform: string | undefined;
  readonly tag: string | undefined;
  readonly force: boolean;
  readonly digestfile: string | undefined;
  readonly dryRun: boolean;
}

function builder(yargs: Argv) {
  return yargs
    .positional("source", { type: "string", demandOption: true, describe: "The image: docker://REF, oci:DIR:TAG..." })
    .positional("destination", { type: "string", demandOption: true, describe: "Where it goes" })
    .options(registryOptions)
    .option("all", {
      type: "boolean",
      default: false,
      describe: "All images of an index, and the index itself, instead of one",
    })
    .option("platform", {
      type: "string",
      describe: "The image of an index to copy, linux/arm64 [default: the first for Linux]",
    })
    .option("tag", { type: "string", describe: "Full name of the image, repository:tag, for archives" })
    .option("force", { type: "boolean", default: false, describe: "Replace an image of the same name" })
    .option("digestfile", { type: "string", describe: "Write the manifest's digest into this file" })
    .option("dry-run", { type: "boolean", default: false, describe: "Print what would be copied" })
    .conflicts("all", "platform")
    .example("$0 copy docker-archive:web.tar oci:images:web", "prints the digest of the image")
    .example("$0 copy docker://HOST/web:1.0 docker://OTHER/web:1.0", "what is there already is not sent")
    .example("$0 copy --all oci:images:web oci-archive:web.tar:1.0", "every platform");
}

/** `transload copy SOURCE DESTINATION` */
export function copyCommand(environment: Environment): CommandModule<object, Arguments> {
  return {
    command: "copy <source> <destination>",
    describe: "Copy an image to another place, byte for byte",
    builder: builder as never,
    handler: async (args) => {
      const { source, destination, all, force, platform, tag } = args;
      const request: ConvertRequest = {
        source,
        destination,
        all,
        force,
        ...(platform === undefined ? {} : { platform }),
        ...(tag === undefined ? {} : { tag }),
      };
      await withContext(args, environment, async (ctx) => {
        const { copy, planConversion } = await import("../../../converters/convert.ts");
        if (args.dryRun) {
          const plan = await planConversion(request, ctx);
          process.stdout.write(args.json ? `${JSON.stringify(plan)}\n` : renderPlan(plan));
          return;
        }
        const result = await copy(request, ctx);
        if (args.digestfile !== undefined) writeFile(args.digestfile, `${result.target?.digest}\n`);
        if (isStandardOutput(destination)) return;
        process.stdout.write(`${args.json ? JSON.stringify(result) : result.target?.digest}\n`);
      });
    },
  };
}

function writeFile(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (cause) {
    throw fileError(cause, path);
  }
}
