import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { deflateSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { type Content, contentOf } from "../../src/bytes/content.ts";
import { FileSource } from "../../src/bytes/file-source.ts";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import { writeOutput } from "../../src/bytes/output-file.ts";
import { ZeroPadded } from "../../src/bytes/slice.ts";
import { type Context, createContext, DEFAULT_LIMITS } from "../../src/context.ts";
import { openDisk } from "../../src/disk/index.ts";
import { parseDescriptor } from "../../src/disk/vmdk/descriptor.ts";
import { type StreamOptions, writeStreamOptimized } from "../../src/disk/vmdk/writer.ts";
import { describeWith } from "../support/needs.ts";
import { memoryContext } from "./images.ts";
import { buildSparse, rawOf } from "./vmdk-builder.ts";

const GRAIN = 65536;
const here = createContext({ limits: { ...DEFAULT_LIMITS, threads: 0 } });
const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), "transload-vmdk-"));
afterAll(() => rmSync(folder, { recursive: true }));

async function written(content: Content, options: StreamOptions = {}, ctx: Context = here): Promise<Buffer> {
  const writing = writeStreamOptimized(content, options, ctx);
  const parts: Buffer[] = [];
  for (;;) {
    const next = await writing.next();
    if (next.done === true) {
      expect(next.value).toEqual([]);
      return Buffer.concat(parts);
    }
    parts.push(Buffer.from(next.value));
  }
}

async function readBack(image: Uint8Array): Promise<Buffer> {
  const ctx = memoryContext();
  const disk = await openDisk(new MemorySource(image), ctx);
  expect(ctx.diagnostics).toEqual([]);
  return Buffer.from(await disk.read(0, disk.size));
}

function padded(raw: Uint8Array): Buffer {
  return Buffer.concat([raw, Buffer.alloc(-raw.length & 511)]);
}

/** Grains of every kind, cut off at some byte. */
const disks = fc
  .record({
    grains: fc.array(fc.constantFrom("zero", "text", "noise", "edge"), { minLength: 1, maxLength: 12 }),
    cut: fc.integer({ min: 0, max: GRAIN - 1 }),
    seed: fc.integer({ min: 1, max: 1e9 }),
  })
  .map(({ grains, cut, seed }) => {
    let state = seed;
    const noise = () => {
      state = (state * 48271) % 0x7fffffff;
      return state & 0xff;
    };
    const parts = grains.map((kind) => {
      if (kind === "noise") return Uint8Array.from({ length: GRAIN }, noise);
      const bytes = new Uint8Array(GRAIN);
      if (kind === "text") bytes.fill(65);
      if (kind === "edge") bytes[(seed * 7919) % GRAIN] = 1;
      return bytes;
    });
    const raw = Buffer.concat(parts);
    return raw.subarray(0, raw.length - cut);
  });

describe("a streamOptimized VMDK that was written", () => {
  it("reads as what was written, whatever its size and holes", async () => {
    await fc.assert(
      fc.asyncProperty(disks, async (raw) => {
        const back = await readBack(await written(contentOf(new MemorySource(raw)), { level: 1 }));
        expect(back.equals(padded(raw))).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it("is laid out as VirtualBox does it", async () => {
    const raw = Buffer.alloc(33 << 20);
    raw.fill("x", 0, GRAIN).fill("y", 32 << 20, (32 << 20) + GRAIN);
    const image = await written(contentOf(new MemorySource(raw.subarray(0, raw.length - 512))));
    const u64 = (at: number) => Number(image.readBigUInt64LE(at));
    const marker = (sector: number) => [
      u64(sector * 512),
      ...[8, 12].map((at) => image.readUInt32LE(sector * 512 + at)),
    ];
    expect(image.toString("latin1", 0, 4)).toBe("KDMV");
    expect([image.readUInt32LE(4), image.readUInt32LE(8)]).toEqual([3, 0x30001]);
    expect([u64(12), u64(20), u64(28), u64(36), u64(64)]).toEqual([67584, 128, 1, 20, 128]);
    expect([image.readUInt32LE(44), image.readBigInt64LE(56), image.readUInt16LE(77)]).toEqual([512, -1n, 1]);
    const grain = deflateSync(Buffer.alloc(GRAIN, "x"), { level: 6 });
    expect(marker(128).slice(0, 2)).toEqual([0, grain.length]);
    expect(image.subarray(128 * 512 + 12, 128 * 512 + 12 + grain.length).equals(grain)).toBe(true);
    // One sector of grain, then the table of the first 32 MiB, the second grain and its table, directory, footer, end.
    expect(marker(129)).toEqual([4, 0, 1]);
    expect(image.readUInt32LE(130 * 512)).toBe(128);
    expect(marker(134).slice(0, 1)).toEqual([65536]);
    expect(marker(135)).toEqual([4, 0, 1]);
    expect(marker(140)).toEqual([1, 0, 2]);
    expect([image.readUInt32LE(141 * 512), image.readUInt32LE(141 * 512 + 4)]).toEqual([130, 136]);
    expect(marker(142)).toEqual([1, 0, 3]);
    expect(Number(image.readBigUInt64LE(143 * 512 + 56))).toBe(141);
    expect(marker(144)).toEqual([0, 0, 0]);
    expect(image.length).toBe(145 * 512);
    const descriptor = parseDescriptor(image.subarray(512, 21 * 512), "x");
    expect(descriptor).toMatchObject({ createType: "streamOptimized", parentCid: undefined });
    expect(descriptor.extents).toMatchObject([{ sectors: (33 << 11) - 1, type: "SPARSE", file: "disk.vmdk" }]);
  });

  it("tells what it hangs on and who it is, and is the same when made again of the same", async () => {
    const content = contentOf(new ZeroPadded(new MemorySource(Buffer.from("x")), 40 * 2 ** 30));
    const uuid = "5f042839-c478-43d9-9eb0-fd8a902146ec";
    const image = await written(content, { adapterType: "ide", uuid, fileName: 'a "b"\n.vmdk' });
    const text = image.toString("latin1", 512, 4096);
    expect(text).toContain('SPARSE "a _b__.vmdk"');
    expect(text).toContain('ddb.adapterType = "ide"');
    expect(text).toContain(`ddb.uuid.image = "${uuid}"`);
    expect(text).toMatch(/cylinders = "16383"\n.*heads = "16"/);
    expect((await written(content, { adapterType: "ide", uuid, fileName: 'a "b"\n.vmdk' })).equals(image)).toBe(true);
    const dated = { ...here, epoch: 1 };
    expect((await written(content, {}, dated)).equals(await written(content, {}, dated))).toBe(true);
    expect((await written(content)).equals(await written(content))).toBe(false);
  });

  it.each([
    [1, 64, 32],
    [1.5, 128, 32],
    [4, 255, 63],
  ])("of %d GiB has the geometry of SCSI adapters", async (gib, heads, track) => {
    const content = contentOf(new ZeroPadded(new MemorySource(new Uint8Array(0)), gib * 2 ** 30));
    const text = (await written(content)).toString("latin1", 512, 4096);
    expect(text).toContain(`heads = "${heads}"\nddb.geometry.sectors = "${track}"`);
  });

  it("takes compressed grains over as they are stored", async () => {
    const content = Buffer.alloc(GRAIN, "reuse me ");
    const options = { capacity: 128 * 40, grainSize: 128, tableEntries: 512, compressed: true, directoryAtEnd: true };
    const grains = new Map([
      [1, content],
      [39, content],
    ]);
    const path = join(folder, "source.vmdk");
    // The level of the new image is another one, so that a grain which is compressed again shows.
    const built = buildSparse({ ...options, grains }).bytes;
    writeFileSync(path, built);
    await using file = FileSource.open(path);
    await using disk = await openDisk(file, memoryContext());
    const image = await written(contentOf(disk), { level: 1 });
    const grain = deflateSync(content);
    expect(image.indexOf(grain)).toBe(128 * 512 + 12);
    expect((await readBack(image)).equals(rawOf({ ...options, grains }))).toBe(true);
  });

  it("refuses what no table can name", async () => {
    const far = contentOf(new ZeroPadded(new MemorySource(Buffer.from("x")), 2 ** 50));
    await expect(written(far)).rejects.toMatchObject({ code: "VMDK_STREAM_TOO_LARGE" });
  });

  it("tells how far it is", async () => {
    const seen: number[] = [];
    const ctx: Context = { ...here, progress: ({ done, total }) => seen.push(done / (total ?? 0)) };
    await written(contentOf(new MemorySource(Buffer.alloc(3 << 20, "z"))), {}, ctx);
    expect(seen.at(-1)).toBe(1);
  });
});

describeWith({ tools: ["qemu-img"] }, "a streamOptimized VMDK, to qemu-img", () => {
  it("is sound and holds the same", async () => {
    const raw = Buffer.alloc(70 << 20);
    for (let at = 0; at < raw.length; at += 9 << 18) raw.fill(`block ${at} `, at, at + 100_000);
    const [rawPath, path] = [join(folder, "disk.raw"), join(folder, "disk.vmdk")];
    writeFileSync(rawPath, raw);
    await using source = FileSource.open(rawPath);
    const ctx = createContext();
    await writeOutput(writeStreamOptimized(contentOf(source), {}, ctx), path, { force: false }, ctx);
    await run("qemu-img", ["check", "-f", "vmdk", path]);
    await run("qemu-img", ["compare", "-f", "raw", "-F", "vmdk", rawPath, path]);
    const { stdout } = await run("qemu-img", ["info", "--output=json", path]);
    expect(JSON.parse(stdout)).toMatchObject({
      format: "vmdk",
      "virtual-size": raw.length,
      "format-specific": { data: { "create-type": "streamOptimized" } },
    });
    expect((await readBack(readFileSync(path))).equals(raw)).toBe(true);
  });
});
