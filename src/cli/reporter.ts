import type { Diagnostic, ProgressEvent } from "../context.ts";
import { describeWhere } from "../errors.ts";
import { toStderr } from "./log.ts";

export type ProgressStyle = "auto" | "tty" | "plain" | "json" | "none";

const TTY_MS = 100;
const JSON_MS = 250;
const PLAIN_MS = 5000;
/** Diagnostics of one code that are shown; the others are only counted. */
const SHOWN_EACH = 5;

/**
 * Shows progress and diagnostics on stderr; stdout is the result's alone. Stages report as often as they like, lines come at
 * most 10 times a second on a terminal, 4 times in JSON, every 5 s otherwise.
 */
export class Reporter {
  readonly diagnostics: Diagnostic[] = [];
  readonly #style: Exclude<ProgressStyle, "auto">;
  readonly #quiet: boolean;
  readonly #counts = new Map<string, number>();
  /** Stages run side by side: each has its own clock. */
  readonly #started = new Map<string, { readonly at: number; readonly done: number }>();
  #shown = Date.now();
  #last: ProgressEvent | undefined;
  #barShown = false;

  constructor(style: ProgressStyle, quiet: boolean) {
    this.#style = style === "auto" ? (process.stderr.isTTY ? "tty" : "plain") : style;
    this.#quiet = quiet;
  }

  progress(event: ProgressEvent): void {
    const now = Date.now();
    const stage = `${event.stage}\0${event.item}`;
    if (!this.#started.has(stage)) this.#started.set(stage, { at: now, done: event.done });
    this.#last = event;
    if (this.#quiet || this.#style === "none") return;
    const pause = this.#style === "tty" ? TTY_MS : this.#style === "json" ? JSON_MS : PLAIN_MS;
    if (now - this.#shown < pause) return;
    this.#shown = now;
    this.show();
  }

  /** One line on where things stand, at once: SIGUSR1 asks for it. */
  show(): void {
    if (this.#last === undefined) return;
    const event = this.#last;
    const start = this.#started.get(`${event.stage}\0${event.item}`) ?? { at: this.#shown, done: 0 };
    const rate = ((event.done - start.done) * 1000) / Math.max(1, Date.now() - start.at);
    const left = event.total === undefined ? undefined : Math.max(0, (event.total - event.done) / Math.max(1, rate));
    if (this.#style === "json") {
      const line = {
        t: "progress",
        job: event.item,
        phase: event.stage,
        done: event.done,
        total: event.total,
        unit: "bytes",
      };
      toStderr(
        `${JSON.stringify({ ...line, rate: Math.round(rate), eta: left === undefined ? undefined : Math.round(left) })}\n`,
      );
    } else if (this.#style === "tty") {
      this.#barShown = true;
      toStderr(`\r\x1b[K${bar(event, rate, left)}`);
    } else {
      toStderr(`${event.stage} ${event.item}: ${amounts(event, rate, left)}\n`);
    }
  }

  diagnostic(diagnostic: Diagnostic): void {
    this.diagnostics.push(diagnostic);
    const count = (this.#counts.get(diagnostic.code) ?? 0) + 1;
    this.#counts.set(diagnostic.code, count);
    if (this.#quiet || diagnostic.severity === "info" || count > SHOWN_EACH) return;
    const where = describeWhere(diagnostic.where);
    this.line(`warning: ${diagnostic.message}${where === "" ? "" : `, ${where}`} (${diagnostic.code})`);
    if (diagnostic.advice !== undefined) this.line(`  ${diagnostic.advice}`);
  }

  /** A line of its own, above the bar if there is one. */
  line(text: string): void {
    this.clear();
    toStderr(`${text}\n`);
  }

  /** Tells what was only counted and leaves the terminal clean. */
  finish(): void {
    this.clear();
    if (this.#quiet) return;
    for (const [code, count] of this.#counts) {
      if (count > SHOWN_EACH && this.diagnostics.some((each) => each.code === code && each.severity === "warning")) {
        toStderr(`warning: ${count - SHOWN_EACH} more of ${code}\n`);
      }
    }
  }

  clear(): void {
    if (this.#barShown) toStderr("\r\x1b[K");
    this.#barShown = false;
  }
}

const WIDTH = 24;

function bar(event: ProgressEvent, rate: number, left: number | undefined): string {
  const part = event.total === undefined || event.total === 0 ? 0 : Math.min(1, event.done / event.total);
  const full = Math.round(part * WIDTH);
  return `${event.stage} ${event.item} [${"#".repeat(full)}${" ".repeat(WIDTH - full)}] ${amounts(event, rate, left)}`;
}

function amounts(event: ProgressEvent, rate: number, left: number | undefined): string {
  const total = event.total === undefined ? "" : ` of ${bytes(event.total)}`;
  const eta = left === undefined ? "" : `, ${Math.ceil(left)} s left`;
  return `${bytes(event.done)}${total}, ${bytes(rate)}/s${eta}`;
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** A size for people: three digits and a binary unit. */
export function bytes(count: number): string {
  let value = count;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = unit === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}
