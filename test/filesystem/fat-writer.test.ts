import { execFileSync } from "node:child_process";
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { compose } from "../../src/bytes/regions.ts";
import { createContext } from "../../src/context.ts";
import { LEAST_FAT32_BYTES, type NewFat32, writeFat32 } from "../../src/filesystem/fat/writer.ts";
import { fileSystemFormats } from "../../src/filesystem/index.ts";
import { describeWith } from "../support/needs.ts";

const files = [
  { path: "EFI/BOOT/BOOTX64.EFI", bytes: Buffer.from("loader") },
  { path: "EMPTY", bytes: new Uint8Array(0) },
  { path: "LINUX", bytes: Buffer.alloc(3_000_001, "kernel") },
  { path: "EFI/INITRD.IMG", bytes: Buffer.alloc(1024, "initrd") },
];
const volume: NewFat32 = {
  size: LEAST_FAT32_BYTES,
  hiddenSectors: 2048,
  label: "EFI",
  serial: 0x12345678,
  date: new Date("2023-11-14T22:13:20Z"),
  files,
};

describe.each([LEAST_FAT32_BYTES, 100 << 20, 700 << 20])("a FAT32 volume of %i bytes", (size) => {
  it("is read back, each file in one piece where it says", async () => {
    const { regions, offsets } = writeFat32({ ...volume, size });
    const source = compose("esp", size, regions);
    const format = await fileSystemFormats.byName("vfat")?.load();
    const fileSystem = await format?.open(source, createContext());
    expect(fileSystem).toMatchObject({ type: "vfat", uuid: "1234-5678", label: "EFI" });
    const found: string[] = [];
    for await (const entry of fileSystem?.walk() ?? []) found.push(entry.path);
    expect(found).toEqual(["", "EFI", "EFI/BOOT", "EFI/BOOT/BOOTX64.EFI", "EFI/INITRD.IMG", "EMPTY", "LINUX"]);
    for (const { path, bytes } of files.filter(({ bytes }) => bytes.length > 0)) {
      const offset = offsets.get(path) ?? 0;
      expect(offset % 512).toBe(0);
      expect(Buffer.from(await source.read(offset, bytes.length)).equals(bytes), path).toBe(true);
      const entry = await fileSystem?.lookup(path);
      expect(entry?.mtime.seconds).toBe(Date.UTC(2023, 10, 14) / 1000);
      if (entry?.type !== "file") throw new Error(`${path} is missing`);
      const content = fileSystem?.content(entry);
      expect(Buffer.from((await content?.read(0, bytes.length)) ?? []).equals(bytes), path).toBe(true);
    }
  });

  describeWith({ tools: ["fsck.fat"] }, "fsck.fat", () => {
    const folder = mkdtempSync(join(tmpdir(), "fat-"));
    afterAll(() => rmSync(folder, { recursive: true }));

    it("finds nothing wrong", () => {
      const path = join(folder, "esp");
      const fd = openSync(path, "w");
      ftruncateSync(fd, size);
      for (const { offset, content } of writeFat32({ ...volume, size }).regions) {
        if (content instanceof Uint8Array) writeSync(fd, content, 0, content.length, offset);
      }
      closeSync(fd);
      const said = execFileSync("fsck.fat", ["-n", path], { encoding: "utf8" });
      expect(said.trim().split("\n")).toHaveLength(2);
      expect(said).toMatch(/7 files/);
    });
  });
});

describe("what cannot be a FAT32 volume", () => {
  it.each([
    ["too small", { ...volume, size: 20 << 20 }],
    ["too full", { ...volume, files: [{ path: "LINUX", bytes: new Uint8Array(40 << 20) }] }],
    ["a long name", { ...volume, files: [{ path: "vmlinuz-6.1", bytes: new Uint8Array(1) }] }],
  ])("%s is a mistake of the program", (_, wrong) => {
    expect(() => writeFat32(wrong)).toThrow(Error);
  });
});
