import { describe, expect, it } from "vitest";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import { openDisk } from "../../src/disk/index.ts";
import { changed, type FixtureImage, fixtureImage, openFixture } from "./fixture-images.ts";
import { codeOf, memoryContext } from "./images.ts";
import { pattern } from "./pattern.ts";
import { seal, sealCrc } from "./seal.ts";

const DYNAMIC = fixtureImage("vhdx/dynamic");
const CHILD = fixtureImage("vhdx/differencing");
const DIRTY = fixtureImage("vhdx/dirty-log");
const HEADERS = [0x10000, 0x20000];
const REGIONS = 0x30000;

/** Words of both headers, which sit at the same places in both. */
function header(words: Readonly<Record<number, number>>): Record<number, number> {
  return Object.fromEntries(
    HEADERS.flatMap((at) => Object.entries(words).map(([word, value]) => [at + Number(word), value])),
  );
}

/** Where a region of an image is entered in the first region table. */
function regionEntry({ input }: FixtureImage, guid: number): number {
  for (let at = REGIONS + 16; at < REGIONS + 16 + 64; at += 32) if (input.readUInt32LE(at) === guid) return at;
  throw new Error("no such region");
}

const BAT_ENTRY = regionEntry(DYNAMIC, 0x2dc27766);
const BAT = DYNAMIC.input.readUInt32LE(BAT_ENTRY + 16);
const METADATA_ENTRY = regionEntry(DYNAMIC, 0x8b7ca206);
const METADATA = DYNAMIC.input.readUInt32LE(METADATA_ENTRY + 16);

/** Where an item is entered in the metadata table, and where it lies. */
function item({ input }: FixtureImage, guid: number): { readonly entry: number; readonly at: number } {
  for (let entry = METADATA + 32; entry < METADATA + 32 + 8 * 32; entry += 32) {
    if (input.readUInt32LE(entry) === guid) return { entry, at: METADATA + input.readUInt32LE(entry + 16) };
  }
  throw new Error("no such item");
}

const PARAMETERS = item(DYNAMIC, 0xcaa16737);
const SIZE = item(DYNAMIC, 0x2fa54224);
const SECTOR = item(DYNAMIC, 0x8141bf1d);
const LOCATOR = item(CHILD, 0xa8d35f2d);

/** With the second region table gone, so that the first one alone counts. */
function regions(words: Readonly<Record<number, number>>): Record<number, number> {
  return { ...words, 262144: 0 };
}

async function readAll(image: FixtureImage, bytes: Buffer): Promise<void> {
  const disk = await openFixture(image, bytes);
  await disk.read(0, disk.size);
}

describe("a VHDX", () => {
  it("tells what it holds", async () => {
    expect(await openFixture(DYNAMIC, DYNAMIC.input)).toMatchObject({
      format: "vhdx",
      variant: "dynamic",
      sectorSize: 512,
      storedBytes: 2 << 20,
    });
  });

  it("may have sectors of 4096 bytes", async () => {
    const bytes = changed(DYNAMIC, { [SECTOR.at]: 4096, [SIZE.at]: 513 * 4096 }, "LE");
    const disk = await openFixture(DYNAMIC, bytes);
    expect([disk.sectorSize, disk.size]).toEqual([4096, 513 * 4096]);
    expect(Buffer.compare(await disk.read(0, disk.size), pattern(513 * 8))).toBe(0);
  });

  it("is read by what is left of its two headers and region tables", async () => {
    const broken = [
      { 65536: 0, 196608: 0 },
      { 131072: 0, 262144: 0 },
      { 65552: 1, 196624: 1 },
    ];
    for (const words of broken) {
      const disk = await openFixture(DYNAMIC, changed(DYNAMIC, words, "LE"));
      expect(Buffer.compare(await disk.read(0, disk.size), pattern(4109))).toBe(0);
    }
  });

  it("finds its parent under each of the names that it has for it", async () => {
    const base = new MemorySource(CHILD.beside["base.vhdx"] ?? Buffer.alloc(0));
    const open = (name: string) => openDisk(new MemorySource(CHILD.input), memoryContext({ [name]: base }));
    for (const name of ["base.vhdx", "elsewhere.vhdx"]) {
      const disk = await open(name);
      expect(Buffer.compare(await disk.read(0, disk.size), pattern(4109))).toBe(0);
    }
    expect(await codeOf(open("other.vhdx"))).toBe("DISK_PARENT_MISSING");
  });

  it("of which the log has nothing to replay is read as it is", async () => {
    const ctx = memoryContext();
    const bytes = seal(changed(DYNAMIC, header({ 48: 7 }), "LE"));
    const disk = await openDisk(new MemorySource(bytes), ctx);
    expect(Buffer.compare(await disk.read(0, disk.size), pattern(4109))).toBe(0);
    expect(ctx.diagnostics).toEqual([]);
  });

  it("takes nothing of a log that is damaged or of another time", async () => {
    const { input } = DIRTY;
    const log = input.readUInt32LE(0x10048);
    const length = input.readUInt32LE(0x10044);
    const bytes = Buffer.from(input);
    // The newest entry lies at the start of the log, behind the rest of the one that wraps around.
    const at = input.indexOf("loge", log);
    bytes.writeUInt8(bytes.readUInt8(at + 4096 + 100) ^ 1, at + 4096 + 100);
    expect(at).toBeLessThan(log + 0x8000);
    const ctx = memoryContext();
    await openDisk(new MemorySource(bytes), ctx);
    expect(ctx.diagnostics.map(({ message }) => message)).toEqual([expect.stringContaining(" 1 entries of its log")]);
    bytes.fill(0, log, log + length);
    const disk = await openFixture(DIRTY, bytes);
    expect((await disk.extentAt(0, disk.size)).length).toBe(disk.size);
  });

  it("that was cut off since its log was written is refused", async () => {
    const { input } = DIRTY;
    expect(await codeOf(readAll(DIRTY, input.subarray(0, input.length - 4096)))).toBe("VHDX_TRUNCATED");
  });

  it("whose log would take too long or too much is refused", async () => {
    const log = DIRTY.input.readUInt32LE(0x10048);
    const length = DIRTY.input.readUInt32LE(0x10044);
    const at = DIRTY.input.indexOf("loge", log);
    const entry = DIRTY.input.subarray(at, at + 4096);
    const overlapping = Buffer.from(DIRTY.input);
    for (let place = log; place < log + length; place += 4096) {
      entry.copy(overlapping, place);
      overlapping.writeUInt32LE(length, place + 8);
    }
    expect(await codeOf(readAll(DIRTY, overlapping))).toBe("VHDX_LOG");
    const first = log + length - 2 * 4096;
    const whole = DIRTY.input.readUInt32LE(first + 8);
    const large = Buffer.concat([
      DIRTY.input.subarray(first, log + length),
      DIRTY.input.subarray(log, log + whole - 8192),
    ]);
    large.writeUInt32LE(0x40, 64 + 32 + 12);
    sealCrc(large);
    const bytes = Buffer.from(DIRTY.input);
    large.copy(bytes, first, 0, 8192);
    large.copy(bytes, log, 8192);
    expect(await codeOf(readAll(DIRTY, bytes))).toBe("VHDX_LOG");
    const elsewhere = seal(changed(DIRTY, header({ 72: 0x7ff00000 }), "LE"));
    expect(await codeOf(readAll(DIRTY, elsewhere))).toBe("VHDX_LOG");
  });

  it.each([
    ["DISK_EMPTY", DYNAMIC, { [SIZE.at]: 0 }],
    ["DISK_PARENT_CHANGED", CHILD, { [LOCATOR.at + 20 + 3 * 12 + 2 * 15]: 0x00310031 }],
    ["VHDX_BLOCK_OUT_OF_RANGE", DYNAMIC, { [BAT + 12]: 1 }],
    ["VHDX_BLOCK_OUT_OF_RANGE", CHILD, { [BAT + 4096 * 8]: 0 }],
    ["VHDX_BLOCK_STATE", DYNAMIC, { [BAT + 8]: 7 }],
    ["VHDX_BLOCK_STATE", DYNAMIC, { [BAT + 8]: 4 }],
    ["VHDX_HEADER", DYNAMIC, header({ 0: 0 })],
    ["VHDX_METADATA", DYNAMIC, { [METADATA]: 0 }],
    ["VHDX_METADATA", DYNAMIC, { [PARAMETERS.at]: 1000 }],
    ["VHDX_METADATA", DYNAMIC, { [PARAMETERS.entry]: 0, [PARAMETERS.entry + 24]: 0 }],
    ["VHDX_METADATA", DYNAMIC, { [PARAMETERS.entry + 20]: 4 }],
    ["VHDX_METADATA", DYNAMIC, { [PARAMETERS.entry + 16]: 0x7fffffff }],
    ["VHDX_METADATA", DYNAMIC, { [SECTOR.at]: 1024 }],
    ["VHDX_METADATA", DYNAMIC, { [SIZE.at]: 1000 }],
    ["VHDX_METADATA", CHILD, { [LOCATOR.at + 20]: 0x7fffffff }],
    ["VHDX_METADATA", CHILD, { [LOCATOR.at + 16]: 0xffff0000 }],
    ["VHDX_METADATA", DYNAMIC, regions({ [METADATA_ENTRY + 24]: 4096 })],
    ["VHDX_METADATA_UNKNOWN", DYNAMIC, { [PARAMETERS.entry]: 1 }],
    ["VHDX_METADATA_UNKNOWN", CHILD, { [LOCATOR.at]: 1 }],
    ["VHDX_METADATA_UNKNOWN", DYNAMIC, regions({ [BAT_ENTRY]: 1, [BAT_ENTRY + 28]: 1 })],
    ["VHDX_REGION", DYNAMIC, { 196608: 0, 262144: 0 }],
    ["VHDX_REGION", DYNAMIC, regions({ [BAT_ENTRY]: 1, [BAT_ENTRY + 28]: 0 })],
    ["VHDX_REGION", DYNAMIC, regions({ [BAT_ENTRY + 24]: 16 })],
    ["VHDX_REGION", DYNAMIC, regions({ [BAT_ENTRY + 16]: 0x7ff00000 })],
    ["VHDX_VERSION", DYNAMIC, header({ 64: 0x20000 })],
  ])("ends with %s", async (code, image, words) => {
    expect(await codeOf(readAll(image, seal(changed(image, words, "LE"))))).toBe(code);
  });

  it("declared, but something else, is not recognised", async () => {
    const source = new MemorySource(Buffer.alloc(4096, 1));
    expect(await codeOf(openDisk(source, memoryContext(), { format: "vhdx" }))).toBe("VHDX_NOT_RECOGNISED");
  });
});
