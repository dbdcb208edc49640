import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import { createContext } from "../../src/context.ts";
import { ConverterError } from "../../src/errors.ts";
import { format } from "../../src/filesystem/ext4/reader.ts";
import { fixture } from "../support/needs.ts";

const MOST_SECONDS = 10;
const MOST_BYTES = 512 << 20;
const BLOCK = 1024;

interface Change {
  readonly at: number;
  readonly value: number;
  readonly width: number;
}

function image(name: string): Buffer {
  return gunzipSync(readFileSync(fixture("ext4", name, "input.img.gz")));
}

/** Offsets of the blocks that hold anything but a file's data: those before `end`, and those that `wanted` picks. */
function metadata(bytes: Buffer, end: number, wanted: (block: Buffer) => boolean): number[] {
  const blocks: number[] = [];
  for (let at = BLOCK; at < bytes.length; at += BLOCK) {
    const block = bytes.subarray(at, at + BLOCK);
    if (block.some((byte) => byte !== 0) && (at < end || wanted(block))) blocks.push(at);
  }
  return blocks;
}

const INTERESTING = fc.oneof(
  fc.constantFrom(0, 1, 2, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0xffffffff),
  fc.nat(0xffffffff),
);

function changes(blocks: readonly number[]): fc.Arbitrary<Change[]> {
  const change = fc
    .record({
      block: fc.constantFrom(...blocks),
      offset: fc.nat(BLOCK - 4),
      value: INTERESTING,
      width: fc.constantFrom(1, 2, 4),
    })
    .map(({ block, offset, value, width }) => ({ at: block + offset - (offset % width), value, width }));
  return fc.array(change, { minLength: 1, maxLength: 12 });
}

/** Opens, lists and reads; everything that a damaged image may answer is a result or a ConverterError. */
async function read(bytes: Uint8Array): Promise<void> {
  try {
    const fileSystem = await format.open(new MemorySource(bytes), createContext());
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
  } catch (cause) {
    if (!(cause instanceof ConverterError)) throw cause;
  }
}

async function fuzz(original: Buffer, blocks: readonly number[], numRuns: number): Promise<void> {
  const bytes = Buffer.from(original);
  await fc.assert(
    fc.asyncProperty(changes(blocks), async (list) => {
      for (const { at, value, width } of list) {
        if (width === 1) bytes.writeUInt8(value & 0xff, at);
        else if (width === 2) bytes.writeUInt16LE(value & 0xffff, at);
        else bytes.writeUInt32LE(value, at);
      }
      const start = performance.now();
      try {
        await read(bytes);
      } finally {
        for (const { at } of list) original.copy(bytes, at, at, at + 4);
      }
      expect(performance.now() - start).toBeLessThan(MOST_SECONDS * 1000);
    }),
    { numRuns },
  );
  expect(process.memoryUsage().rss).toBeLessThan(MOST_BYTES);
}

describe("ext4 with mutated metadata", () => {
  it("gives a result or a ConverterError for a file system", async () => {
    const bytes = image("small");
    const isMetadata = (block: Buffer) =>
      block.readUInt16LE(0) === 0xf30a || block.readUInt32LE(0) === 0xea020000 || block.readUInt16LE(4) === 12;
    await fuzz(bytes, metadata(bytes, 28 * BLOCK, isMetadata), 2000);
  });

  it("gives a result or a ConverterError for a superblock", async () => {
    await fuzz(image("small"), [BLOCK, BLOCK, 2 * BLOCK], 1000);
  });

  it("gives a result or a ConverterError for a journal", async () => {
    const bytes = image("fast-commit");
    const isJournal = (block: Buffer) => block.readUInt32BE(0) === 0xc03b3998 || block.readUInt16LE(0) <= 9;
    await fuzz(bytes, metadata(bytes, 0, isJournal), 1000);
  });
});
