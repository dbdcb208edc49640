import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, it } from "vitest";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import { createContext } from "../../src/context.ts";
import { format } from "../../src/filesystem/xfs/reader.ts";
import { changesIn, fuzz, readEverything } from "../support/fuzz.ts";
import { fixture } from "../support/needs.ts";
import { logRange, mendRecord, recordBlocks, records } from "./xfs-log.ts";

const BLOCK = 512;

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

/** Tries changes of these blocks. */
async function tryChanges(
  what: string,
  original: Buffer,
  blocks: readonly number[],
  inputs: number,
  mend?: Mend,
): Promise<void> {
  const bytes = Buffer.from(original);
  const ranges = blocks.map((at): [number, number] => [at, at + BLOCK]);
  await fuzz(`xfs, ${what}`, inputs, changesIn(ranges, 8), async (changes) => {
    for (const { at, value, width } of changes) {
      bytes.writeUIntBE(value, at, width);
      mend?.(bytes, at);
    }
    try {
      await readEverything(await format.open(new MemorySource(bytes), createContext()));
    } finally {
      original.copy(bytes, 0, 0, BLOCK);
      for (const { at } of changes) original.copy(bytes, at, at, at + 4);
      if (mend !== undefined) for (const at of records(original)) original.copy(bytes, at, at, at + BLOCK);
    }
  });
}

/** Tries `inputs` of each kind. */
export function fuzzXfs(inputs: number): void {
  describe(`xfs with mutated metadata, ${inputs} inputs each`, () => {
    it("gives a result or a ConverterError for a file system", { timeout: 120_000 }, async () => {
      const bytes = image("small");
      await tryChanges("a file system", bytes, metadata(bytes), inputs);
    });

    it("gives a result or a ConverterError for a superblock", { timeout: 120_000 }, async () => {
      await tryChanges("its superblock", image("small"), [0], inputs);
    });

    it("gives a result or a ConverterError for what a log holds", { timeout: 120_000 }, async () => {
      const bytes = image("dirty");
      const blocks = records(bytes).flatMap((record) => recordBlocks(bytes, record).slice(1));
      await tryChanges("what its log holds", bytes, blocks, inputs, mendRecord);
    });

    it("gives a result or a ConverterError for the records of a log", { timeout: 120_000 }, async () => {
      const bytes = image("dirty");
      await tryChanges(
        "the records of its log",
        bytes,
        [...records(bytes), ...records(bytes).slice(-3)],
        inputs,
        mendRecord,
      );
    });
  });
}
