import { describe, expect, it } from "vitest";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import { openDisk } from "../../src/disk/index.ts";
import { changed, fixtureImage, openFixture } from "./fixture-images.ts";
import { codeOf, memoryContext } from "./images.ts";

const DYNAMIC = fixtureImage("vdi/dynamic");
const CHILD = fixtureImage("vdi/differencing");
const MAP = 0x200;

describe("a VDI", () => {
  it("tells what it holds", async () => {
    const disk = await openFixture(DYNAMIC, DYNAMIC.input);
    expect(disk).toMatchObject({ format: "vdi", variant: "dynamic", sectorSize: 512 });
    expect(disk.storedBytes).toBe(2 << 20);
  });

  it("may be fixed with its blocks in another order", async () => {
    const { input } = DYNAMIC;
    const disk = await openFixture(DYNAMIC, changed(DYNAMIC, { 76: 2, [MAP + 4]: 1, [MAP + 8]: 0 }, "LE"));
    const data = input.readUInt32LE(0x158);
    expect(disk.variant).toBe("fixed");
    const block = await disk.read(2 << 20, 512);
    expect(Buffer.compare(block, input.subarray(data, data + 512))).toBe(0);
  });

  it("may have bytes in front of each block", async () => {
    const { input } = DYNAMIC;
    const data = input.readUInt32LE(0x158);
    const extra = Buffer.alloc(512, 0xee);
    const blocks = [input.subarray(data, data + (1 << 20)), input.subarray(data + (1 << 20))];
    const bytes = Buffer.concat([
      changed(DYNAMIC, { 380: 512 }, "LE").subarray(0, data),
      ...blocks.flatMap((block) => [extra, block]),
    ]);
    const disk = await openFixture(DYNAMIC, bytes);
    const plain = await openFixture(DYNAMIC, input);
    expect(Buffer.compare(await disk.read(0, disk.size), await plain.read(0, plain.size))).toBe(0);
  });

  it("of an odd size is filled up to the sector with zeros", async () => {
    const size = 4108 * 512 + 5;
    const whole = changed(DYNAMIC, { 368: size }, "LE");
    const data = whole.readUInt32LE(0x158);
    const disk = await openFixture(DYNAMIC, whole.subarray(0, data + size - (1 << 20)));
    expect(disk.size).toBe(4109 * 512);
    const last = Buffer.from(await disk.read(4108 * 512, 512));
    expect([last[4], last.subarray(5).every((byte) => byte === 0)]).toEqual([1, true]);
  });

  it.each([
    ["VDI_BLOCK_OUT_OF_RANGE", DYNAMIC, { [MAP + 4]: 77 }],
    ["VDI_BLOCK_REPEATED", DYNAMIC, { [MAP]: 1 }],
    ["VDI_GEOMETRY", DYNAMIC, { 376: 1000 }],
    ["VDI_GEOMETRY", DYNAMIC, { 384: 2 }],
    ["VDI_MAP_OUT_OF_RANGE", DYNAMIC, { 340: 0x7fffffff }],
    ["VDI_NOT_RECOGNISED", DYNAMIC, { 64: 0 }],
    ["VDI_TYPE", DYNAMIC, { 76: 3 }],
    ["VDI_VERSION", DYNAMIC, { 68: 1 }],
    ["DISK_EMPTY", DYNAMIC, { 368: 0 }],
    ["DISK_PARENT_CHANGED", CHILD, { 440: 1 }],
    ["DISK_PARENT_MISSING", CHILD, { 424: 1 }],
  ])("ends with %s", async (code, image, words) => {
    expect(await codeOf(openFixture(image, changed(image, words, "LE")))).toBe(code);
  });

  it("that is its own parent, or needs more memory than allowed, is refused", async () => {
    const { input } = CHILD;
    const source = new MemorySource(input, "input");
    const itself = "{00005eed-0000-0000-0000-000000000000}.vdi";
    expect(await codeOf(openDisk(source, memoryContext({ [itself]: source })))).toBe("DISK_CHAIN");
    const ctx = memoryContext();
    const limits = { ...ctx.limits, tableBytes: 8 };
    expect(await codeOf(openDisk(source, { ...ctx, limits }))).toBe("DISK_TABLES_TOO_LARGE");
  });
});
