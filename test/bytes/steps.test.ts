import { describe, expect, it } from "vitest";
import type { Awaitable } from "../../src/bytes/byte-source.ts";
import { run, type Steps, settled } from "../../src/bytes/steps.ts";

function* sum(values: readonly Awaitable<number>[]): Steps<number> {
  let total = 0;
  for (const value of values) total += yield* settled(value);
  return total;
}

function* caught(value: Awaitable<number>): Steps<string> {
  try {
    return String(yield* settled(value));
  } catch (cause) {
    return `caught ${(cause as Error).message}`;
  }
}

describe("steps", () => {
  it("answers with a value where nothing had to be waited for", () => {
    expect(run(sum([1, 2, 3]))).toBe(6);
  });

  it("waits for promises in their order", async () => {
    const answer = run(sum([1, Promise.resolve(2), 3, Promise.resolve(4)]));
    expect(answer).toBeInstanceOf(Promise);
    expect(await answer).toBe(10);
  });

  it("throws a failed promise into the computation", async () => {
    expect(await run(caught(Promise.reject(new Error("no"))))).toBe("caught no");
    await expect(run(sum([Promise.reject(new Error("late"))]))).rejects.toThrow("late");
  });
});
