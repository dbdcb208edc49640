import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { FileSource } from "../../src/bytes/file-source.ts";
import { corpus, describeWith } from "../support/needs.ts";
import { changed, type FixtureImage, fixtureImage, fixtureImages, openFixture } from "./fixture-images.ts";
import { busyParts, codeOf, firstDifference, openImage } from "./images.ts";
import { pattern } from "./pattern.ts";

const COWD = fixtureImage("cowd/bare");
const SESPARSE = fixtureImage("sesparse/bare");
/** Where the builder of the fixture puts them. */
const DIRECTORY = 32 * 512;
const TABLE = (64 + 64) * 512;

async function readAll(image: FixtureImage, bytes: Buffer): Promise<void> {
  const disk = await openFixture(image, bytes);
  await disk.read(0, disk.size);
}

describe("extents of ESX", () => {
  it.each([
    ["VMDK_DIRECTORY_OUT_OF_RANGE", COWD, { 20: 0x7fffffff }],
    ["VMDK_GEOMETRY", COWD, { 16: 0 }],
    ["VMDK_GRAIN_OUT_OF_RANGE", COWD, { [6 * 512 + 256 * 4]: 0x7fffffff }],
    ["VMDK_GRAIN_TABLE_OUT_OF_RANGE", COWD, { [4 * 512]: 0x7fffffff }],
    ["VMDK_NOT_RECOGNISED", COWD, { 0: 0 }],
    ["VMDK_NO_EXTENTS", COWD, { 12: 0 }],
    ["VMDK_VERSION", COWD, { 4: 2 }],
    ["VMDK_DIRECTORY_OUT_OF_RANGE", SESPARSE, { 128: 0x7fffffff }],
    ["VMDK_ENTRY", SESPARSE, { [DIRECTORY + 4]: 0x20000000 }],
    ["VMDK_ENTRY", SESPARSE, { [TABLE + 4]: 0x40000000 }],
    ["VMDK_ENTRY", SESPARSE, { [TABLE]: 1 }],
    ["VMDK_GEOMETRY", SESPARSE, { 8: 2 }],
    ["VMDK_GEOMETRY", SESPARSE, { 24: 16 }],
    ["VMDK_GEOMETRY", SESPARSE, { 32: 32 }],
    ["VMDK_GEOMETRY", SESPARSE, { 40: 1 }],
    ["VMDK_GEOMETRY", SESPARSE, { 20: 0x1fffff }],
    ["VMDK_GEOMETRY", SESPARSE, { 80: 0x7fffffff }],
    ["VMDK_GEOMETRY", SESPARSE, { 512: 0 }],
    ["VMDK_GRAIN_OUT_OF_RANGE", SESPARSE, { [TABLE + 256 * 8]: 0x7fffffff }],
    ["VMDK_GRAIN_TABLE_OUT_OF_RANGE", SESPARSE, { [DIRECTORY]: 0x7fffffff }],
    ["VMDK_JOURNAL", SESPARSE, { [512 + 0x18]: 1 }],
    ["VMDK_NOT_RECOGNISED", SESPARSE, { 4: 1 }],
    ["VMDK_NO_EXTENTS", SESPARSE, { 16: 0 }],
  ])("end with %s", async (code, image, words) => {
    expect(await codeOf(readAll(image, changed(image, words, "LE")))).toBe(code);
  });

  it.each([
    ["vmdk/vmfs-sparse", "input-delta.vmdk", 0x0c],
    ["vmdk/se-sparse", "input-sesparse.vmdk", 0x10],
  ])("%s may not be smaller than their lines say", async (title, name, place) => {
    const image = fixtureImage(title);
    const extent = Buffer.from(image.beside[name] ?? Buffer.alloc(512));
    extent.writeUInt32LE(4108, place);
    const less = { ...image, beside: { ...image.beside, [name]: extent } };
    expect(await codeOf(openFixture(less, image.input))).toBe("VMDK_EXTENT_TOO_SMALL");
  });

  it("have holes that are not those of the parent", async () => {
    const image = fixtureImage("vmdk/se-sparse");
    const disk = await openFixture(image, image.input);
    expect(Buffer.compare(await disk.read(0, disk.size), pattern(4109))).toBe(0);
    const base = await openFixture(image, image.beside["base.vmdk"] ?? image.input);
    expect((await base.read(16 * 4096, 1))[0]).toBe(0xff);
  });
});

describeWith({ tools: ["qemu-img"] }, "extents of ESX, for QEMU", () => {
  const work = mkdtempSync(join(tmpdir(), "transload-esx-"));
  afterAll(() => rmSync(work, { recursive: true }));

  it.each(fixtureImages(["vmdk"]).filter(({ title }) => /(vmfs|se)-sparse$/.test(title)))(
    "$title reads the same",
    ({ beside }) => {
      for (const [name, bytes] of Object.entries(beside)) writeFileSync(join(work, name), bytes);
      execFileSync("qemu-img", ["convert", "-f", "vmdk", "-O", "raw", "input.vmdk", "raw"], { cwd: work });
      const raw = readFileSync(join(work, "raw"));
      expect(Buffer.compare(raw.subarray(0, 4109 * 512), pattern(4109))).toBe(0);
    },
  );

  describeWith({ corpus: "disk/container/dissect" }, "and one of another project", () => {
    it("reads as through a descriptor in qemu-img", async () => {
      const { disk, source, diagnostics } = await openImage(corpus("disk/container/dissect/sesparse.vmdk.gz"));
      expect(diagnostics.map(({ code }) => code)).toEqual(["VMDK_DESCRIPTOR_MISSING"]);
      const line = `RW ${disk.size / 512} SESPARSE "extent.vmdk"`;
      const text = `# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\ncreateType="seSparse"\n${line}\n`;
      execFileSync("ln", ["-sf", source.name, join(work, "extent.vmdk")]);
      writeFileSync(join(work, "whole.vmdk"), text);
      execFileSync("qemu-img", ["convert", "-f", "vmdk", "-O", "raw", "whole.vmdk", "whole"], { cwd: work });
      await using raw = FileSource.open(join(work, "whole"));
      expect(await firstDifference(disk, raw, await busyParts(raw))).toBeUndefined();
    });
  });
});
