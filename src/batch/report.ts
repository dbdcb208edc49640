import { appendFileSync, existsSync, readFileSync, rmSync } from "node:fs";
import type { ConversionResult } from "../../converters/result.ts";
import { fileError } from "../bytes/file-source.ts";
import { reportExists, reportLine, reportUnwritable } from "./errors.ts";

/** One line of a report: the result of a conversion, with what the batch knows of it. */
export interface ReportLine extends ConversionResult {
  readonly destination: string;
  /** How often it was tried. */
  readonly attempts: number;
  /** RFC 3339. */
  readonly ended: string;
}

/** The lines of a whole batch in numbers. */
export interface Summary {
  readonly total: number;
  readonly ok: number;
  readonly skipped: number;
  readonly failed: number;
  /** Bytes. */
  readonly bytesRead: number;
  readonly bytesWritten: number;
  readonly bytesReused: number;
}

/** Adds a line; each stands in the file before the next conversion begins. Throws InputOutputError BATCH_REPORT_WRITE. */
export function appendLine(file: string, line: ReportLine): void {
  try {
    appendFileSync(file, `${JSON.stringify(line)}\n`);
  } catch (cause) {
    throw reportUnwritable(file, cause);
  }
}

/** The lines of report files. Throws NotFoundError FILE_NOT_FOUND, UsageError BATCH_REPORT_LINE. */
export function readReports(files: readonly string[]): ReportLine[] {
  return files.flatMap((file) => {
    const lines = textOf(file).split("\n");
    return lines.flatMap((line, index) => {
      if (line.trim() === "") return [];
      const parsed = parseLine(line);
      if (parsed !== undefined) return [parsed];
      // The last line of a worker that was killed while it wrote it; its item counts as not done.
      if (index === lines.length - 1) return [];
      throw reportLine(file, index + 1);
    });
  });
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw fileError(cause, file);
  }
}

function parseLine(text: string): ReportLine | undefined {
  try {
    const line = JSON.parse(text) as Partial<ReportLine> | null;
    const isLine =
      line?.schema === "transload.result/v1" &&
      typeof line.source?.ref === "string" &&
      typeof line.destination === "string" &&
      (line.status === "ok" || line.status === "skipped" || line.status === "failed");
    return isLine ? (line as ReportLine) : undefined;
  } catch {
    return undefined;
  }
}

/** What is known last of each item: a report may tell of several tries, and several reports of one item. */
export function latest(lines: readonly ReportLine[]): ReportLine[] {
  const byItem = new Map<string, ReportLine>();
  for (const line of lines) {
    const key = `${line.source.ref}\0${line.destination}`;
    const known = byItem.get(key);
    if (known === undefined || known.ended <= line.ended) byItem.set(key, line);
  }
  return [...byItem.values()];
}

/**
 * Begins a report, or goes on with it: answers what it tells of each item, nothing for a new one. Throws OutputError
 * BATCH_REPORT_EXISTS for one that is neither to be gone on with nor to be replaced.
 */
export function openReport(
  file: string,
  { resume, force }: { readonly resume: boolean; readonly force: boolean },
): ReportLine[] {
  if (!existsSync(file)) return [];
  if (resume) return latest(readReports([file]));
  if (!force) throw reportExists(file);
  rmSync(file);
  return [];
}

export function summarise(lines: readonly ReportLine[]): Summary {
  const count = (status: ReportLine["status"]) => lines.filter((line) => line.status === status).length;
  const sum = (value: (line: ReportLine) => number | undefined) =>
    lines.reduce((total, line) => total + (value(line) ?? 0), 0);
  return {
    total: lines.length,
    ok: count("ok"),
    skipped: count("skipped"),
    failed: count("failed"),
    bytesRead: sum(({ status, source }) => (status === "ok" ? source.size : 0)),
    bytesWritten: sum(({ stats }) => stats?.bytesWritten),
    bytesReused: sum(({ stats }) => stats?.bytesReused),
  };
}
