import { readFileSync } from "node:fs";
import { describeFailure, Interrupted } from "./errors.ts";
import { toStderr } from "./log.ts";

/** The command line: sets `process.exitCode` as CLI exit codes go and ends when everything is cleaned up. */
export async function main(argv: readonly string[]): Promise<void> {
  // Asked by scripts at every start: answered before yargs is loaded, which alone takes 100 ms.
  if (argv.length === 1 && argv[0] === "--version") {
    process.stdout.write(`${version()}\n`);
    return;
  }
  const abort = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => abort.abort(new Interrupted(signal)));
  }
  process.stdout.on("error", (cause: NodeJS.ErrnoException) => {
    if (cause.code === "EPIPE") abort.abort(cause);
  });
  try {
    const { runCommandLine } = await import("./command-line.ts");
    process.exitCode = await runCommandLine(argv, version(), abort.signal);
  } catch (cause) {
    const failure = describeFailure(
      abort.signal.aborted && abort.signal.reason instanceof Interrupted ? abort.signal.reason : cause,
    );
    toStderr(`transload: ${failure.message}${failure.code === "INTERNAL" ? "" : ` (${failure.code})`}\n`);
    if (failure.hint !== undefined) toStderr(`  ${failure.hint}\n`);
    process.exitCode = failure.exit;
  }
}

function version(): string {
  // dist/src/cli/main.js and src/cli/main.ts are three and two levels below the package.
  for (const up of ["../../../package.json", "../../package.json"]) {
    try {
      const manifest = JSON.parse(readFileSync(new URL(up, import.meta.url), "utf8")) as {
        name?: string;
        version?: string;
      };
      if (manifest.name === "transload") return manifest.version ?? "";
    } catch {
      // Not this level.
    }
  }
  return "unknown";
}
