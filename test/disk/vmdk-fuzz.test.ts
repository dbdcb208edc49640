import fc from "fast-check";
import { describe, it } from "vitest";
import { extents } from "../../src/bytes/byte-source.ts";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import { openDisk } from "../../src/disk/index.ts";
import { fuzz, WORDS } from "../support/fuzz.ts";
import { memoryContext } from "./images.ts";
import { buildSparse, descriptorText } from "./vmdk-builder.ts";

const GRAINS = new Map<number, Uint8Array | "zeroed">([
  [1, new Uint8Array(4096).fill(1)],
  [2, "zeroed"],
  [17, new Uint8Array(4096).fill(17)],
]);

const IMAGES = [
  buildSparse({ capacity: 160, grains: GRAINS }).bytes,
  buildSparse({ capacity: 160, grains: GRAINS, redundant: true }).bytes,
  buildSparse({ capacity: 160, grains: GRAINS, compressed: true }).bytes,
  buildSparse({ capacity: 160, grains: GRAINS, compressed: true, unmarked: "length" }).bytes,
  buildSparse({ capacity: 160, grains: GRAINS, compressed: true, directoryAtEnd: true }).bytes,
  Buffer.from(
    descriptorText('RW 160 SPARSE "a"\nRW 8 FLAT "b" 3\nRW 9 ZERO', 'parentCID=12345678\nparentFileNameHint="a"'),
  ),
];

/** Opens and reads what is there, however long the disk claims to be. */
async function use(bytes: Buffer): Promise<void> {
  const files = { a: new MemorySource(IMAGES[0] ?? bytes, "a"), b: new MemorySource(bytes, "b") };
  const disk = await openDisk(new MemorySource(bytes, "main"), memoryContext(files), { format: "vmdk" });
  let data = 0;
  let seen = 0;
  for await (const extent of extents(disk)) {
    if (extent.kind === "data") await disk.read(extent.offset, Math.min(extent.length, 1 << 20));
    data += extent.length;
    if (data > 64 << 20 || seen++ > 2000) return;
  }
}

describe("damaged VMDKs", () => {
  it("give a result or a ConverterError, soon", { timeout: 120_000 }, async () => {
    const damaged = fc.record({
      image: fc.constantFrom(...IMAGES),
      changes: fc.array(fc.tuple(fc.nat(), WORDS, fc.boolean()), { minLength: 1, maxLength: 4 }),
      cut: fc.option(fc.nat(), { freq: 8 }),
    });
    await fuzz("vmdk", 2500, damaged, async ({ image, changes, cut }) => {
      const bytes = Buffer.from(image);
      for (const [place, value, inHeader] of changes) {
        bytes.writeUInt32LE(value, place % Math.min(bytes.length - 4, inHeader ? 80 : bytes.length));
      }
      await use(cut === null ? bytes : bytes.subarray(0, cut % bytes.length));
    });
  });
});
