import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { extents } from "../../src/bytes/byte-source.ts";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import { type DeclaredDisk, diskFormats, openDisk } from "../../src/disk/index.ts";
import { UnsupportedError } from "../../src/errors.ts";
import { codeOf, memoryContext } from "./images.ts";
import { buildSparse } from "./vmdk-builder.ts";

const FOLDER = fileURLToPath(new URL("../../src/disk", import.meta.url));
const VMDK = buildSparse({ capacity: 8, grains: new Map() }).bytes;
const UNKNOWN = Buffer.alloc(1024, 1);

async function open(bytes: Uint8Array, declared?: DeclaredDisk) {
  const ctx = memoryContext();
  const disk = await openDisk(new MemorySource(bytes), ctx, declared);
  return { disk, codes: ctx.diagnostics.map(({ code, severity }) => `${severity} ${code}`) };
}

describe("the catalog of disk formats", () => {
  it.each([
    ["format", FOLDER, "index.ts", 2],
    ["extentFormat", join(FOLDER, "vmdk"), "extent-formats.ts", 1],
    ["writer", FOLDER, "writers.ts", 1],
  ])("has every module that exports a %s", (name, folder, catalog, least) => {
    const modules = readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ts"))
      .filter((file) => new RegExp(`^export const ${name}\\b`, "m").test(readFileSync(join(folder, file), "utf8")));
    const text = readFileSync(join(folder, catalog), "utf8");
    expect(modules.length).toBeGreaterThanOrEqual(least);
    expect(modules.filter((file) => !text.includes(`import("./${file}")`))).toEqual([]);
  });

  it("loads formats that bear the names of their entries, each once", async () => {
    const names = diskFormats.entries.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const entry of diskFormats.entries) expect((await entry.load()).name).toBe(entry.name);
  });

  it("knows by its magic each format that it names, and refuses by name what is not read", async () => {
    for (const { name, magic } of diskFormats.entries) {
      for (const { offset, bytes } of magic) {
        const image = Buffer.alloc(4096);
        image.set(
          typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes,
          offset < 0 ? 4096 + offset : offset,
        );
        const source = new MemorySource(image);
        expect((await diskFormats.probe(source))?.name).toBe(name);
        await expect(openDisk(source, memoryContext()), name).rejects.toSatisfy(
          (error) => name === "vmdk" || error instanceof UnsupportedError || (error as Error).name === "CorruptError",
        );
      }
    }
  });
});

describe("openDisk", () => {
  it.each([
    ["VMDK as itself", VMDK, {}, "vmdk", []],
    ["VMDK as declared", VMDK, { format: "vmdk", capacity: 4096 }, "vmdk", []],
    ["VMDK though another is declared", VMDK, { format: "vdi" }, "vmdk", ["warning DISK_FORMAT_MISMATCH"]],
    ["VMDK as raw when told so", VMDK, { format: "raw" }, "raw", ["warning DISK_FORMAT_MISMATCH"]],
    ["unknown bytes as raw", UNKNOWN, {}, "raw", []],
    ["a disk larger than declared", UNKNOWN, { capacity: 512 }, "raw", ["info DISK_CAPACITY"]],
    ["a disk smaller than declared", UNKNOWN, { capacity: 2048 }, "raw", ["warning DISK_CAPACITY"]],
  ])("opens %s", async (_, bytes, declared, format, expected) => {
    const { disk, codes } = await open(bytes, declared);
    expect([disk.format, codes]).toEqual([format, expected]);
  });

  it.each([
    ["DISK_EMPTY", new Uint8Array(0), {}],
    ["DISK_FORMAT_UNKNOWN", UNKNOWN, { format: "floppy" }],
    ["DISK_FORMAT_UNSUPPORTED", Buffer.concat([Buffer.from("QED\0"), UNKNOWN]), {}],
    ["VMDK_NOT_RECOGNISED", UNKNOWN, { format: "vmdk" }],
  ])("ends with %s", async (code, bytes, declared) => {
    expect(await codeOf(open(bytes, declared))).toBe(code);
  });
});

describe("a raw disk", () => {
  it("is filled up to the sector with zeros", async () => {
    const { disk } = await open(Buffer.alloc(700, 9));
    expect([disk.size, disk.storedBytes, disk.sectorSize]).toEqual([1024, 700, 512]);
    const expected = Buffer.alloc(1024).fill(9, 0, 700);
    expect(Buffer.from(await disk.read(0, 1024))).toEqual(expected);
    const kinds: string[] = [];
    for await (const { kind, length } of extents(disk)) kinds.push(`${kind} ${length}`);
    expect(kinds).toEqual(["data 700", "zero 324"]);
  });
});
