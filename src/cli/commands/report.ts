import { writeFileSync } from "node:fs";
import type { CommandModule } from "yargs";
import { type Environment, type RunArguments, withContext } from "../options.ts";
import { renderSummary } from "../render/summary.ts";

interface Arguments extends RunArguments {
  readonly files: readonly string[];
  readonly junit: string | undefined;
}

/** Exit code of reports that tell of failed items. */
const SOME_FAILED = 3;

/** `transload report FILE...` */
export function reportCommand(environment: Environment): CommandModule<object, Arguments> {
  return {
    command: "report <files..>",
    describe: "Merge the reports of several machines; exit code 3 if an item failed",
    builder: ((yargs: import("yargs").Argv) =>
      yargs
        .positional("files", { type: "string", array: true, demandOption: true, describe: "Reports of batch" })
        .option("junit", { type: "string", group: "Report:", describe: "Write the results as JUnit XML too" })
        .example("$0 report shard-*.jsonl --junit results.xml", "for a CI system")) as never,
    handler: async (args) => {
      await withContext(args, environment, async () => {
        const { latest, readReports, summarise } = await import("../../batch/report.ts");
        const lines = latest(readReports(args.files));
        const summary = summarise(lines);
        if (args.junit !== undefined) {
          const { junitXml } = await import("../../batch/junit.ts");
          writeFileSync(args.junit, junitXml(lines, "transload batch"));
        }
        process.stdout.write(args.json ? `${JSON.stringify(summary)}\n` : renderSummary(summary, lines));
        environment.exitCode = summary.failed > 0 ? SOME_FAILED : 0;
      });
    },
  };
}
