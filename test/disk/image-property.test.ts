import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { extents } from "../../src/bytes/byte-source.ts";
import { fixtureImages, openFixture } from "./fixture-images.ts";
import { pattern } from "./pattern.ts";

const FORMATS = ["vdi", "vhd", "vhdx", "qcow2", "cowd", "sesparse"];
const SECTORS = 4109;

describe.each(fixtureImages(FORMATS).map((image) => [image.title, image] as const))("%s", (_, image) => {
  it("reads as its raw bytes at any place", async () => {
    const disk = await openFixture(image, image.input);
    const raw = pattern(disk.size / 512);
    expect([SECTORS, SECTORS + 3]).toContain(disk.size / 512);
    await fc.assert(
      fc.asyncProperty(fc.nat(disk.size - 1), fc.oneof(fc.nat(disk.size), fc.nat(5000)), async (offset, much) => {
        const length = Math.min(much, disk.size - offset);
        expect(Buffer.compare(await disk.read(offset, length), raw.subarray(offset, offset + length))).toBe(0);
      }),
      { numRuns: 30 },
    );
  });

  it("is covered exactly by extents from any place, and its holes are zeros", async () => {
    const disk = await openFixture(image, image.input);
    const raw = pattern(disk.size / 512);
    await fc.assert(
      fc.asyncProperty(fc.nat(disk.size - 1), fc.nat(disk.size), async (offset, much) => {
        const length = Math.min(much, disk.size - offset);
        let at = offset;
        for await (const extent of extents(disk, offset, length)) {
          expect(extent.offset).toBe(at);
          expect(extent.length).toBeGreaterThan(0);
          at += extent.length;
          if (extent.kind === "zero") expect(raw.subarray(extent.offset, at).every((byte) => byte === 0)).toBe(true);
        }
        expect(at).toBe(offset + length);
      }),
      { numRuns: 20 },
    );
  });
});
