import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import { createContext } from "../../src/context.ts";
import { ConverterError } from "../../src/errors.ts";
import { format } from "../../src/filesystem/xfs/reader.ts";
import { fixture } from "../support/needs.ts";
import { logRange, mendRecord, recordBlocks, records } from "./xfs-log.ts";

const MOST_SECONDS = 10;
const MOST_BYTES = 512 << 20;
const BLOCK = 512;

interface Change {
  readonly at: number;
  readonly value: number;
  readonly width: number;
}

/** Brings the checksums that stand in the way up to date, so that what was changed is looked at. */
type Mend = (bytes: Buffer, at: number) => void;

function image(name: string): Buffer {
  return gunzipSync(readFileSync(fixture("xfs", name, "input.img.gz")));
}

const MAGICS = ["IN", "XDB3", "XDD3", "XSLM", "XARM", "BMA3"];
const ATTRIBUTE_MAGICS = [0x3bee, 0x3ebe];

/** Offsets of the sectors with metadata that is read: the inodes, directories, attributes, symlinks and extent trees. */
function metadata(bytes: Buffer): number[] {
  const [logStart, logEnd] = logRange(bytes);
  const found: number[] = [];
  for (let at = BLOCK; at < bytes.length; at += BLOCK) {
    if (at >= logStart && at < logEnd) continue;
    const isKnown = MAGICS.some((magic) => bytes.toString("latin1", at, at + magic.length) === magic);
    const isUsed = isKnown && (bytes.readUInt16BE(at) !== 0x494e || bytes.readUInt16BE(at + 2) !== 0);
    if (isUsed || ATTRIBUTE_MAGICS.includes(bytes.readUInt16BE(at + 8))) found.push(at);
  }
  return found;
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
  return fc.array(change, { minLength: 1, maxLength: 8 });
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

async function fuzz(original: Buffer, blocks: readonly number[], numRuns: number, mend?: Mend): Promise<void> {
  const bytes = Buffer.from(original);
  await fc.assert(
    fc.asyncProperty(changes(blocks), async (list) => {
      for (const { at, value, width } of list) {
        bytes.writeUIntBE(value % 2 ** (8 * width), at, width);
        mend?.(bytes, at);
      }
      const start = performance.now();
      try {
        await read(bytes);
      } finally {
        original.copy(bytes, 0, 0, BLOCK);
        for (const { at } of list) original.copy(bytes, at, at, at + 4);
        if (mend !== undefined) for (const at of records(original)) original.copy(bytes, at, at, at + BLOCK);
      }
      expect(performance.now() - start).toBeLessThan(MOST_SECONDS * 1000);
    }),
    { numRuns },
  );
  expect(process.memoryUsage().rss).toBeLessThan(MOST_BYTES);
}

/** Tries `inputs` of each kind. */
export function fuzzXfs(inputs: number): void {
  describe(`xfs with mutated metadata, ${inputs} inputs each`, () => {
    it("gives a result or a ConverterError for a file system", async () => {
      const bytes = image("small");
      await fuzz(bytes, metadata(bytes), inputs);
    });

    it("gives a result or a ConverterError for a superblock", async () => {
      await fuzz(image("small"), [0], inputs);
    });

    it("gives a result or a ConverterError for what a log holds", async () => {
      const bytes = image("dirty");
      const blocks = records(bytes).flatMap((record) => recordBlocks(bytes, record).slice(1));
      await fuzz(bytes, blocks, inputs, mendRecord);
    });

    it("gives a result or a ConverterError for the records of a log", async () => {
      const bytes = image("dirty");
      await fuzz(bytes, [...records(bytes), ...records(bytes).slice(-3)], inputs, mendRecord);
    });
  });
}
