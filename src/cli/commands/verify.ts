import type { CommandModule } from "yargs";
import { describeWhere } from "../../errors.ts";
import { type Environment, type RunArguments, withContext } from "../options.ts";
import { sourceRegistryOptions } from "../registry-options.ts";

interface Arguments extends RunArguments {
  readonly source: string;
}

/** `transload verify SOURCE` */
export function verifyCommand(environment: Environment): CommandModule<object, Arguments> {
  return {
    command: "verify <source>",
    describe: "Check a package or an image: digests, structure, every file",
    builder: ((yargs: import("yargs").Argv) =>
      yargs
        .positional("source", { type: "string", demandOption: true, describe: "A machine or an image" })
        .options(sourceRegistryOptions)
        .example("$0 verify web01.ova", "manifest, signature, disks and file systems")
        .example("$0 verify oci:images:web01", "digests, media types, layers")) as never,
    handler: async (args) => {
      await withContext(args, environment, async (ctx, reporter) => {
        const { verify } = await import("../../../converters/verify.ts");
        const report = await verify(args.source, ctx);
        for (const finding of report.findings) {
          const where = describeWhere(finding.where ?? {});
          reporter.line(`${finding.severity}: ${finding.message}${where === "" ? "" : `, ${where}`} (${finding.code})`);
        }
        process.stdout.write(
          args.json ? `${JSON.stringify(report)}\n` : `${report.ok ? "ok" : "not ok"}: ${report.summary}\n`,
        );
        environment.exitCode = report.ok ? 0 : 1;
      });
    },
  };
}
