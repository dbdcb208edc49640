import type { ReportLine, Summary } from "../../batch/report.ts";
import { bytes } from "../reporter.ts";

/** What came of a batch, for people: the failed items first, since they are what is left to do. */
export function renderSummary(summary: Summary, lines: readonly ReportLine[]): string {
  const { total, ok, skipped, failed, bytesRead, bytesWritten, bytesReused } = summary;
  const failures = lines.flatMap(({ status, source, error }) =>
    status !== "failed" || error === undefined
      ? []
      : [
          `failed ${source.ref}: ${error.message} (${error.code}, exit code ${error.exit})`,
          ...(error.hint ? [`  ${error.hint}`] : []),
        ],
  );
  const counts = `${total} items: ${ok} done, ${skipped} skipped, ${failed} failed`;
  const sizes = `${bytes(bytesRead)} read, ${bytes(bytesWritten)} written, ${bytes(bytesReused)} reused`;
  return `${[...failures, counts, sizes].join("\n")}\n`;
}
