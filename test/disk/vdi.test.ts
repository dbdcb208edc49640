import { describe, expect, it } from "vitest";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import { openDisk } from "../../src/disk/index.ts";
import { fixtureImages, openFixture } from "./fixture-images.ts";
import { codeOf, memoryContext } from "./images.ts";

const images = new Map(fixtureImages(["vdi"]).map((image) => [image.title, image] as const));

function image(title: string) {
  const found = images.get(title);
  if (found === undefined) throw new Error(`no fixture ${title}`);
  return found;
}

/** A fixture with some 32-bit words of its own. */
function changed(title: string, words: Readonly<Record<number, number>>): Buffer {
  const bytes = Buffer.from(image(title).input);
  for (const [at, value] of Object.entries(words)) bytes.writeUInt32LE(value >>> 0, Number(at));
  return bytes;
}

const DYNAMIC = "vdi/dynamic";
const CHILD = "vdi/differencing";
const MAP = 0x200;

describe("a VDI", () => {
  it("tells what it holds", async () => {
    const disk = await openFixture(image(DYNAMIC), image(DYNAMIC).input);
    expect(disk).toMatchObject({ format: "vdi", variant: "dynamic", sectorSize: 512 });
    expect(disk.storedBytes).toBe(2 << 20);
  });

  it("may be fixed with its blocks in another order", async () => {
    const { input } = image(DYNAMIC);
    const disk = await openFixture(image(DYNAMIC), changed(DYNAMIC, { 76: 2, [MAP + 4]: 1, [MAP + 8]: 0 }));
    const data = input.readUInt32LE(0x158);
    expect(disk.variant).toBe("fixed");
    const block = await disk.read(2 << 20, 512);
    expect(Buffer.compare(block, input.subarray(data, data + 512))).toBe(0);
  });

  it("may have bytes in front of each block", async () => {
    const { input } = image(DYNAMIC);
    const data = input.readUInt32LE(0x158);
    const extra = Buffer.alloc(512, 0xee);
    const blocks = [input.subarray(data, data + (1 << 20)), input.subarray(data + (1 << 20))];
    const bytes = Buffer.concat([
      changed(DYNAMIC, { 380: 512 }).subarray(0, data),
      ...blocks.flatMap((block) => [extra, block]),
    ]);
    const disk = await openFixture(image(DYNAMIC), bytes);
    const plain = await openFixture(image(DYNAMIC), input);
    expect(Buffer.compare(await disk.read(0, disk.size), await plain.read(0, plain.size))).toBe(0);
  });

  it("of an odd size is filled up to the sector with zeros", async () => {
    const size = 4108 * 512 + 5;
    const whole = changed(DYNAMIC, { 368: size });
    const data = whole.readUInt32LE(0x158);
    const disk = await openFixture(image(DYNAMIC), whole.subarray(0, data + size - (1 << 20)));
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
  ])("ends with %s", async (code, title, words) => {
    expect(await codeOf(openFixture(image(title), changed(title, words)))).toBe(code);
  });

  it("that is its own parent, or needs more memory than allowed, is refused", async () => {
    const { input } = image(CHILD);
    const source = new MemorySource(input, "input");
    const itself = `{${"00005eed-0000-0000-0000-000000000000"}}.vdi`;
    expect(await codeOf(openDisk(source, memoryContext({ [itself]: source })))).toBe("DISK_CHAIN");
    const ctx = memoryContext();
    const limits = { ...ctx.limits, tableBytes: 8 };
    expect(await codeOf(openDisk(source, { ...ctx, limits }))).toBe("DISK_TABLES_TOO_LARGE");
  });
});
