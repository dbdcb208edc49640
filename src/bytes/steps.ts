import { type Awaitable, isPromise } from "./byte-source.ts";

/**
 * A computation that pauses only where bytes are not at hand yet. Readers of metadata are written as generators of this
 * type and call each other with `yield*`: over a local file they run through without a single promise, over anything else
 * they wait where they must, and there is one code for both.
 */
export type Steps<T> = Generator<Promise<unknown>, T, unknown>;

/** Inside a computation: the value, after a pause if it is still a promise. */
export function* settled<T>(value: Awaitable<T>): Steps<T> {
  return isPromise(value) ? ((yield value) as T) : value;
}

/** Runs a computation: the answer is a value if nothing had to be waited for. */
export function run<T>(steps: Steps<T>): Awaitable<T> {
  const first = steps.next();
  return first.done === true ? first.value : finish(steps, first.value);
}

async function finish<T>(steps: Steps<T>, pending: Promise<unknown>): Promise<T> {
  let waiting = pending;
  for (;;) {
    const next = await waiting.then(
      (value) => steps.next(value),
      (cause) => steps.throw(cause),
    );
    if (next.done === true) return next.value;
    waiting = next.value;
  }
}
