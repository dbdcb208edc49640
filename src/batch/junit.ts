import type { ReportLine } from "./report.ts";

/** A report as JUnit XML, the form in which CI systems show test cases: one case for each appliance. */
export function junitXml(lines: readonly ReportLine[], suite: string): string {
  const failed = lines.filter(({ status }) => status === "failed").length;
  const skipped = lines.filter(({ status }) => status === "skipped").length;
  const seconds = lines.reduce((sum, line) => sum + secondsOf(line), 0);
  const counts = `tests="${lines.length}" failures="${failed}" skipped="${skipped}" time="${seconds.toFixed(3)}"`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites ${counts}>`,
    `<testsuite name="${escaped(suite)}" ${counts}>`,
    ...lines.map(testCase),
    "</testsuite>",
    "</testsuites>",
    "",
  ].join("\n");
}

function testCase(line: ReportLine): string {
  const { source, destination, status, error, warnings, target } = line;
  const attributes = `name="${escaped(source.ref)}" classname="${escaped(destination)}" time="${secondsOf(line).toFixed(3)}"`;
  const told = warnings.map(({ code, path, message }) => `${code} ${path ?? ""} ${message}`);
  if (target !== undefined) told.unshift(target.digest ?? "");
  const output = told.length === 0 ? "" : `<system-out>${escaped(told.join("\n"))}</system-out>`;
  if (status === "skipped") return `<testcase ${attributes}><skipped/>${output}</testcase>`;
  if (status === "ok" || error === undefined) return `<testcase ${attributes}>${output}</testcase>`;
  const failure = `<failure message="${escaped(error.message)}" type="${escaped(error.code)}">${escaped(error.hint ?? "")}</failure>`;
  return `<testcase ${attributes}>${failure}${output}</testcase>`;
}

function secondsOf({ stats }: ReportLine): number {
  return (stats?.wallMs ?? 0) / 1000;
}

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

/** XML 1.0 has no way to write most control characters. */
function escaped(text: string): string {
  return text
    .replace(/[^\t\n\r\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, "\ufffd")
    .replace(/[&<>"]/g, (character) => ENTITIES[character] ?? character);
}
