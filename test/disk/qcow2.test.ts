import { describe, expect, it } from "vitest";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import { openDisk } from "../../src/disk/index.ts";
import { changed, type FixtureImage, fixtureImage, openFixture } from "./fixture-images.ts";
import { codeOf, memoryContext } from "./images.ts";
import { pattern } from "./pattern.ts";

const OLD = fixtureImage("qcow2/version-2");
const DEFLATE = fixtureImage("qcow2/deflate");
const ZSTD = fixtureImage("qcow2/zstd");
const EXTENDED = fixtureImage("qcow2/extended");
const DATA_FILE = fixtureImage("qcow2/data-file");
const CHAIN = fixtureImage("qcow2/chain");

/** Where the first L2 table lies. */
function l2Of({ input }: FixtureImage): number {
  return input.readUInt32BE(input.readUInt32BE(0x2c) + 4);
}

/** The first entry for data of the pattern, which is that of its second MiB. */
function entryOf(image: FixtureImage): number {
  const entryBytes = image === EXTENDED ? 16 : 8;
  return l2Of(image) + (2 ** 20 / 2 ** image.input.readUInt32BE(0x14)) * entryBytes;
}

async function readAll(image: FixtureImage, bytes: Buffer): Promise<void> {
  const disk = await openFixture(image, bytes);
  await disk.read(0, disk.size);
}

/** CHAIN's image with a name of its base in the place of "middle.qcow2", and its format. */
function based(name: string, format = "qcow2"): Buffer {
  const bytes = Buffer.from(CHAIN.input);
  bytes.write(name, Number(bytes.readBigUInt64BE(8)), "latin1");
  bytes.writeUInt32BE(name.length, 0x10);
  bytes.write(format, 0x78, "latin1");
  bytes.writeUInt32BE(format.length, 0x74);
  return bytes;
}

describe("a QCOW2", () => {
  it("that was not closed is read with a warning", async () => {
    const ctx = memoryContext();
    const disk = await openDisk(new MemorySource(changed(DEFLATE, { 76: 1 }, "BE")), ctx);
    expect([disk.size, ctx.diagnostics.map(({ code }) => code)]).toEqual([4109 * 512, ["QCOW2_UNCLEAN"]]);
  });

  it("has a zeroed cluster over that of its base, and zeros behind the end of that", async () => {
    const disk = await openFixture(CHAIN, CHAIN.input);
    expect(Buffer.compare(await disk.read(0, disk.size), pattern(4109))).toBe(0);
    const base = await openFixture(CHAIN, CHAIN.beside["base.qcow2"] ?? Buffer.alloc(0));
    expect((await base.read(196608, 1))[0]).toBe(0xff);
    expect(base.size).toBeLessThan(disk.size);
  });

  it("takes its base as raw when it says so, whatever that begins with", async () => {
    const bytes = based("base.qcow2", "raw");
    const ctx = memoryContext({ "base.qcow2": new MemorySource(CHAIN.beside["base.qcow2"] ?? bytes) });
    const disk = await openDisk(new MemorySource(bytes), ctx);
    expect(Buffer.from(await disk.read(0, 4)).toString("latin1")).toBe("QFI\xfb");
    expect(ctx.diagnostics.map(({ code }) => code)).toEqual(["DISK_FORMAT_MISMATCH"]);
  });

  it("without a format of its base takes that as raw if it shows none", async () => {
    const bytes = based("base.qcow2");
    bytes.writeUInt32BE(0x6803f857, 0x70);
    const open = (base: Buffer) =>
      openDisk(new MemorySource(bytes), memoryContext({ "base.qcow2": new MemorySource(base) }));
    expect((await (await open(Buffer.alloc(1024, 7))).read(0, 1))[0]).toBe(7);
    expect(await codeOf(open(CHAIN.beside["base.qcow2"] ?? bytes))).toBe("QCOW2_BACKING_FORMAT");
  });

  it.each([
    ["/var/lib/base.qcow2", "FILE_FOUND"],
    ["C:\\images\\base.qcow2", "FILE_FOUND"],
    ["file:base.qcow2", "FILE_FOUND"],
    ["json:{}", "QCOW2_FILE_NAME"],
    ["nbd://host/base", "QCOW2_FILE_NAME"],
    ["file:///base", "QCOW2_FILE_NAME"],
    ["/", "QCOW2_FILE_NAME"],
  ])("whose base is called %s ends with %s", async (name, code) => {
    const found = { "base.qcow2": new MemorySource(CHAIN.beside["base.qcow2"] ?? Buffer.alloc(0)) };
    expect((await codeOf(openDisk(new MemorySource(based(name)), memoryContext(found)))) ?? "FILE_FOUND").toBe(code);
  });

  it("that is its own base is refused", async () => {
    const source = new MemorySource(based("base.qcow2"));
    expect(await codeOf(openDisk(source, memoryContext({ "base.qcow2": source })))).toBe("DISK_CHAIN");
  });

  it.each([
    ["DISK_EMPTY", OLD, { 24: 0, 28: 0 }],
    ["QCOW2_COMPRESSION", DEFLATE, { 104: 0x02000000 }],
    ["QCOW2_CORRUPT", DEFLATE, { 76: 2 }],
    ["QCOW2_ENCRYPTED", DEFLATE, { 32: 1 }],
    ["QCOW2_EXTENSION", DEFLATE, { 116: 0x7fffffff }],
    ["QCOW2_FEATURE", DEFLATE, { 76: 32 }],
    ["QCOW2_FEATURE", DEFLATE, { 72: 1 }],
    ["QCOW2_GEOMETRY", OLD, { 20: 8 }],
    ["QCOW2_GEOMETRY", OLD, { 20: 22 }],
    ["QCOW2_GEOMETRY", OLD, { 36: 0 }],
    ["QCOW2_GEOMETRY", DEFLATE, { 100: 90 }],
    ["QCOW2_GEOMETRY", CHAIN, { 16: 1024 }],
    ["QCOW2_NOT_RECOGNISED", OLD, { 0: 0 }],
    ["QCOW2_TABLE_OUT_OF_RANGE", OLD, { 44: 0x200 }],
    ["QCOW2_TABLE_OUT_OF_RANGE", OLD, { 44: 0x7fff0000 }],
    ["QCOW2_TABLE_OUT_OF_RANGE", OLD, { [OLD.input.readUInt32BE(0x2c) + 4]: 0x7fff0000 }],
    ["QCOW2_ENTRY", OLD, { [entryOf(OLD) + 4]: 0x600 }],
    ["QCOW2_ENTRY", EXTENDED, { [entryOf(EXTENDED) + 8]: 0xffffffff }],
    ["QCOW2_ENTRY", EXTENDED, { [entryOf(EXTENDED)]: 0, [entryOf(EXTENDED) + 4]: 0 }],
    ["QCOW2_ENTRY", EXTENDED, { [entryOf(EXTENDED)]: 0x40000000 }],
    ["QCOW2_ENTRY", DATA_FILE, { [entryOf(DATA_FILE)]: 0x40000000 }],
    ["QCOW2_CLUSTER_OUT_OF_RANGE", OLD, { [entryOf(OLD) + 4]: 0x7fff0000 }],
    ["QCOW2_CLUSTER_OUT_OF_RANGE", DEFLATE, { [entryOf(DEFLATE) + 4]: 0x7fff0000 }],
    ["QCOW2_CLUSTER_DAMAGED", DEFLATE, { [entryOf(DEFLATE) + 4]: 0 }],
    ["BYTES_COMPRESSED", ZSTD, { [entryOf(ZSTD) + 4]: 0 }],
  ])("ends with %s", async (code, image, words) => {
    expect(await codeOf(readAll(image, changed(image, words, "BE")))).toBe(code);
  });

  it("of version 4 is refused as QCOW, also when it is declared as QCOW2", async () => {
    const bytes = changed(OLD, { 4: 4 }, "BE");
    expect(await codeOf(openDisk(new MemorySource(bytes), memoryContext()))).toBe("DISK_FORMAT_UNSUPPORTED");
  });
});
