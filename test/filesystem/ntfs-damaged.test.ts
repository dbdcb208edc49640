import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import { createContext, DEFAULT_LIMITS, type Diagnostic } from "../../src/context.ts";
import type { FileSystem } from "../../src/filesystem/file-system.ts";
import { format } from "../../src/filesystem/ntfs/reader.ts";
import { fixture } from "../support/needs.ts";
import { unpacked } from "../support/unpack.ts";
import { expectRanges, fileAt, fuzzVolume, lines, outcome, walked } from "./volumes.ts";

async function opened(bytes: Uint8Array): Promise<FileSystem> {
  return await format.open(new MemorySource(bytes, "volume"), createContext());
}

/** The fixture, changed. */
class Patched {
  readonly bytes: Buffer;

  constructor(bytes: Uint8Array) {
    this.bytes = Buffer.from(bytes);
  }

  /** Offset of a file record; its update number must be left alone. */
  record(number: number): number {
    return Number(this.bytes.readBigUInt64LE(0x30)) * 4096 + number * 1024;
  }

  /** Offset of an attribute of a record. */
  attribute(number: number, type: number): number {
    const record = this.record(number);
    for (let at = record + this.bytes.readUInt16LE(record + 0x14); this.bytes.readUInt32LE(at) !== 0xffffffff; ) {
      if (this.bytes.readUInt32LE(at) === type) return at;
      at += this.bytes.readUInt32LE(at + 4);
    }
    throw new Error(`record ${number} has no attribute 0x${type.toString(16)}`);
  }

  /** Offset of the first block of a directory's index. */
  index(number: number): number {
    const at = this.attribute(number, 0xa0);
    const runs = at + this.bytes.readUInt16LE(at + 0x20);
    const header = this.bytes[runs] ?? 0;
    return this.bytes.readUIntLE(runs + 1 + (header & 0xf), header >> 4) * 4096;
  }
}

describe("a damaged or hostile NTFS volume", () => {
  let sound: Buffer;
  const numbers: Record<string, number> = {};
  beforeAll(async () => {
    sound = readFileSync(await unpacked(fixture("ntfs", "small.img.gz")));
    for (const { path, inode } of await walked(await opened(sound))) numbers[path] = inode;
  });
  const inode = (path: string) => numbers[path] ?? 0;

  const cases: readonly (readonly [code: string, what: string, patch: (volume: Patched) => void])[] = [
    ["NTFS_BOOT_SECTOR", "a cluster has 3 sectors", ({ bytes }) => bytes.writeUInt8(3, 0x0d)],
    ["NTFS_BOOT_SECTOR", "a file record has 3 clusters", ({ bytes }) => bytes.writeUInt8(3, 0x40)],
    ["NTFS_BOOT_SECTOR", "it has no sectors", ({ bytes }) => bytes.fill(0, 0x28, 0x30)],
    ["NTFS_BOOT_SECTOR", "the records lie outside", ({ bytes }) => bytes.writeUInt32LE(0xffffff, 0x30)],
    ["NTFS_BOOT_SECTOR", "sectors have 100 bytes", ({ bytes }) => bytes.writeUInt16LE(100, 0x0b)],
    ["NTFS_RECORD", "the first record is gone", (volume) => volume.bytes.write("BAAD", volume.record(0))],
    [
      "NTFS_RECORD",
      "a record is not in use",
      (volume) => volume.bytes.writeUInt16LE(0, volume.record(inode("plain.txt")) + 0x16),
    ],
    [
      "NTFS_RECORD",
      "a record was used again",
      (volume) => volume.bytes.writeUInt16LE(99, volume.record(inode("plain.txt")) + 0x10),
    ],
    [
      "NTFS_RECORD",
      "an extension belongs to another",
      (volume) => volume.bytes.writeUInt16LE(99, volume.record(inode("linked") + 1) + 0x20),
    ],
    ["NTFS_RECORD", "the root is a file", (volume) => volume.bytes.writeUInt16LE(1, volume.record(5) + 0x16)],
    [
      "NTFS_FIXUP",
      "a record is torn",
      (volume) => volume.bytes.writeUInt16LE(0xabcd, volume.record(inode("plain.txt")) + 0x1fe),
    ],
    [
      "NTFS_ATTRIBUTE",
      "an attribute is too long",
      (volume) => volume.bytes.writeUInt32LE(0x1000, volume.attribute(inode("plain.txt"), 0x10) + 4),
    ],
    [
      "NTFS_ATTRIBUTE",
      "a value lies outside",
      (volume) => volume.bytes.writeUInt32LE(0x1000, volume.attribute(inode("resident"), 0x80) + 0x10),
    ],
    [
      "NTFS_ATTRIBUTE",
      "there is no information",
      (volume) => volume.bytes.writeUInt32LE(0x11, volume.attribute(inode("plain.txt"), 0x10)),
    ],
    [
      "NTFS_RUNS",
      "a run lies outside",
      (volume) => volume.bytes.writeUInt8(0x7f, run1(volume, inode("plain.txt")) + 3),
    ],
    ["NTFS_RUNS", "a run has no length", (volume) => volume.bytes.writeUInt8(0x20, run1(volume, inode("plain.txt")))],
    ["NTFS_RUNS", "there are too few runs", (volume) => volume.bytes.writeUInt8(0, run1(volume, inode("plain.txt")))],
    [
      "NTFS_INDEX",
      "there is no index",
      (volume) => volume.bytes.writeUInt32LE(0x91, volume.attribute(inode("many"), 0x90)),
    ],
    [
      "NTFS_INDEX",
      "the bitmap of the index is gone",
      (volume) => volume.bytes.writeUInt32LE(0xb1, volume.attribute(inode("many"), 0xb0)),
    ],
    [
      "NTFS_INDEX",
      "a node is too large",
      (volume) => volume.bytes.writeUInt32LE(0xffff, volume.index(inode("many")) + 0x1c),
    ],
    [
      "NTFS_RECORD",
      "a block of the index is gone",
      (volume) => volume.bytes.fill(0, volume.index(inode("many")), volume.index(inode("many")) + 4),
    ],
    [
      "NTFS_DIRECTORY_CYCLE",
      "a directory holds itself",
      (volume) => {
        const at = volume.attribute(inode("a directory"), 0x90);
        expect(at).toBeGreaterThan(0);
        const entry = volume.bytes.indexOf(Buffer.from("System32", "utf16le"), volume.record(inode("Windows")));
        volume.bytes.writeUInt16LE(inode("Windows"), entry - 0x52);
        volume.bytes.copy(
          volume.bytes,
          entry - 0x4c,
          volume.record(inode("Windows")) + 0x10,
          volume.record(inode("Windows")) + 0x12,
        );
      },
    ],
    [
      "NTFS_NAME",
      "a name has a slash",
      (volume) =>
        volume.bytes.write(
          "/",
          volume.bytes.indexOf(Buffer.from("System32", "utf16le"), volume.record(inode("Windows"))),
        ),
    ],
    [
      "NTFS_COMPRESSED",
      "compressed bytes are damaged",
      (volume) =>
        volume.bytes.fill(0xff, data(volume, inode("compressed/text")), data(volume, inode("compressed/text")) + 64),
    ],
    [
      "NTFS_COMPRESSION",
      "another method compressed a file",
      (volume) => volume.bytes.writeUInt8(2, volume.attribute(inode("compressed/text"), 0x80) + 0x0c),
    ],
    [
      "NTFS_ENCRYPTED",
      "a file is encrypted",
      (volume) => volume.bytes.writeUInt16LE(0x4000, volume.attribute(inode("plain.txt"), 0x80) + 0x0c),
    ],
    [
      "NTFS_TOO_LARGE",
      "a reparse point is too large",
      (volume) => {
        const at = volume.attribute(inode("compressed/text"), 0x80);
        volume.bytes.writeUInt32LE(0xc0, at);
      },
    ],
  ];

  function run1(volume: Patched, number: number): number {
    const at = volume.attribute(number, 0x80);
    return at + volume.bytes.readUInt16LE(at + 0x20);
  }

  function data(volume: Patched, number: number): number {
    const runs = run1(volume, number);
    const header = volume.bytes[runs] ?? 0;
    return volume.bytes.readUIntLE(runs + 1 + (header & 0xf), header >> 4) * 4096;
  }

  /** What stops the walk of the fixture as it is. */
  const REFUSED = "NTFS_REPARSE";

  it.each(cases)("ends with %s where %s", async (code, _what, patch) => {
    const volume = new Patched(sound);
    for (const name of ["deduplicated", "unknown", "wof"]) {
      // Without its reparse point it is read.
      volume.bytes.writeUInt32LE(0xc8, volume.attribute(inode(`a directory/${name}`), 0xc0));
    }
    expect(await outcome(format, volume.bytes)).toBe("read");
    patch(volume);
    expect(await outcome(format, volume.bytes)).toBe(code);
  });

  it("ends with the first file that cannot be read", async () => {
    expect(await outcome(format, sound)).toBe(REFUSED);
  });

  it("keeps to the limits", async () => {
    expect(await outcome(format, sound, { ...DEFAULT_LIMITS, depth: 2 })).toBe("NTFS_TOO_DEEP");
    expect(await outcome(format, sound, { ...DEFAULT_LIMITS, entries: 4 })).toBe("NTFS_TOO_MANY_ENTRIES");
  });

  it("reads zeros beyond the initialized size", async () => {
    const volume = new Patched(sound);
    volume.bytes.writeUInt32LE(1000, volume.attribute(inode("plain.txt"), 0x80) + 0x38);
    const fileSystem = await opened(volume.bytes);
    const expected = Buffer.alloc(lines("first", 700).length);
    expected.write(lines("first", 700).slice(0, 1000));
    await expectRanges(fileSystem.content(await fileAt(fileSystem, "plain.txt")), expected);
  });

  it.each([
    ["is marked so", (volume: Patched) => volume.bytes.writeUInt8(1, volume.attribute(3, 0x70) + 0x18 + 0x0a)],
    ["has an open log", (volume: Patched) => openLog(volume, data(volume, 2))],
  ])("tells of a volume that was in use: it %s", async (_what, patch) => {
    const volume = new Patched(sound);
    const codes: string[] = [];
    const ctx = createContext({ diagnostic: ({ code }) => codes.push(code) });
    await format.open(new MemorySource(volume.bytes), ctx);
    expect(codes).toEqual([]);
    patch(volume);
    await format.open(new MemorySource(volume.bytes), ctx);
    expect(codes).toEqual(["NTFS_DIRTY"]);
  });

  it("tells of encrypted files while it walks", async () => {
    const volume = new Patched(sound);
    volume.bytes.writeUInt16LE(0x4000, volume.attribute(inode("plain.txt"), 0x80) + 0x0c);
    const found: Diagnostic[] = [];
    const ctx = createContext({ diagnostic: (diagnostic) => found.push(diagnostic) });
    await walked(await format.open(new MemorySource(volume.bytes), ctx));
    expect(found).toContainEqual(expect.objectContaining({ code: "NTFS_ENCRYPTED", severity: "warning" }));
  });

  it("stops when it is asked to", async () => {
    const controller = new AbortController();
    const fileSystem = await format.open(new MemorySource(sound), createContext({ signal: controller.signal }));
    controller.abort();
    await expect(walked(fileSystem)).rejects.toThrow("abort");
  });

  it("is read or refused, whatever bytes change", { timeout: 300_000 }, async () => {
    const volume = new Patched(sound);
    const record = (number: number): [number, number] => [volume.record(number), volume.record(number) + 0x1f0];
    const used = [0, 3, 5, 6, ...Object.values(numbers)].map(record);
    const ranges = [[0x0b, 0x50] as [number, number], ...used, ...used];
    for (const path of ["", "many", "a directory/nested"]) {
      const index = volume.index(inode(path));
      ranges.push([index, index + 0x1f0], [index, index + 0x1f0]);
    }
    const compressed = data(volume, inode("compressed/text"));
    ranges.push([compressed, compressed + 8192]);
    for (const name of ["deduplicated", "unknown", "wof"]) {
      volume.bytes.writeUInt32LE(0xc8, volume.attribute(inode(`a directory/${name}`), 0xc0));
    }
    await fuzzVolume({ format, bytes: volume.bytes, ranges, inputs: 600 });
  });
});

/** Puts a restart page in front of the log, of a system that is at work. */
function openLog({ bytes }: Patched, at: number): void {
  const page = bytes.subarray(at, at + 4096);
  page.fill(0);
  page.write("RSTR");
  page.writeUInt16LE(0x1e, 4);
  page.writeUInt16LE(9, 6);
  page.writeUInt16LE(0x30, 0x18);
  page.writeUInt16LE(7, 0x1e);
  for (let sector = 1; sector <= 8; sector++) page.writeUInt16LE(7, sector * 512 - 2);
  page.writeUInt32LE(1000, 0x30);
}
