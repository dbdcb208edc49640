import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { bytePath } from "../../src/bytes/byte-path.ts";
import { extents, readAll } from "../../src/bytes/byte-source.ts";
import { FileSource } from "../../src/bytes/file-source.ts";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import { ZeroPadded } from "../../src/bytes/slice.ts";
import { createContext, DEFAULT_LIMITS, type Diagnostic } from "../../src/context.ts";
import { bootChecksum } from "../../src/filesystem/exfat/boot-sector.ts";
import { format } from "../../src/filesystem/exfat/reader.ts";
import type { FileSystem } from "../../src/filesystem/file-system.ts";
import { fileSystemFormats } from "../../src/filesystem/index.ts";
import { corpus, describeWith, fixture } from "../support/needs.ts";
import { differences } from "../support/truth.ts";
import { unpacked } from "../support/unpack.ts";
import { expectRanges, fileAt, fuzzVolume, lines, listed, outcome, walked } from "./volumes.ts";

const NOON = { seconds: 1704110400, nanoseconds: 0 };

async function image(): Promise<Buffer> {
  return readFileSync(await unpacked(fixture("exfat", "small.img.gz")));
}

async function opened(bytes: Uint8Array): Promise<FileSystem> {
  return await format.open(new MemorySource(bytes, "volume"), createContext());
}

async function opening(path: string): Promise<[FileSystem, Diagnostic[]]> {
  const diagnostics: Diagnostic[] = [];
  const ctx = createContext({ diagnostic: (found) => diagnostics.push(found) });
  return [await format.open(FileSource.open(await unpacked(path), "volume"), ctx), diagnostics];
}

describe("an exFAT volume", () => {
  let bytes: Buffer;
  let fileSystem: FileSystem;
  beforeAll(async () => {
    bytes = await image();
    fileSystem = await opened(bytes);
  });

  it("is recognised", async () => {
    expect((await fileSystemFormats.probe(new MemorySource(bytes)))?.name).toBe("exfat");
    const { type, uuid, label, size, used } = fileSystem;
    expect({ type, uuid, label, size }).toEqual({
      type: "exfat",
      uuid: "00C0-FFEE",
      label: "HELLÖ exFAT",
      size: bytes.length,
    });
    expect(used).toBeGreaterThan(9100 * 5);
    expect(used).toBeLessThan(bytes.length / 4);
  });

  it("is walked parents first, names in byte order, all root's and 0755", async () => {
    const all = await walked(fileSystem);
    const paths = all.map((entry) => entry.path);
    expect(paths.slice(0, 5)).toEqual(["", "EFI", "EFI/BOOT", "EFI/BOOT/BOOTX64.EFI", "a directory"]);
    expect(paths.slice(-5)).toEqual(["empty", "n".repeat(255), "plain.txt", "stays", bytePath("ünïcödé 名前 😀")]);
    expect(paths).toHaveLength(53);
    for (const { path, mode, uid, gid, mtime } of all) {
      expect({ path, mode, uid, gid }).toEqual({ path, mode: 0o755, uid: 0, gid: 0 });
      if (path !== "") expect({ path, mtime }).toEqual({ path, mtime: NOON });
    }
    expect(new Set(all.map((entry) => entry.inode)).size).toBe(all.length);
  });

  it("does not enter what it is told not to", async () => {
    const paths: string[] = [];
    for await (const { path } of fileSystem.walk(({ path }) => path !== "EFI")) paths.push(path);
    expect(paths).toContain("EFI");
    expect(paths).not.toContain("EFI/BOOT");
  });

  it("finds names in any case", async () => {
    expect((await fileSystem.lookup("efi/boot/bootx64.efi"))?.path).toBe("EFI/BOOT/BOOTX64.EFI");
    expect((await fileSystem.lookup(""))?.type).toBe("directory");
    expect(await fileSystem.lookup("EFI/absent")).toBeUndefined();
    expect(await fileSystem.lookup("plain.txt/x")).toBeUndefined();
  });

  it("gives content, also of files in pieces and at any range", async () => {
    const content = fileSystem.content(await fileAt(fileSystem, "a directory/in pieces"));
    await expectRanges(content, Buffer.from(lines("second", 2000)));
    const other = await readAll(fileSystem.content(await fileAt(fileSystem, "a directory/between")), 1 << 20);
    expect(Buffer.from(other).toString()).toBe(lines("other", 100).repeat(10));
    expect((await readAll(fileSystem.content(await fileAt(fileSystem, "empty")), 0)).length).toBe(0);
  });

  it("tells where the bytes are stored", async () => {
    const [onFile] = await opening(fixture("exfat", "small.img.gz"));
    const parts: Uint8Array[] = [];
    for await (const { stored } of extents(onFile.content(await fileAt(onFile, "a directory/in pieces")))) {
      parts.push(bytes.subarray(stored?.offset ?? 0, (stored?.offset ?? 0) + (stored?.length ?? 0)));
    }
    expect(parts.length).toBeGreaterThan(5);
    expect(Buffer.concat(parts).toString()).toBe(lines("second", 2000));
  });
});

describeWith({ tools: ["fls", "icat"] }, "sleuthkit, a second reader of exFAT,", () => {
  it("finds the same", async () => {
    const path = await unpacked(fixture("exfat", "small.img.gz"));
    const fileSystem = await opened(await image());
    const theirs = execFileSync("fls", ["-rpuF", path], { encoding: "utf8", stdio: "pipe" })
      .split("\n")
      .flatMap((line) => [...line.matchAll(/^r\/r (\d+):\t([^$].*)$/g)])
      .filter(([, , name = ""]) => !name.includes("(Volume Label Entry)"));
    const ours = (await walked(fileSystem)).filter(({ type }) => type === "file");
    expect(theirs.map(([, , name = ""]) => bytePath(name)).sort()).toEqual(ours.map((entry) => entry.path));
    for (const [, number = "", name = ""] of theirs) {
      const content = await readAll(fileSystem.content(await fileAt(fileSystem, name)), 1 << 20);
      expect(execFileSync("icat", [path, number], { stdio: "pipe" }).equals(content)).toBe(true);
    }
  });
});

describeWith({ tools: ["xz", "gzip"], corpus: "disk/made" }, "exFAT volumes of others", () => {
  it("reads what the kernel wrote as the kernel does", async () => {
    const [fileSystem, diagnostics] = await opening(corpus("disk", "made", "fs", "exfat.img.xz"));
    const found = await differences(fileSystem, corpus("disk", "made", "truth", "exfat.ndjson.gz"), {
      ignore: ["ino"],
    });
    // The root has no time on the disk: the kernel shows when it was mounted.
    expect(found).toEqual([expect.stringMatching(/^\.: mtimeNs/)]);
    expect(diagnostics).toEqual([]);
  });

  it("reads dissect's sample, made by Windows", async () => {
    const [fileSystem, diagnostics] = await opening(corpus("disk", "exfat", "dissect", "exfat.bin.gz"));
    const { label, uuid } = fileSystem;
    expect({ label, uuid, diagnostics }).toEqual({ label: "THESIS", uuid: "6859-A296", diagnostics: [] });
    // Contents as icat of sleuthkit gives them; times with the offset of their zone applied.
    expect(await listed(fileSystem)).toEqual(DISSECT);
    expect((await fileSystem.lookup("directory/putty.exe"))?.mtime).toEqual({ seconds: 1553172720, nanoseconds: 0 });
  });

  it("identifies blkid's sample as blkid does", async () => {
    const [fileSystem] = await opening(corpus("disk", "ident", "util-linux", "images-fs", "exfat.img.xz"));
    expect([fileSystem.uuid, fileSystem.label]).toEqual(["9C23-8877", "Новый том"]);
    expect(await walked(fileSystem)).toHaveLength(101);
  });
});

const DISSECT = {
  "": "directory",
  "System Volume Information": "directory",
  "System Volume Information/IndexerVolumeGuid": "76 4b9e6d764ded8063",
  "System Volume Information/WPSettings.dat": "12 41cdbe481ddc3eca",
  "cat.jpg": "88786 97a7309f0d68373d",
  directory: "directory",
  "directory/putty.exe": "454657 d857ab82e7b3f456",
  "find_me.txt": "9 0c47c071e8f5ebd8",
};

/** exfatprogs' damaged images: what of the tree can be read, or the error, and what is told besides. */
const DAMAGED: readonly (readonly [name: string, entries: number | string, unread: object, told: readonly string[]])[] =
  [
    ["2tb_disk", 3, {}, ["EXFAT_ENTRY"]],
    ["bad_bitmap", 12, {}, []],
    ["bad_dentries", "EXFAT_DIRECTORY", {}, ["EXFAT_DIRTY"]],
    ["bad_first_clu", 8, { "dir_01/bad_child_02": "EXFAT_CLUSTER_OUT_OF_RANGE" }, ["EXFAT_ENTRY"]],
    [
      "bad_num_chain",
      12,
      { "dir_01/bad_child_01": "EXFAT_CHAIN_BROKEN", "dir_02/bad_child_02": "EXFAT_CHAIN_BROKEN" },
      [],
    ],
    ["duplicate_clu", 12, {}, []],
    ["duplicated_name", 4, {}, []],
    ["file_invalid_clus", 13, { file_invalid_clus: "EXFAT_CHAIN_BROKEN" }, ["EXFAT_ENTRY"]],
    ["invalid_name", "EXFAT_NAME", {}, []],
    ["large_file_invalid_clus", 2, { file_192m: "EXFAT_CHAIN_BROKEN" }, []],
    ["loop_chain", 12, { "dir_02/bad_child_02": "EXFAT_CHAIN_LOOP" }, []],
    ["rename_dot_entry", "EXFAT_NAME", {}, []],
    ["unused-dentries", 468, {}, []],
  ];

describeWith({ tools: ["tar", "xz"], corpus: "disk/exfat/exfatprogs" }, "exfatprogs' damaged images", () => {
  it.each(DAMAGED)("%s gives %s entries", async (name, entries, unread, told) => {
    const [fileSystem, diagnostics] = await opening(corpus("disk", "exfat", "exfatprogs", `${name}.exfat.img.tar.xz`));
    if (typeof entries === "string") {
      await expect(walked(fileSystem)).rejects.toMatchObject({ code: entries });
    } else {
      const rows = Object.entries(await listed(fileSystem));
      expect(Object.fromEntries(rows.filter(([, row]) => row.startsWith("EXFAT_")))).toEqual(unread);
      expect(await walked(fileSystem)).toHaveLength(name === "duplicated_name" ? 6 : entries);
      expect(rows).toHaveLength(entries);
    }
    expect([...new Set(diagnostics.map(({ code }) => code))]).toEqual(told);
  });
});

/** The fixture, changed. */
class Patched {
  bytes: Buffer;

  constructor(bytes: Uint8Array) {
    this.bytes = Buffer.from(bytes);
  }

  /** Offset of the file entry of a name of up to 15 characters. */
  entry(name: string): number {
    const text = Buffer.from(name, "utf16le");
    for (let at = 0; at < this.bytes.length; at += 32) {
      const next = this.bytes.readUInt16LE(at + 2 + text.length);
      if (this.bytes[at] === 0xc1 && next === 0 && this.bytes.subarray(at + 2).indexOf(text) === 0) return at - 64;
    }
    throw new Error(`no ${name}`);
  }

  get clusters(): number {
    return this.bytes.readUInt32LE(0x5c);
  }

  firstCluster(name: string): number {
    return this.bytes.readUInt32LE(this.entry(name) + 0x34);
  }

  link(cluster: number, next: number): void {
    this.bytes.writeUInt32LE(next, this.bytes.readUInt32LE(0x50) * 512 + cluster * 4);
  }

  /** The second cluster of a file with a chain. */
  second(name: string): number {
    return this.bytes.readUInt32LE(this.bytes.readUInt32LE(0x50) * 512 + this.firstCluster(name) * 4);
  }
}

function withChecksum(bytes: Buffer): void {
  const sum = bootChecksum(bytes.subarray(0, 11 * 512));
  for (let at = 11 * 512; at < 12 * 512; at += 4) bytes.writeUInt32LE(sum, at);
}

describe("a damaged or hostile exFAT volume", () => {
  let sound: Buffer;
  beforeAll(async () => {
    sound = await image();
  });

  const breakBackup = ({ bytes }: Patched) => bytes.fill(0, 12 * 512, 13 * 512);
  const cases: readonly (readonly [code: string, what: string, patch: (volume: Patched) => void])[] = [
    ["read", "nothing is changed", () => {}],
    ["read", "the boot sector is damaged but not its backup", ({ bytes }) => bytes.writeUInt8(40, 0x6c)],
    [
      "EXFAT_BOOT_SECTOR",
      "both boot sectors are damaged",
      (volume) => {
        volume.bytes.writeUInt8(40, 0x6c);
        breakBackup(volume);
      },
    ],
    [
      "EXFAT_BOOT_SECTOR",
      "the checksum of the boot sectors is wrong",
      (volume) => {
        volume.bytes.writeUInt8(1, 0x80);
        breakBackup(volume);
      },
    ],
    [
      "EXFAT_CHAIN_BROKEN",
      "a chain leads to a free cluster",
      (volume) => volume.link(volume.firstCluster("in pieces"), 0),
    ],
    [
      "EXFAT_CHAIN_BROKEN",
      "a chain leads to a bad cluster",
      (volume) => volume.link(volume.firstCluster("in pieces"), 0xfffffff7),
    ],
    [
      "EXFAT_CHAIN_SHORT",
      "a chain is too short",
      (volume) => volume.link(volume.firstCluster("in pieces"), 0xffffffff),
    ],
    [
      "EXFAT_CHAIN_LOOP",
      "a chain comes back",
      (volume) => volume.link(volume.second("in pieces"), volume.firstCluster("in pieces")),
    ],
    [
      "EXFAT_CHAIN_LOOP",
      "the root directory follows itself",
      (volume) => volume.link(volume.bytes.readUInt32LE(0x60), volume.bytes.readUInt32LE(0x60)),
    ],
    [
      "EXFAT_DIRECTORY_LOOP",
      "a directory holds its parent",
      (volume) => volume.bytes.writeUInt32LE(volume.firstCluster("EFI"), volume.entry("BOOT") + 0x34),
    ],
    [
      "EXFAT_CLUSTER_OUT_OF_RANGE",
      "a file begins nowhere",
      (volume) => volume.bytes.writeUInt32LE(0, volume.entry("plain.txt") + 0x34),
    ],
    [
      "EXFAT_CLUSTER_OUT_OF_RANGE",
      "a file in one piece reaches beyond the end",
      (volume) => volume.bytes.writeUInt32LE(volume.clusters, volume.entry("plain.txt") + 0x34),
    ],
    ["EXFAT_SIZE", "a file is too large", (volume) => volume.bytes.writeUInt8(1, volume.entry("plain.txt") + 0x3c)],
    [
      "EXFAT_SIZE",
      "more is valid than there is",
      (volume) => volume.bytes.writeUInt8(1, volume.entry("plain.txt") + 0x2a),
    ],
    ["EXFAT_DIRECTORY", "an entry says nothing", (volume) => volume.bytes.writeUInt8(1, volume.entry("plain.txt") + 1)],
    [
      "EXFAT_DIRECTORY",
      "an entry lacks a place",
      (volume) => volume.bytes.writeUInt8(0xc2, volume.entry("empty") + 32),
    ],
    ["EXFAT_DIRECTORY", "a name is too long", (volume) => volume.bytes.writeUInt8(0xff, volume.entry("empty") + 35)],
    ["EXFAT_DIRECTORY", "a name has a gap", (volume) => volume.bytes.writeUInt8(0xc2, volume.entry("empty") + 64)],
    ["EXFAT_NAME", "a name has a slash", (volume) => volume.bytes.write("/", volume.entry("plain.txt") + 66)],
    [
      "BYTES_TRUNCATED",
      "it is cut",
      (volume) => {
        volume.bytes = volume.bytes.subarray(0, 60_000);
      },
    ],
  ];

  it.each(cases)("ends with %s where %s", async (code, _what, patch) => {
    const volume = new Patched(sound);
    patch(volume);
    expect(await outcome(format, volume.bytes)).toBe(code);
  });

  it("keeps to the limits", async () => {
    expect(await outcome(format, sound, { ...DEFAULT_LIMITS, depth: 2 })).toBe("EXFAT_TOO_DEEP");
    expect(await outcome(format, sound, { ...DEFAULT_LIMITS, entries: 20 })).toBe("EXFAT_TOO_MANY_ENTRIES");
  });

  it("refuses a directory of more than 256 MiB", async () => {
    const volume = new Patched(sound);
    const directory = volume.bytes.subarray(volume.entry("a directory"), volume.entry("a directory") + 96);
    directory.writeUInt8(0x11, 0x3b);
    // Clusters of 2 MiB; the first one is the root, which holds nothing else.
    const heap = volume.bytes.readUInt32LE(0x58) * 512;
    directory.copy(volume.bytes, heap);
    volume.bytes.fill(0, heap + 96);
    volume.bytes.writeUInt8(12, 0x6d);
    volume.bytes.writeUInt8(1, 0x4c);
    volume.bytes.writeUInt32LE(2, 0x60);
    volume.link(2, 0xffffffff);
    withChecksum(volume.bytes);
    const source = new ZeroPadded(new MemorySource(volume.bytes), 2 ** 32);
    const fileSystem = await format.open(source, createContext());
    await expect(walked(fileSystem)).rejects.toMatchObject({ code: "EXFAT_DIRECTORY_TOO_LARGE" });
  });

  it("reads zeros beyond the valid length", async () => {
    const volume = new Patched(sound);
    volume.bytes.writeUInt32LE(1000, volume.entry("plain.txt") + 0x28);
    const fileSystem = await opened(volume.bytes);
    const expected = Buffer.alloc(lines("first", 700).length);
    expected.write(lines("first", 700).slice(0, 1000));
    const content = fileSystem.content(await fileAt(fileSystem, "plain.txt"));
    await expectRanges(content, expected);
    expect(await content.extentAt(1000, 10)).toMatchObject({ kind: "zero", length: 10 });
  });

  it.each([
    ["east of Greenwich", 0x80 | 8, -7200],
    ["west of it", 0x80 | (-20 & 0x7f), 18000],
    ["unknown", 8, 0],
  ])("applies an offset from UTC that is %s", async (_where, offset, seconds) => {
    const volume = new Patched(sound);
    volume.bytes.writeUInt8(offset, volume.entry("plain.txt") + 0x17);
    volume.bytes.writeUInt8(123, volume.entry("plain.txt") + 0x15);
    const found = await (await opened(volume.bytes)).lookup("plain.txt");
    expect(found?.mtime).toEqual({ seconds: NOON.seconds + seconds + 1, nanoseconds: 230_000_000 });
  });

  it("tells of what it reads past", async () => {
    const volume = new Patched(sound);
    volume.bytes.writeUInt16LE(2, 0x6a);
    volume.bytes.writeUInt8(0xe5, volume.entry("plain.txt"));
    volume.bytes.writeUInt16LE(0x1234, volume.entry("stays") + 2);
    volume.bytes.writeUInt8(1, 0x80);
    const codes: string[] = [];
    const ctx = createContext({ diagnostic: ({ code }) => codes.push(code) });
    const fileSystem = await format.open(new MemorySource(volume.bytes), ctx);
    expect((await walked(fileSystem)).map(({ path }) => path)).not.toContain("plain.txt");
    expect(new Set(codes)).toEqual(new Set(["EXFAT_BACKUP", "EXFAT_ENTRY"]));
    volume.bytes.writeUInt8(0, 0x80);
    withChecksum(volume.bytes);
    await format.open(new MemorySource(volume.bytes), ctx);
    expect(codes).toContain("EXFAT_DIRTY");
  });

  it("stops when it is asked to", async () => {
    const controller = new AbortController();
    const fileSystem = await format.open(new MemorySource(sound), createContext({ signal: controller.signal }));
    controller.abort();
    await expect(walked(fileSystem)).rejects.toThrow("abort");
  });

  it("is read or refused, whatever bytes change", { timeout: 120_000 }, async () => {
    const heap = sound.readUInt32LE(0x58) * 512;
    const table = sound.readUInt32LE(0x50) * 512;
    const root = rootOffset(sound);
    const boot = [0x40, 0x72] as const;
    const ranges = [
      boot,
      [table, table + 1200],
      [root, root + 2048],
      [root + 2048, root + 8192],
      [heap, heap + 512],
    ] as const;
    await fuzzVolume({ format, bytes: sound, ranges, inputs: 1500, repair: withChecksum });
  });
});

function rootOffset(bytes: Buffer): number {
  return (bytes.readUInt32LE(0x58) + bytes.readUInt32LE(0x60) - 2) * 512;
}
