import type { Context } from "../context.ts";
import type { Where } from "../errors.ts";
import { parseCount } from "./units.ts";
import type { Span } from "./xml.ts";

/** Reports what is odd in one descriptor, with its place, and reads on. */
export class Oddities {
  readonly #name: string;
  readonly #ctx: Context;

  constructor(name: string, ctx: Context) {
    this.#name = name;
    this.#ctx = ctx;
  }

  /** Offsets are those of the decoded text, which differ from bytes behind non-ASCII characters. */
  where(span: Span): Where {
    return { file: this.#name, offset: span.start };
  }

  warn(code: string, message: string, span: Span): void {
    this.#ctx.diagnostic({ code, severity: "warning", message, where: this.where(span) });
  }

  inform(code: string, message: string, span: Span): void {
    this.#ctx.diagnostic({ code, severity: "info", message, where: this.where(span) });
  }

  /** A whole number; one that is none, negative or beyond 2^53 is reported and counts as absent. */
  count(text: string | undefined, what: string, span: Span): number | undefined {
    const trimmed = text?.trim() ?? "";
    if (trimmed === "") return undefined;
    const value = parseCount(trimmed);
    if (value === undefined) this.warn("OVF_NUMBER_INVALID", `${what} is ${JSON.stringify(trimmed)}`, span);
    return value;
  }
}
