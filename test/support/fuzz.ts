import fc from "fast-check";
import { expect } from "vitest";
import { ConverterError } from "../../src/errors.ts";
import type { FileSystem } from "../../src/filesystem/file-system.ts";

const MOST_MILLISECONDS = 10_000;
const MOST_BYTES = 512 << 20;

/** What stands in a field of 32 bits when it is wrong. */
export const WORDS: fc.Arbitrary<number> = fc.oneof(
  fc.constantFrom(0, 1, 2, 0x7f, 0xff, 0x200, 0x7fff, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff),
  fc.nat(0xffffffff),
);

/** A number written over a field. */
export interface Change {
  readonly at: number;
  readonly value: number;
  /** Bytes. */
  readonly width: number;
}

/** Up to `most` changes in these ranges of bytes, each field aligned to its width from the start of its range. */
export function changesIn(ranges: readonly (readonly [start: number, end: number])[], most: number) {
  const change: fc.Arbitrary<Change> = fc
    .record({ range: fc.constantFrom(...ranges), value: WORDS, width: fc.constantFrom(1, 2, 4) })
    .chain(({ range: [start, end], value, width }) =>
      fc
        .nat(end - start - 4)
        .map((offset) => ({ at: start + offset - (offset % width), value: value % 2 ** (8 * width), width })),
    );
  return fc.array(change, { minLength: 1, maxLength: most });
}

/** Walks a file system and reads the extents and the start of every file. */
export async function readEverything(fileSystem: FileSystem): Promise<void> {
  for await (const entry of fileSystem.walk()) {
    if (entry.type !== "file") continue;
    const content = fileSystem.content(entry);
    for (let at = 0, count = 0; at < entry.size && count < 200; count++) {
      const extent = await content.extentAt(at, entry.size - at);
      expect(extent.offset).toBe(at);
      expect(extent.length).toBeGreaterThan(0);
      await content.read(at, Math.min(extent.length, 1 << 16));
      at += extent.length;
    }
  }
}

/** "read", or the code of the ConverterError that reading ends with. Any other error fails the test. */
export async function outcomeOf(read: () => unknown): Promise<string> {
  try {
    await read();
    return "read";
  } catch (error) {
    if (error instanceof ConverterError) return error.code;
    throw error;
  }
}

/**
 * Reads `inputs` damaged inputs: each gives a result or a ConverterError, within 10 s and 512 MiB. Prints how many were tried,
 * the worst of them, and what became of them; answers the last.
 */
export async function fuzz<T>(
  what: string,
  inputs: number,
  damaged: fc.Arbitrary<T>,
  read: (input: T) => unknown,
): Promise<ReadonlyMap<string, number>> {
  const outcomes = new Map<string, number>();
  let tried = 0;
  let slowest = 0;
  let most = 0;
  const attempt = async (input: T): Promise<void> => {
    const start = performance.now();
    const outcome = await outcomeOf(() => read(input));
    tried++;
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    slowest = Math.max(slowest, performance.now() - start);
    most = Math.max(most, process.memoryUsage.rss());
    expect(slowest).toBeLessThan(MOST_MILLISECONDS);
    expect(most).toBeLessThan(MOST_BYTES);
  };
  await fc.assert(fc.asyncProperty(damaged, attempt), { numRuns: inputs, endOnFailure: true });
  const worst = `slowest ${Math.round(slowest)} ms, most ${Math.round(most / 2 ** 20)} MiB`;
  const counts = [...outcomes].sort().map(([code, count]) => `${code} ${count}`);
  process.stdout.write(`fuzz: ${tried} inputs tried of ${what}; ${worst}; ${counts.join(", ")}\n`);
  return outcomes;
}
