import fc from "fast-check";
import { describe, it } from "vitest";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import { createContext } from "../../src/context.ts";
import { openVolumes } from "../../src/volume/index.ts";
import { fuzz, WORDS } from "../support/fuzz.ts";
import { gptDisk, mbrEntry, putRecord, sealHeader } from "./tables.ts";

const GPT = gptDisk([
  { first: 40, last: 49 },
  { first: 50, last: 60 },
]);
const MBR = putRecord(putRecord(Buffer.alloc(100 * 512), 0, [mbrEntry(0x83, 1, 9), mbrEntry(0x05, 10, 50)]), 10, [
  mbrEntry(0x83, 2, 5),
  mbrEntry(0x05, 10, 5),
]);

describe("damaged partition tables", () => {
  it("give a result or a ConverterError, soon", { timeout: 120_000 }, async () => {
    const damaged = fc.record({
      image: fc.constantFrom(GPT, MBR),
      changes: fc.array(fc.tuple(fc.nat(14 * 512), WORDS), { minLength: 1, maxLength: 4 }),
      seal: fc.boolean(),
      cut: fc.option(fc.nat(), { freq: 8 }),
    });
    await fuzz("mbr, gpt", 3000, damaged, async ({ image, changes, seal, cut }) => {
      const bytes = Buffer.from(image);
      for (const [at, value] of changes) bytes.writeUInt32LE(value, at);
      if (seal && image === GPT) sealHeader(bytes, 1);
      const disk = new MemorySource(cut === null ? bytes : bytes.subarray(0, cut % bytes.length));
      const system = await openVolumes(disk, createContext());
      for (const volume of system?.volumes ?? []) if (volume.size > 0) await volume.read(0, Math.min(512, volume.size));
    });
  });
});
