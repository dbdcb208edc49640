import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { bytePath } from "../../src/bytes/byte-path.ts";
import { extents, readAll } from "../../src/bytes/byte-source.ts";
import { FileSource } from "../../src/bytes/file-source.ts";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import { compose } from "../../src/bytes/regions.ts";
import { run } from "../../src/bytes/steps.ts";
import { createContext, type Diagnostic } from "../../src/context.ts";
import type { FileSystem } from "../../src/filesystem/file-system.ts";
import { fileSystemFormats } from "../../src/filesystem/index.ts";
import { BootSector } from "../../src/filesystem/ntfs/boot-sector.ts";
import { lznt1 } from "../../src/filesystem/ntfs/lznt1.ts";
import { format } from "../../src/filesystem/ntfs/reader.ts";
import { readReparsePoint } from "../../src/filesystem/ntfs/reparse-point.ts";
import { Volume } from "../../src/filesystem/ntfs/volume.ts";
import { corpus, describeWith, fixture } from "../support/needs.ts";
import { differences } from "../support/truth.ts";
import { unpacked } from "../support/unpack.ts";
import { expectRanges, fileAt, lines, listed, walked } from "./volumes.ts";

const NAMES = ["small", "clusters-of-512"] as const;
const NOON = { seconds: 1704110400, nanoseconds: 123_456_700 };

async function image(name: string): Promise<Buffer> {
  return readFileSync(await unpacked(fixture("ntfs", `${name}.img.gz`)));
}

async function opened(bytes: Uint8Array): Promise<FileSystem> {
  return await format.open(new MemorySource(bytes, "volume"), createContext());
}

async function opening(path: string): Promise<[FileSystem, Diagnostic[]]> {
  const diagnostics: Diagnostic[] = [];
  const ctx = createContext({ diagnostic: (found) => diagnostics.push(found) });
  return [await format.open(FileSource.open(await unpacked(path), "volume"), ctx), diagnostics];
}

/** "in pieces": every other block of 4 KiB is a hole. */
function pieces(): Buffer {
  const text = (block: number) => `block ${String(block).padStart(6, "0")}\n`.repeat(315);
  const bytes = Buffer.alloc(399 * 8192 + text(0).length);
  for (let block = 0; block < 400; block++) bytes.write(text(block), block * 8192);
  return bytes;
}

describe.each(NAMES)("an NTFS volume: %s", (name) => {
  let bytes: Buffer;
  let fileSystem: FileSystem;
  beforeAll(async () => {
    bytes = await image(name);
    fileSystem = await opened(bytes);
  });

  it("is recognised", async () => {
    expect((await fileSystemFormats.probe(new MemorySource(bytes)))?.name).toBe("ntfs");
    const { type, uuid, label, size, used } = fileSystem;
    expect({ type, label }).toEqual({ type: "ntfs", label: "HELLÖ NTFS" });
    expect(uuid).toBe(Buffer.from(bytes.subarray(72, 80)).reverse().toString("hex").toUpperCase());
    // The last sector is a copy of the first.
    expect(size).toBe(bytes.length - 512);
    expect(used).toBeGreaterThan(1 << 20);
    expect(used).toBeLessThan(bytes.length);
  });

  it("is walked parents first, names in byte order, all root's and 0755", async () => {
    const all = await walked(fileSystem);
    const paths = all.map((entry) => entry.path);
    expect(paths.slice(0, 5)).toEqual(["", "Windows", "Windows/System32", "Windows/System32/cmd.exe", "a directory"]);
    expect(paths.slice(-4)).toEqual(["resident", "sparse", "sparse and grown", bytePath("ünïcödé 名前 😀")]);
    expect(paths.filter((path) => path.startsWith("many/"))).toHaveLength(150);
    expect(paths).toContain("n".repeat(255));
    for (const { path, mode, uid, gid, mtime, type } of all) {
      expect({ path, mode, uid, gid }).toEqual({ path, mode: type === "symlink" ? 0o777 : 0o755, uid: 0, gid: 0 });
      expect({ path, mtime }).toEqual({ path, mtime: NOON });
    }
  });

  it("shows neither its own files nor short names beside long ones", async () => {
    const paths = (await walked(fileSystem)).map((entry) => entry.path);
    expect(paths.filter((path) => path.startsWith("$") || path.includes("~"))).toEqual([]);
    expect(await fileSystem.lookup("$MFT")).toBeUndefined();
    expect(await fileSystem.lookup("a long name.text")).toMatchObject({ type: "file", links: 1 });
  });

  it("tells hard links by one number", async () => {
    const all = await walked(fileSystem);
    const names = all.filter(({ path }) => path === "linked" || path.includes("hard link"));
    expect(names).toHaveLength(41);
    expect(new Set(names.map(({ inode }) => inode)).size).toBe(1);
    expect(names.every(({ links }) => links === 41)).toBe(true);
  });

  it("maps links, and tells of those that it cannot map and of what it leaves out", async () => {
    const [onFile, diagnostics] = await opening(fixture("ntfs", `${name}.img.gz`));
    const found = await listed(onFile);
    const rows = Object.entries(found).filter(([path]) => /^a directory\/[a-z-]+$/.test(path));
    expect(Object.fromEntries(rows)).toEqual({
      "a directory/absolute": "-> ../Windows/System32",
      "a directory/deduplicated": "NTFS_REPARSE",
      "a directory/elsewhere": "0 e3b0c44298fc1c14",
      "a directory/from-root": "-> ../many/x",
      "a directory/interix": "-> ../empty",
      "a directory/junction": "-> ../many",
      "a directory/nested": "directory",
      "a directory/relative": "-> ../plain.txt",
      "a directory/unknown": "NTFS_REPARSE",
      "a directory/volume": "directory",
      "a directory/wof": "NTFS_REPARSE",
      "a directory/wsl": "-> ../plain.txt",
    });
    expect(diagnostics.map(({ code, where }) => [code, where.path])).toEqual([
      ["NTFS_REPARSE", "a directory/deduplicated"],
      ["NTFS_REPARSE", "a directory/elsewhere"],
      ["NTFS_REPARSE", "a directory/unknown"],
      ["NTFS_REPARSE", "a directory/volume"],
      ["NTFS_REPARSE", "a directory/wof"],
      ["NTFS_STREAMS", undefined],
    ]);
    expect(diagnostics.at(-1)?.message).toMatch(/^3 alternate data streams of 2 files are left out/);
    await walked(onFile);
    expect(diagnostics.filter(({ code }) => code === "NTFS_STREAMS")).toHaveLength(1);
  });

  it("does not enter what it is told not to", async () => {
    const paths: string[] = [];
    for await (const { path } of fileSystem.walk(({ path }) => path !== "many")) paths.push(path);
    expect(paths).toContain("many");
    expect(paths.filter((path) => path.startsWith("many/"))).toEqual([]);
  });

  it("finds names in any case", async () => {
    expect((await fileSystem.lookup("windows/SYSTEM32/CMD.exe"))?.path).toBe("Windows/System32/cmd.exe");
    expect((await fileSystem.lookup(""))?.type).toBe("directory");
    expect(await fileSystem.lookup("Windows/absent")).toBeUndefined();
    expect(await fileSystem.lookup("plain.txt/x")).toBeUndefined();
    expect(await fileSystem.lookup("a directory/junction/x")).toBeUndefined();
  });

  it.each([
    ["plain.txt", Buffer.from(lines("first", 700))],
    ["resident", Buffer.from(lines("first", 30))],
    ["a directory/in pieces", pieces()],
    ["sparse", Buffer.concat([Buffer.alloc(500_000), Buffer.from("in the middle"), Buffer.alloc(548_563)])],
    ["sparse and grown", Buffer.alloc(100_000)],
    ["empty", Buffer.alloc(0)],
  ])("gives any range of %s", async (path, expected) => {
    await expectRanges(fileSystem.content(await fileAt(fileSystem, path)), expected);
  });

  it("tells where the bytes are stored, and where there are none", async () => {
    const [onFile] = await opening(fixture("ntfs", `${name}.img.gz`));
    const expected = pieces();
    let holes = 0;
    for await (const extent of extents(onFile.content(await fileAt(onFile, "a directory/in pieces")))) {
      if (extent.kind === "zero") holes += extent.length;
      else {
        const { offset = -1, length = 0 } = extent.stored ?? {};
        expect(length).toBe(extent.length);
        const wanted = expected.subarray(extent.offset, extent.offset + length);
        expect(bytes.subarray(offset, offset + length).equals(wanted)).toBe(true);
      }
    }
    expect(holes).toBe(399 * 4096);
  });
});

describe("compressed files", () => {
  it("give any range; what did not shrink is seen where it is stored", async () => {
    const [fileSystem] = await opening(fixture("ntfs", "small.img.gz"));
    const text = fileSystem.content(await fileAt(fileSystem, "compressed/text"));
    await expectRanges(text, Buffer.from(lines("second", 8000)));
    expect(await text.extentAt(0, 10)).toEqual({ offset: 0, length: 10, kind: "data" });
    const random = Buffer.from(
      await readAll(fileSystem.content(await fileAt(fileSystem, "compressed/random")), 1 << 20),
    );
    const plain = Buffer.from(lines("first", 700));
    const mixed = fileSystem.content(await fileAt(fileSystem, "compressed/mixed"));
    await expectRanges(mixed, Buffer.concat([plain, Buffer.alloc(300_000), random, plain]));
    const kinds = new Set<string>();
    for await (const { kind, stored } of extents(mixed)) kinds.add(`${kind}${stored === undefined ? "" : " stored"}`);
    expect(kinds).toContain("zero");
  });

  it("that are damaged are refused", () => {
    const out = new Uint8Array(65536);
    expect(lznt1(Uint8Array.of(0x02, 0x80, 0x00), out)).toMatch("a chunk ends at");
    expect(lznt1(Uint8Array.of(0x02, 0xb0, 0x01, 0x00, 0x00), out)).toMatch("does not have");
    expect(lznt1(Uint8Array.of(0x03, 0xb0, 0x02, 0x61, 0x00, 0x10), out)).toMatch("does not have");
    expect(lznt1(Uint8Array.of(0x03, 0xb0, 0x02, 0x61, 0xff, 0x0f), out)).toMatch("does not have");
    expect(lznt1(Uint8Array.of(0x03, 0xb0, 0x02, 0x61, 0xfc, 0x0f), out)).toBeUndefined();
    expect(Buffer.from(out.subarray(0, 4096)).toString()).toBe("a".repeat(4096));
  });

  it("give bytes or an error, whatever is changed", () => {
    const out = new Uint8Array(65536);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        lznt1(bytes, out);
      }),
      { numRuns: 2000 },
    );
  });
});

describe("a reparse point", () => {
  function link(tag: number, target: string, flags?: number): Uint8Array {
    const name = Buffer.from(target, "utf16le");
    const bytes = Buffer.alloc(flags === undefined ? 16 : 20);
    bytes.writeUInt32LE(tag);
    bytes.writeUInt16LE(name.length, 10);
    if (flags !== undefined) bytes.writeUInt32LE(flags, 16);
    return Buffer.concat([bytes, name]);
  }

  it.each([
    [link(0xa0000003, "\\??\\D:\\x y\\z\\"), "a/b", "../x y/z"],
    [link(0xa0000003, "\\??\\D:\\"), "a", "."],
    [link(0xa0000003, "\\??\\D:"), "a/b/c", "../.."],
    [link(0xa000000c, "E:\\x", 0), "a", "x"],
    [link(0xa000000c, "\\\\?\\E:\\x", 0), "a", "x"],
    [link(0xa000000c, "..\\..\\é", 1), "a/b/c", "../../Ã©"],
    [link(0xa000000c, "\\x", 1), "a/b", "../x"],
  ])("becomes a symlink (%#)", (bytes, path, target) => {
    expect(readReparsePoint(bytes, path)).toEqual({ kind: "symlink", target });
  });

  it.each([
    [link(0xa000000c, "\\\\server\\share", 0), "a link out of the volume"],
    [link(0xa000000c, "", 1), "a damaged link"],
    [link(0xa000000c, "a\0b", 1), "a damaged link"],
    [link(0xa0000003, "\\??\\C:\\x").subarray(0, 20), "a damaged link"],
    [link(0xa000000c, "").subarray(0, 18), "a damaged link"],
    [Uint8Array.of(1, 2, 3), "a damaged reparse point"],
    [Uint8Array.of(0x1d, 0, 0, 0xa0, 4, 0, 0, 0, 2, 0, 0, 0), "a damaged symlink of WSL"],
  ])("that is none is told (%#)", (bytes, what) => {
    expect(readReparsePoint(bytes, "a")).toEqual({ kind: "other", what: expect.stringContaining(what) });
  });
});

describeWith({ tools: ["fls", "ntfscat"] }, "sleuthkit and ntfscat, other readers of NTFS,", () => {
  it.each(NAMES)("find the same in %s", async (name) => {
    const path = await unpacked(fixture("ntfs", `${name}.img.gz`));
    const fileSystem = await opened(await image(name));
    const theirs = execFileSync("fls", ["-rpu", path], { encoding: "utf8", stdio: "pipe" })
      .split("\n")
      .flatMap((line) => [...line.matchAll(/^[^v]\/[^v] \d+(?:-128-\d+|-144-\d+|-48-\d+)?:\t([^:$][^:]*)$/gi)])
      .map(([, found = ""]) => bytePath(found));
    const all = (await walked(fileSystem)).filter(({ path }) => path !== "");
    const ours = all.map((entry) => entry.path);
    expect(ours.filter((entry) => !theirs.includes(entry))).toEqual([]);
    // It shows short names too.
    expect(theirs.filter((entry) => !ours.includes(entry) && entry !== "ALONGN~1.TEX")).toEqual([]);
    const files = new Map(all.map((entry) => [entry.inode, entry]));
    for (const entry of files.values()) {
      if (entry.type !== "file" || entry.size === 0 || /wof|dedup|unknown/.test(entry.path)) continue;
      const content = await readAll(fileSystem.content(entry), 1 << 24);
      const found = execFileSync("ntfscat", ["-f", "-i", String(entry.inode), path], { maxBuffer: 1 << 24 });
      expect(found.equals(content)).toBe(true);
    }
  });
});

describeWith({ tools: ["xz", "gzip"], corpus: "disk/ntfs" }, "NTFS volumes of others", () => {
  it("reads what ntfs-3g wrote as ntfs-3g does", async () => {
    const [fileSystem, diagnostics] = await opening(corpus("disk", "made", "fs", "ntfs.img.xz"));
    const truth = corpus("disk", "made", "truth", "ntfs.ndjson.gz");
    // It gives everything the mode 0777, and was told to show alternate data streams as extended attributes.
    expect(await differences(fileSystem, truth, { ignore: ["mode", "xattrs"] })).toEqual([]);
    expect(fileSystem.uuid).toBe("0FA8F8262C3BAF6D");
    expect(diagnostics.map(({ code }) => code)).toEqual(["NTFS_STREAMS"]);
  });

  it("reads dissect's sample, made by Windows, with a directory of 2048 others", async () => {
    const [fileSystem, diagnostics] = await opening(corpus("disk", "ntfs", "dissect", "ntfs.bin.gz"));
    const { label, uuid } = fileSystem;
    expect({ label, uuid, diagnostics }).toEqual({ label: "New Volume", uuid: "9C60667F60665FCE", diagnostics: [] });
    const found = await listed(fileSystem);
    const large = Object.keys(found).filter((path) => path.startsWith("Large Directory/"));
    expect(large).toHaveLength(2048);
    // Contents as ntfscat gives them.
    const small = Object.entries(found).filter(([path]) => !path.startsWith("Large Directory/"));
    expect(Object.fromEntries(small)).toEqual(DISSECT);
    expect((await fileSystem.lookup("File.txt"))?.mtime).toEqual({ seconds: 1652397454, nanoseconds: 913_197_700 });
  });

  it("tells what of a OneDrive folder is not on the disk", async () => {
    const [fileSystem, diagnostics] = await opening(corpus("disk", "ntfs", "dissect", "ntfs-cloud.bin.gz"));
    const found = await listed(fileSystem);
    expect(Object.keys(found)).toHaveLength(20);
    // Contents as icat gives them.
    const drive = Object.entries(found).filter(([path]) => /^OneDrive\/.*txt$/.test(path));
    expect(Object.fromEntries(drive)).toEqual({
      "OneDrive/always-keep-on-device.txt": "85 de29a8ea28fc84dc",
      "OneDrive/created-from-desktop-while-online.txt": "62 f02d7f4e76401f66",
      "OneDrive/created-online.txt": "NTFS_REPARSE",
      "OneDrive/example.txt": "49 a8e50d9590afa95d",
    });
    expect(diagnostics.map(({ code }) => code)).toEqual(["NTFS_DIRTY", "NTFS_REPARSE", "NTFS_STREAMS"]);
  });

  it("finds file records that stand in many places", async () => {
    const rows = readFileSync(await unpacked(corpus("disk", "ntfs", "dissect", "ntfs_fragmented_mft.csv.gz")), "utf8")
      .trim()
      .split("\n")
      .map((line) => line.split(","));
    const regions = rows.map(([offset = "", hex = ""]) => {
      const content = Buffer.from(hex, "hex");
      return { offset: Number(offset), length: content.length, content };
    });
    const source = compose("volume", 2 ** 40, regions);
    const boot = new BootSector(await source.read(0, BootSector.SIZE));
    const volume = await run(Volume.open(source, boot, createContext()));
    // The rest of the disk is missing in the sample, but its last records are there.
    const last = await run(volume.record(5));
    expect(last.isDirectory).toBe(true);
    await expect(format.open(source, createContext())).rejects.toMatchObject({ code: "NTFS_RECORD" });
  });

  it.each([
    ["boot_2m", "BYTES_TRUNCATED"],
    ["mft", undefined],
  ])("says what is wrong with %s", async (name, code) => {
    await using source = FileSource.open(await unpacked(corpus("disk", "ntfs", "dissect", `${name}.bin.gz`)));
    const entry = await fileSystemFormats.probe(source);
    expect(entry?.name).toBe(code && "ntfs");
    // Its clusters have 2 MiB, of which only the first is there.
    if (code !== undefined) await expect(format.open(source, createContext())).rejects.toMatchObject({ code });
  });
});

const RECYCLED = "$RECYCLE.BIN/S-1-5-21-311151722-437878493-4115995562-1000";
const DISSECT = {
  "": "directory",
  "$RECYCLE.BIN": "directory",
  [RECYCLED]: "directory",
  [`${RECYCLED}/desktop.ini`]: "129 e1b9ce9b57957b1a",
  Directory: "directory",
  "Directory/File 1.txt": "15 213e984f98c31b7e",
  "Directory/File 2.txt": "15 e739bf4cb069b9ea",
  "File.txt": "13 44eb4b6e23eb49cd",
  "Large Directory": "directory",
  "Large.txt": "2097152 5b766f6d76a99963",
  "Random.bin": "524288 abe14bae00734c70",
  "System Volume Information": "directory",
  "System Volume Information/IndexerVolumeGuid": "76 263e08de7547fc68",
  "System Volume Information/WPSettings.dat": "12 39924d8e6a586ac7",
};
