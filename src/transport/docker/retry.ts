import { setTimeout as wait } from "node:timers/promises";
import type { Context } from "../../context.ts";
import type { Answer } from "./exchange.ts";
import { networkError } from "./http.ts";

/** Answers that may be another one a little later. */
export function isPassing(status: number): boolean {
  return status === 408 || status === 429 || (status >= 500 && status !== 501 && status !== 505);
}

const LONGEST = 60_000;
/** A registry that wants us gone for longer is told of instead: a scheduler waits cheaper than we do. */
const LONGEST_ASKED = 300_000;

/** The attempts that are left for one piece of work. */
export class Retries {
  readonly #ctx: Context;
  #used = 0;

  constructor(ctx: Context) {
    this.#ctx = ctx;
  }

  /** Waits as long as is fitting, or as the answer asks for; false when no attempt is left. */
  async again(answer?: Answer): Promise<boolean> {
    const { registries, signal, log } = this.#ctx;
    if (this.#used >= registries.retries) return false;
    const own = Math.min(registries.backoff * 2 ** this.#used, LONGEST) * (0.5 + Math.random() / 2);
    const asked = retryAfter(answer?.header("retry-after"));
    if (asked > LONGEST_ASKED) return false;
    this.#used += 1;
    const pause = Math.max(own, asked);
    log.info({ attempt: this.#used, ms: Math.round(pause), status: answer?.status }, "the registry is asked again");
    answer?.discard();
    try {
      await wait(pause, undefined, { signal });
    } catch {
      signal.throwIfAborted();
    }
    return true;
  }
}

/** RFC 9110 10.2.3: seconds, or a date. Milliseconds from now. */
function retryAfter(text: string | undefined): number {
  if (text === undefined) return 0;
  const asked = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isFinite(asked) ? Math.max(0, asked) : 0;
}

/**
 * Does `work`, again where the connection breaks or the answer is a passing one. The last answer is given, whatever it is.
 * Throws what `networkError` makes of a failure.
 */
export async function retrying(url: URL, work: () => Promise<Answer>, ctx: Context): Promise<Answer> {
  const retries = new Retries(ctx);
  for (;;) {
    try {
      const answer = await work();
      if (!isPassing(answer.status) || !(await retries.again(answer))) return answer;
    } catch (cause) {
      const error = networkError(cause, url, ctx.signal);
      if (error.code !== "REGISTRY_CONNECTION" || !(await retries.again())) throw error;
    }
  }
}
