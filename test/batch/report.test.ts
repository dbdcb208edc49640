import { appendFileSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { junitXml } from "../../src/batch/junit.ts";
import { appendLine, latest, openReport, type ReportLine, readReports, summarise } from "../../src/batch/report.ts";
import { createContext } from "../../src/context.ts";
import { parseXml } from "../../src/ovf/xml.ts";

const folder = mkdtempSync(join(tmpdir(), "report-"));
const line = (ref: string, status: ReportLine["status"], ended: string): ReportLine => ({
  schema: "transload.result/v1",
  status,
  source: { ref, size: 100 },
  warnings: status === "ok" ? [{ code: "W", path: "etc/x", message: "<lost> & \u0001" }] : [],
  destination: `oci:${ref}`,
  attempts: 1,
  ended,
  ...(status === "failed" ? { error: { code: "E", exit: 65, message: 'a "broken" disk', retryable: false } } : {}),
  ...(status === "ok" ? { stats: { wallMs: 1500, bytesWritten: 10, bytesReused: 4, tempBytes: 0 } } : {}),
});

describe("a report", () => {
  it("is read as it was written, the last word on each item counts, over several files", () => {
    const [one, two] = [join(folder, "1"), join(folder, "2")];
    for (const each of [line("a", "failed", "2026-01-01"), line("b", "ok", "2026-01-02")]) appendLine(one, each);
    for (const each of [line("a", "ok", "2026-01-03"), line("c", "skipped", "2026-01-03")]) appendLine(two, each);
    const lines = latest(readReports([two, one]));
    expect(lines.map(({ source, status }) => `${source.ref} ${status}`).sort()).toEqual(["a ok", "b ok", "c skipped"]);
    expect(summarise(lines)).toEqual({
      total: 3,
      ok: 2,
      skipped: 1,
      failed: 0,
      bytesRead: 200,
      bytesWritten: 20,
      bytesReused: 8,
    });
  });

  it("may end in half a line, where its writer was killed, but has no other nonsense in it", () => {
    const file = join(folder, "half");
    appendLine(file, line("a", "ok", "2026-01-01"));
    appendFileSync(file, '{"schema":"transload.res');
    expect(readReports([file])).toHaveLength(1);
    appendFileSync(file, "\n");
    expect(() => readReports([file])).toThrow(expect.objectContaining({ code: "BATCH_REPORT_LINE", exitCode: 2 }));
    expect(() => readReports([join(folder, "none")])).toThrow(expect.objectContaining({ code: "FILE_NOT_FOUND" }));
    expect(() => appendLine(join(folder, "no", "such"), line("a", "ok", ""))).toThrow(
      expect.objectContaining({ code: "BATCH_REPORT_WRITE" }),
    );
  });

  it("is gone on with or replaced only on request", () => {
    const file = join(folder, "again");
    expect(openReport(file, { resume: false, force: false })).toEqual([]);
    writeFileSync(file, `${JSON.stringify(line("a", "ok", "2026"))}\n`);
    expect(() => openReport(file, { resume: false, force: false })).toThrow(
      expect.objectContaining({ code: "BATCH_REPORT_EXISTS", exitCode: 73 }),
    );
    expect(openReport(file, { resume: true, force: false })).toHaveLength(1);
    expect(openReport(file, { resume: false, force: true })).toEqual([]);
    expect(() => readReports([file])).toThrow();
  });

  it("is well-formed as JUnit XML, whatever the messages hold", () => {
    const lines = [line("a", "ok", ""), line("b<&>", "failed", ""), line("c", "skipped", "")];
    const xml = junitXml(lines, "night");
    expect(xml).toContain('<testsuite name="night" tests="3" failures="1" skipped="1" time="1.500">');
    expect(xml).toContain('<failure message="a &quot;broken&quot; disk" type="E">');
    const root = parseXml(Buffer.from(xml), "junit.xml", createContext());
    expect(JSON.stringify(root)).toContain("b<&>");
  });
});
