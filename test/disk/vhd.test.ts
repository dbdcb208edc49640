import { describe, expect, it } from "vitest";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import { openDisk } from "../../src/disk/index.ts";
import { changed, type FixtureImage, fixtureImage, openFixture } from "./fixture-images.ts";
import { codeOf, memoryContext } from "./images.ts";
import { pattern } from "./pattern.ts";
import { seal } from "./seal.ts";

const DYNAMIC = fixtureImage("vhd/dynamic");
const FIXED = fixtureImage("vhd/fixed");
const CHILD = fixtureImage("vhd/differencing");
const HEADER = 0x200;
const TABLE = 0x600;

/** Words of both copies of the footer. */
function footer({ input }: FixtureImage, words: Readonly<Record<number, number>>): Record<number, number> {
  const last = input.length - 512;
  const places = input.toString("latin1", 0, 8) === "conectix" ? [0, last] : [last];
  return Object.fromEntries(places.flatMap((at) => Object.entries(words).map(([word, v]) => [at + Number(word), v])));
}

const VBOX = 0x76626f78;
const QEMU = 0x71656d75;
/** 3 cylinders, 4 heads, 17 sectors. */
const CHS = { 56: (3 << 16) | (4 << 8) | 17 };

describe("a VHD", () => {
  it("tells what it holds", async () => {
    expect(await openFixture(CHILD, CHILD.input)).toMatchObject({ format: "vhd", variant: "differencing" });
    expect((await openFixture(DYNAMIC, DYNAMIC.input)).storedBytes).toBe(4109 * 512);
  });

  it.each([
    ["QEMU goes by its geometry", QEMU, CHS, 3 * 4 * 17],
    ["VirtualBox goes by its size", VBOX, CHS, 4109],
    ["QEMU goes by its size where the geometry is the largest", QEMU, { 56: 0xffff10ff }, 4109],
  ])("of %s", async (_, creator, words, sectors) => {
    const bytes = seal(changed(DYNAMIC, footer(DYNAMIC, { 28: creator, ...words }), "BE"));
    expect((await openFixture(DYNAMIC, bytes)).size / 512).toBe(sectors);
  });

  it("may have a footer of 511 bytes", async () => {
    const disk = await openFixture(FIXED, FIXED.input.subarray(0, -1));
    expect(Buffer.compare(await disk.read(0, disk.size), pattern(4109))).toBe(0);
    const found = await openDisk(new MemorySource(FIXED.input.subarray(0, -1)), memoryContext());
    expect(found.format).toBe("vhd");
  });

  it.each([
    ["missing", DYNAMIC.input.subarray(0, -512)],
    ["damaged", changed(DYNAMIC, { [DYNAMIC.input.length - 8]: 1 }, "BE")],
  ])("is read by the copy of its footer where that is %s", async (_, bytes) => {
    const ctx = memoryContext();
    const disk = await openDisk(new MemorySource(bytes), ctx);
    expect(Buffer.compare(await disk.read(0, disk.size), pattern(4109))).toBe(0);
    expect(ctx.diagnostics.map(({ code }) => code)).toEqual(["VHD_FOOTER"]);
  });

  it("finds its parent under each of the names that it has for it", async () => {
    const base = CHILD.beside["base.vhd"] ?? Buffer.alloc(0);
    const open = (name: string, bytes = CHILD.input) =>
      openDisk(new MemorySource(bytes), memoryContext({ [name]: new MemorySource(base) }));
    for (const name of ["base.vhd", "elsewhere.vhd"]) {
      const disk = await open(name);
      expect(Buffer.compare(await disk.read(0, disk.size), pattern(4109))).toBe(0);
    }
    expect(await codeOf(open("other.vhd"))).toBe("DISK_PARENT_MISSING");
    const absolute = seal(changed(CHILD, { [HEADER + 0x240]: 0x57326b75 }, "BE"));
    expect(await codeOf(open("base.vhd", absolute))).toBeUndefined();
  });

  it.each([
    ["DISK_EMPTY", DYNAMIC, footer(DYNAMIC, { 52: 0, 28: VBOX })],
    ["DISK_PARENT_CHANGED", CHILD, { [HEADER + 0x28]: 1 }],
    ["VHD_BLOCK_OUT_OF_RANGE", DYNAMIC, { [TABLE]: 0xffff }],
    ["VHD_GEOMETRY", DYNAMIC, footer(DYNAMIC, { 52: 4109 * 512 + 1 })],
    ["VHD_GEOMETRY", DYNAMIC, { [HEADER + 0x1c]: 0 }],
    ["VHD_GEOMETRY", DYNAMIC, { [HEADER + 0x20]: 1000 }],
    ["VHD_TABLE_OUT_OF_RANGE", DYNAMIC, { [HEADER + 0x14]: 0x7fffffff }],
    ["VHD_TABLE_OUT_OF_RANGE", DYNAMIC, footer(DYNAMIC, { 20: 0x7fffffff })],
    ["VHD_TRUNCATED", FIXED, footer(FIXED, { 52: 4110 * 512 })],
    ["VHD_TYPE", DYNAMIC, footer(DYNAMIC, { 60: 5 })],
  ])("ends with %s", async (code, image, words) => {
    expect(await codeOf(openFixture(image, seal(changed(image, words, "BE"))))).toBe(code);
  });

  it.each([
    ["VHD_CHECKSUM", FIXED, footer(FIXED, { 68: 1 })],
    ["VHD_CHECKSUM", DYNAMIC, { [HEADER + 0x30]: 1 }],
    ["VHD_NOT_RECOGNISED", FIXED, footer(FIXED, { 0: 0 })],
  ])("that is not sealed ends with %s", async (code, image, words) => {
    expect(await codeOf(openFixture(image, changed(image, words, "BE")))).toBe(code);
  });
});
