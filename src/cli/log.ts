import { writeSync } from "node:fs";
import { pino } from "pino";
import type { Logger } from "../context.ts";

export type LogFormat = "text" | "json";

const STDERR = 2;

/** Writes to stderr at once, however it is connected: a crash loses no line. */
export function toStderr(text: string): void {
  for (let bytes = Buffer.from(text); bytes.length > 0; ) {
    try {
      bytes = bytes.subarray(writeSync(STDERR, bytes));
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      if (code !== "EAGAIN") return;
    }
  }
}

/** The command line's logger: pino to stderr, without threads; `text` is one plain line each. */
export function createLog(level: "warn" | "info" | "debug", format: LogFormat): Logger {
  return pino({ level, base: null }, { write: (line: string) => toStderr(format === "json" ? line : asText(line)) });
}

function asText(line: string): string {
  const { level, time: _, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const label = Number(level) >= 40 ? "warning: " : "";
  const rest = Object.entries(fields).map(
    ([name, value]) => ` ${name}=${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  return `${label}${String(msg)}${rest.join("")}\n`;
}
