import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, it } from "vitest";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import { createContext } from "../../src/context.ts";
import { format } from "../../src/filesystem/ext4/reader.ts";
import { changesIn, fuzz, readEverything } from "../support/fuzz.ts";
import { fixture } from "../support/needs.ts";

const BLOCK = 1024;

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

/** Tries changes of these blocks. */
async function tryChanges(what: string, original: Buffer, blocks: readonly number[], inputs: number): Promise<void> {
  const bytes = Buffer.from(original);
  const ranges = blocks.map((at): [number, number] => [at, at + BLOCK]);
  await fuzz(`ext4, ${what}`, inputs, changesIn(ranges, 12), async (changes) => {
    for (const { at, value, width } of changes) bytes.writeUIntLE(value, at, width);
    try {
      await readEverything(await format.open(new MemorySource(bytes), createContext()));
    } finally {
      for (const { at } of changes) original.copy(bytes, at, at, at + 4);
    }
  });
}

describe("ext4 with mutated metadata", () => {
  it("gives a result or a ConverterError for a file system", { timeout: 120_000 }, async () => {
    const bytes = image("small");
    const isMetadata = (block: Buffer) =>
      block.readUInt16LE(0) === 0xf30a || block.readUInt32LE(0) === 0xea020000 || block.readUInt16LE(4) === 12;
    await tryChanges("a file system", bytes, metadata(bytes, 28 * BLOCK, isMetadata), 2000);
  });

  it("gives a result or a ConverterError for a superblock", { timeout: 120_000 }, async () => {
    await tryChanges("its superblock", image("small"), [BLOCK, BLOCK, 2 * BLOCK], 1000);
  });

  it("gives a result or a ConverterError for a journal", { timeout: 120_000 }, async () => {
    const bytes = image("fast-commit");
    const isJournal = (block: Buffer) => block.readUInt32BE(0) === 0xc03b3998 || block.readUInt16LE(0) <= 9;
    await tryChanges("its journal", bytes, metadata(bytes, 0, isJournal), 1000);
  });
});
