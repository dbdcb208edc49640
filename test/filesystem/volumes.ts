import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect } from "vitest";
import { displayPath } from "../../src/bytes/byte-path.ts";
import { type ByteSource, extents, readAll } from "../../src/bytes/byte-source.ts";
import type { Entry, FileEntry } from "../../src/bytes/entry.ts";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import { createContext, DEFAULT_LIMITS, type Limits } from "../../src/context.ts";
import { ConverterError } from "../../src/errors.ts";
import type { FileSystem, FileSystemFormat } from "../../src/filesystem/file-system.ts";

export async function walked(fileSystem: FileSystem): Promise<Entry[]> {
  const found: Entry[] = [];
  for await (const entry of fileSystem.walk()) found.push(entry);
  return found;
}

export async function fileAt(fileSystem: FileSystem, path: string): Promise<FileEntry> {
  const entry = await fileSystem.lookup(Buffer.from(path).toString("latin1"));
  if (entry?.type !== "file") throw new Error(`${path} is no file`);
  return entry;
}

export function lines(name: string, count: number): string {
  return Array.from({ length: count }, (_, index) => `${name} ${String(index + 1).padStart(6, "0")}\n`).join("");
}

/** Path to what stands there: "directory", "-> target", or a file's size and the start of its SHA-256, or why it is not read. */
export async function listed(fileSystem: FileSystem): Promise<Record<string, string>> {
  const rows: Record<string, string> = {};
  for (const entry of await walked(fileSystem)) rows[displayPath(entry.path)] = await described(fileSystem, entry);
  return rows;
}

async function described(fileSystem: FileSystem, entry: Entry): Promise<string> {
  if (entry.type === "symlink") return `-> ${displayPath(entry.target)}`;
  if (entry.type !== "file") return entry.type;
  try {
    const bytes = await readAll(fileSystem.content(entry), 1 << 30);
    return `${entry.size} ${createHash("sha256").update(bytes).digest("hex").slice(0, 16)}`;
  } catch (error) {
    if (error instanceof ConverterError) return error.code;
    throw error;
  }
}

/** What becomes of walking a volume and reading the extents and the start of every file: "read" or an error's code. */
export async function outcome(format: FileSystemFormat, bytes: Uint8Array, limits: Limits = DEFAULT_LIMITS) {
  try {
    const fileSystem = await format.open(new MemorySource(bytes, "volume"), createContext({ limits }));
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
    return "read";
  } catch (error) {
    if (error instanceof ConverterError) return error.code;
    throw error;
  }
}

/** Any range equals the same range of `expected`; the extents cover it, and what they call a hole is zero. */
export async function expectRanges(content: ByteSource, expected: Buffer): Promise<void> {
  await fc.assert(
    fc.asyncProperty(fc.nat(expected.length), fc.nat(expected.length), async (a, b) => {
      const [start, end] = a < b ? [a, b] : [b, a];
      expect(Buffer.from(await content.read(start, end - start)).equals(expected.subarray(start, end))).toBe(true);
    }),
    { numRuns: 60 },
  );
  let at = 0;
  for await (const extent of extents(content)) {
    expect(extent.offset).toBe(at);
    at += extent.length;
    if (extent.kind === "zero") expect(expected.subarray(extent.offset, at).every((byte) => byte === 0)).toBe(true);
  }
  expect(at).toBe(expected.length);
}

export interface Fuzz {
  readonly format: FileSystemFormat;
  readonly bytes: Buffer;
  /** Where changes are made: ranges of bytes. */
  readonly ranges: readonly (readonly [start: number, end: number])[];
  readonly inputs: number;
  /** Puts checksums right again after a change, so that what lies behind them is reached. */
  readonly repair?: (bytes: Buffer) => void;
}

const INTERESTING = fc.oneof(
  fc.constantFrom(0, 1, 2, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0xffffffff),
  fc.nat(0xffffffff),
);

/** Changed images give a result or a ConverterError within 10 s and 512 MiB; tells how many of each. */
export async function fuzz({ format, bytes, ranges, inputs, repair }: Fuzz): Promise<void> {
  const offset = fc.constantFrom(...ranges).chain(([start, end]) => fc.integer({ min: start, max: end - 4 }));
  const change = fc.record({ at: offset, value: INTERESTING, width: fc.constantFrom(1, 2, 4) });
  const outcomes = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 10 }), async (changes) => {
      const changed = Buffer.from(bytes);
      for (const { at, value, width } of changes) changed.writeUIntLE(value % 2 ** (width * 8), at, width);
      repair?.(changed);
      const start = performance.now();
      const result = await outcome(format, changed, { ...DEFAULT_LIMITS, entries: 10_000 });
      outcomes.set(result, (outcomes.get(result) ?? 0) + 1);
      expect(performance.now() - start).toBeLessThan(10_000);
    }),
    { numRuns: inputs, endOnFailure: true },
  );
  expect(process.memoryUsage().rss).toBeLessThan(512 << 20);
  process.stdout.write(`${inputs} mutated ${format.name} images: ${JSON.stringify(Object.fromEntries(outcomes))}\n`);
}
