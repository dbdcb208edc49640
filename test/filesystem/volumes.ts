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
import { changesIn, fuzz, outcomeOf, readEverything } from "../support/fuzz.ts";

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
  return await outcomeOf(async () => {
    await readEverything(await format.open(new MemorySource(bytes, "volume"), createContext({ limits })));
  });
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

export interface DamagedVolume {
  readonly format: FileSystemFormat;
  readonly bytes: Buffer;
  /** Where changes are made: ranges of bytes. */
  readonly ranges: readonly (readonly [start: number, end: number])[];
  readonly inputs: number;
  /** Puts checksums right again after a change, so that what lies behind them is reached. */
  readonly repair?: (bytes: Buffer) => void;
}

/** Tries a volume with changes in it. */
export async function fuzzVolume(volume: DamagedVolume): Promise<ReadonlyMap<string, number>> {
  const { format, bytes, ranges, inputs, repair } = volume;
  const ctx = createContext({ limits: { ...DEFAULT_LIMITS, entries: 10_000 } });
  return await fuzz(format.name, inputs, changesIn(ranges, 10), async (changes) => {
    const changed = Buffer.from(bytes);
    for (const { at, value, width } of changes) changed.writeUIntLE(value, at, width);
    repair?.(changed);
    await readEverything(await format.open(new MemorySource(changed, "volume"), ctx));
  });
}
