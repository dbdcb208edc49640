import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import { createContext, type Diagnostic } from "../../src/context.ts";
import { openVolumes, volumeFormats } from "../../src/volume/index.ts";
import type { VolumeSystem } from "../../src/volume/volume-system.ts";
import { codeOf } from "../disk/images.ts";
import { GUIDS, gptDisk, mbrEntry, putRecord, sealHeader } from "./tables.ts";

const FOLDER = fileURLToPath(new URL("../../src/volume", import.meta.url));

async function open(bytes: Buffer, sectorSize?: number) {
  const found: Diagnostic[] = [];
  const source = Object.assign(new MemorySource(bytes, "disk"), sectorSize === undefined ? {} : { sectorSize });
  const system = await openVolumes(source, createContext({ diagnostic: (diagnostic) => void found.push(diagnostic) }));
  return { system, codes: found.map(({ code }) => code), messages: found.map(({ message }) => message) };
}

/** Number, first sector and sectors of each volume. */
function layout(system: VolumeSystem | undefined): string[] | undefined {
  return system?.volumes.map(({ id, start, size }) => `${id}: ${(start ?? -1) / 512}+${size / 512}`);
}

/** 1,000 sectors with a record in the first. */
function mbrDisk(...entries: Buffer[]): Buffer {
  return putRecord(Buffer.alloc(1000 * 512), 0, entries);
}

describe("the catalog of volume formats", () => {
  it("has every format module of the folder", async () => {
    const modules = readdirSync(FOLDER, { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ts"))
      .filter((file) => /^export const format\b/m.test(readFileSync(join(FOLDER, file), "utf8")));
    const index = readFileSync(join(FOLDER, "index.ts"), "utf8");
    expect(modules.length).toBeGreaterThan(1);
    expect(modules.filter((file) => !index.includes(`import("./${file}")`))).toEqual([]);
    for (const entry of volumeFormats.entries) expect((await entry.load()).name).toBe(entry.name);
  });
});

describe("an MBR", () => {
  it("lists primary and logical partitions, numbered as in Linux, without the extended one", async () => {
    const disk = mbrDisk(
      mbrEntry(0x83, 10, 90, 0x80),
      mbrEntry(0x05, 100, 600),
      mbrEntry(0, 0, 0),
      mbrEntry(0xef, 700, 1),
    );
    disk.writeUInt32LE(0xdeadbeef, 0x1b8);
    putRecord(disk, 100, [mbrEntry(0x82, 5, 20), mbrEntry(0x05, 100, 100)]);
    putRecord(disk, 200, [mbrEntry(0x8e, 10, 50), mbrEntry(0x05, 300, 100)]);
    putRecord(disk, 400, [mbrEntry(0x77, 1, 2)]);
    disk.fill(0x55, 210 * 512, 260 * 512);
    const { system, codes } = await open(disk);
    expect(codes).toEqual([]);
    expect(layout(system)).toEqual(["1: 10+90", "4: 700+1", "5: 105+20", "6: 210+50", "7: 401+2"]);
    expect(system).toMatchObject({ scheme: "mbr", uuid: "deadbeef", sectorSize: 512 });
    expect(system?.volumes.map(({ type, typeName, bootable, uuid }) => [type, typeName, bootable, uuid])).toEqual([
      ["0x83", "Linux", true, "deadbeef-01"],
      ["0xef", "EFI system", false, "deadbeef-04"],
      ["0x82", "Linux swap", false, "deadbeef-05"],
      ["0x8e", "Linux LVM", false, "deadbeef-06"],
      ["0x77", "unknown", false, "deadbeef-07"],
    ]);
    const volume = system?.volumes[3];
    expect((await volume?.read(0, 50 * 512))?.every((byte) => byte === 0x55)).toBe(true);
    expect(await volume?.extentAt(512, 1000)).toEqual({ offset: 512, length: 1000, kind: "data" });
    expect(volume?.name).toBe("partition 6 of disk");
  });

  it("counts in the sectors of the disk", async () => {
    const { system } = await open(putRecord(Buffer.alloc(100 * 4096), 0, [mbrEntry(0x83, 10, 5)]), 4096);
    expect(layout(system)).toEqual(["1: 80+40"]);
    expect(system?.sectorSize).toBe(4096);
  });

  it.each([
    ["is missing", Buffer.alloc(4096)],
    ["would be in less than a sector", Buffer.alloc(100)],
    ["has no entries", mbrDisk()],
    ["has a status that is none", mbrDisk(mbrEntry(0x83, 10, 90, 0x41))],
    ["has no signature", mbrDisk(mbrEntry(0x83, 10, 90)).fill(0, 510, 512)],
    ["is the boot sector of a FAT", fat(mbrDisk(mbrEntry(0x20, 1e6, 1e6)))],
    ["is the boot sector of an NTFS", ntfs(mbrDisk(mbrEntry(0x07, 10, 90), mbrEntry(0x07, 50, 90)))],
  ])("is not seen where it %s", async (_, disk) => {
    expect((await open(disk)).system).toBeUndefined();
  });

  it("is seen behind the parameters of a file system if its partitions are in order", async () => {
    expect(layout((await open(fat(mbrDisk(mbrEntry(0x0c, 10, 90))))).system)).toEqual(["1: 10+90"]);
  });

  it("wins over a GPT that it does not announce", async () => {
    const disk = putRecord(gptDisk([{ first: 50, last: 60 }]), 0, [mbrEntry(0x83, 10, 20)]);
    expect((await open(disk)).system?.scheme).toBe("mbr");
  });

  it("ends a broken chain with a warning", async () => {
    const disk = mbrDisk(mbrEntry(0x0f, 100, 600));
    expect((await open(disk)).codes).toEqual(["MBR_CHAIN_BROKEN"]);
    putRecord(disk, 100, [mbrEntry(0x83, 5, 20), mbrEntry(0x05, 5000, 100)]);
    const { system, codes } = await open(disk);
    expect([layout(system), codes]).toEqual([["5: 105+20"], ["MBR_CHAIN_BROKEN"]]);
  });

  it("is refused with an endless chain", async () => {
    const disk = mbrDisk(mbrEntry(0x0f, 100, 600));
    putRecord(disk, 100, [mbrEntry(0x83, 5, 20), mbrEntry(0x05, 100, 100)]);
    putRecord(disk, 200, [mbrEntry(0x83, 5, 20), mbrEntry(0x05, 0, 100)]);
    disk.writeUInt32LE(1, 200 * 512 + 446 + 16 + 12);
    expect(await codeOf(open(disk))).toBe("MBR_CHAIN_ENDLESS");
    const long = mbrDisk(mbrEntry(0x0f, 1, 999));
    for (let at = 1; at < 999; at++) putRecord(long, at, [mbrEntry(0x83, 1, 1), mbrEntry(0x05, at, 1)]);
    expect(await codeOf(open(long))).toBe("MBR_CHAIN_ENDLESS");
  });

  it("warns of partitions that overlap or leave the disk, whose reads fail there", async () => {
    const { system, codes } = await open(mbrDisk(mbrEntry(0x83, 10, 90), mbrEntry(0x83, 50, 2000)));
    expect(codes).toEqual(["VOLUME_BEYOND_DISK", "VOLUME_OVERLAP"]);
    const volume = system?.volumes[1];
    expect(volume?.size).toBe(2000 * 512);
    expect((await volume?.read(0, 950 * 512))?.length).toBe(950 * 512);
    expect((await volume?.extentAt(0, 2000 * 512))?.length).toBe(950 * 512);
    expect(await codeOf((async () => volume?.read(949 * 512, 1024))())).toBe("BYTES_TRUNCATED");
    expect(await codeOf((async () => volume?.extentAt(950 * 512, 1))())).toBe("BYTES_TRUNCATED");
  });
});

function fat(disk: Buffer): Buffer {
  disk.set([0xeb, 0x3c, 0x90]);
  disk.writeUInt16LE(512, 11);
  disk.write("FAT16   ", 0x36, "latin1");
  return disk;
}

function ntfs(disk: Buffer): Buffer {
  disk.set([0xeb, 0x52, 0x90]);
  disk.write("NTFS    ", 3, "latin1");
  return disk;
}

const PARTITIONS = [
  { first: 40, last: 49, type: GUIDS.esp, name: "EFI \u00fc" },
  undefined,
  { first: 50, last: 99, attributes: 4 },
];

describe("a GPT", () => {
  it.each([
    [512, {}],
    [4096, { sectorSize: 4096 }],
    [512, { entrySize: 256 }],
  ] as const)("in blocks of %i bytes with %j lists its partitions", async (sectorSize, options) => {
    const { system, codes } = await open(gptDisk(PARTITIONS, options));
    expect(codes).toEqual([]);
    expect(system).toMatchObject({ scheme: "gpt", uuid: "abababab-abab-abab-abab-abababababab", sectorSize });
    expect(system?.volumes).toMatchObject([
      {
        id: "1",
        type: "C12A7328-F81F-11D2-BA4B-00A0C93EC93B",
        typeName: "EFI system",
        uuid: "01010101-0101-0101-0101-010101010101",
        label: "EFI ü",
        bootable: false,
        start: 40 * sectorSize,
        size: 10 * sectorSize,
      },
      { id: "3", typeName: "Linux", label: undefined, bootable: true, start: 50 * sectorSize, size: 50 * sectorSize },
    ]);
  });

  it.each([
    ["its header", (disk: Buffer) => disk.fill(0, 512, 1024)],
    ["a byte of its header", (disk: Buffer) => disk.fill(1, 512 + 60, 512 + 61)],
    ["a byte of its table", (disk: Buffer) => disk.fill(1, 1024 + 60, 1024 + 61)],
    ["its header and the place of the backup", (disk: Buffer) => disk.fill(0xff, 512 + 32, 512 + 40)],
  ])("is read from its backup without %s", async (_, damage) => {
    for (const sectorSize of [512, 4096] as const) {
      const disk = gptDisk(PARTITIONS, { sectorSize });
      damage(disk.subarray(sectorSize - 512, 3 * sectorSize));
      if (sectorSize === 4096) disk.fill(0, 4096, 8192);
      const { system, codes } = await open(disk);
      expect([system?.volumes.length, system?.sectorSize, codes]).toEqual([2, sectorSize, ["GPT_BACKUP_USED"]]);
    }
  });

  it("finds the backup where the header sees it on a disk that has grown", async () => {
    const disk = gptDisk(PARTITIONS, { backup: 150 });
    disk.fill(1, 1024 + 60, 1024 + 61);
    expect((await open(disk)).codes).toEqual(["GPT_BACKUP_USED"]);
  });

  it("is refused with the reasons of both tables", async () => {
    const disk = gptDisk(PARTITIONS);
    disk.fill(1, 1024 + 60, 1024 + 61);
    disk.writeUInt32LE(7, 199 * 512 + 24);
    sealHeader(disk, 199);
    await expect(open(disk)).rejects.toMatchObject({
      code: "GPT_UNUSABLE",
      message:
        "neither partition table can be used: the table of the header in block 1 of 512 bytes has a wrong checksum, " +
        "and the header in block 199 of 512 bytes says that it lies in block 7, disk",
    });
  });

  it.each([
    [12, 91, "tells a size of 91 bytes"],
    [12, 513, "tells a size of 513 bytes"],
    [80, 1e6, "tells 1000000 entries"],
    [84, 64, "tells entries of 64 bytes"],
    [84, 384, "tells entries of 384 bytes"],
    [72, 199, "would lie outside the disk"],
  ])("is not believed with %i of %i", async (at, value, reason) => {
    const disk = gptDisk(PARTITIONS);
    disk.writeUInt32LE(value, 512 + at);
    sealHeader(disk, 1);
    const { codes, messages } = await open(disk);
    expect(codes).toEqual(["GPT_BACKUP_USED"]);
    expect(messages[0]).toContain(reason);
  });

  it("is seen without an MBR, and beside the partitions of a hybrid one", async () => {
    expect((await open(gptDisk(PARTITIONS).fill(0, 0, 512))).system?.scheme).toBe("gpt");
    const hybrid = putRecord(gptDisk(PARTITIONS), 0, [mbrEntry(0xee, 1, 39), mbrEntry(0xef, 40, 10)]);
    expect((await open(hybrid)).system?.volumes.length).toBe(2);
  });

  it("leaves out what ends before it begins, and warns of what overlaps", async () => {
    const { system, codes } = await open(
      gptDisk([
        { first: 60, last: 50 },
        { first: 70, last: 80 },
        { first: 80, last: 90 },
      ]),
    );
    expect(codes).toEqual(["GPT_ENTRY", "VOLUME_OVERLAP"]);
    expect(layout(system)).toEqual(["2: 70+11", "3: 80+11"]);
  });
});

describe("what is recognised and not read", () => {
  it.each([
    ["an Apple partition map", { 0: "ER\x02\x00", 512: "PM" }],
    ["a BSD disk label", { 512: "\x57\x45\x56\x82" }],
  ])("%s is refused by its name", async (title, parts) => {
    const disk = Buffer.alloc(4096);
    for (const [at, text] of Object.entries(parts)) disk.write(text, Number(at), "latin1");
    await expect(open(disk)).rejects.toMatchObject({
      code: "VOLUME_SCHEME_UNSUPPORTED",
      message: `${title} is not read, disk`,
    });
  });
});
