import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { bytePath } from "../../src/bytes/byte-path.ts";
import { extents, readAll } from "../../src/bytes/byte-source.ts";
import { FileSource } from "../../src/bytes/file-source.ts";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import { createContext, DEFAULT_LIMITS } from "../../src/context.ts";
import { format } from "../../src/filesystem/fat/reader.ts";
import type { FileSystem } from "../../src/filesystem/file-system.ts";
import { fileSystemFormats } from "../../src/filesystem/index.ts";
import { corpus, describeWith, fixture } from "../support/needs.ts";
import { differences } from "../support/truth.ts";
import { unpacked } from "../support/unpack.ts";
import { fileAt, fuzzVolume, lines, outcome, walked } from "./volumes.ts";

const NAMES = ["fat12", "fat16", "fat32"] as const;
const ctx = createContext();

async function image(name: string): Promise<Uint8Array> {
  return readFileSync(await unpacked(fixture("fat", `${name}.img.gz`)));
}

async function opened(bytes: Uint8Array, limits = DEFAULT_LIMITS): Promise<FileSystem> {
  return await format.open(new MemorySource(bytes, "volume"), createContext({ limits }));
}

describe.each(NAMES)("a %s volume", (name) => {
  let fileSystem: FileSystem;
  beforeAll(async () => {
    fileSystem = await opened(await image(name));
  });

  it("is recognised", async () => {
    expect((await fileSystemFormats.probe(new MemorySource(await image(name))))?.name).toBe("vfat");
    const { type, uuid, label, size, used } = fileSystem;
    expect({ type, uuid, label }).toEqual({ type: "vfat", uuid: "00C0-FFEE", label: "HELLO FAT" });
    expect(size).toBe((await image(name)).length);
    expect(used).toBeGreaterThan(9100 * 5);
    expect(used).toBeLessThan(1 << 20);
  });

  it("is walked parents first, names in byte order", async () => {
    const paths = (await walked(fileSystem)).map((entry) => entry.path);
    expect(paths.slice(0, 5)).toEqual(["", "EFI", "EFI/BOOT", "EFI/BOOT/BOOTX64.EFI", "EMPTY"]);
    expect(paths.slice(5, 9).map((path) => path.slice(0, 40))).toEqual([
      "Mixed Case, and a long name.text",
      "PLAIN.TXT",
      "a directory",
      "a directory/in pieces",
    ]);
    expect(paths.slice(-4)).toEqual(["lower.txt", "n".repeat(255), "stays", bytePath("ünïcödé 名前")]);
    expect(paths).toHaveLength(54);
  });

  it("has root's files of 0644 in directories of 0755, with times", async () => {
    const all = await walked(fileSystem);
    for (const { type, mode, uid, gid, path, mtime } of all) {
      expect({ path, mode, uid, gid }).toEqual({ path, mode: type === "file" ? 0o644 : 0o755, uid: 0, gid: 0 });
      expect(mtime).toEqual({ seconds: path === "" ? 0 : 1704110400, nanoseconds: 0 });
    }
    expect(new Set(all.map((entry) => entry.inode)).size).toBe(all.length);
  });

  it("does not enter what it is told not to", async () => {
    const paths: string[] = [];
    for await (const { path } of fileSystem.walk(({ path }) => path !== "EFI")) paths.push(path);
    expect(paths).toContain("EFI");
    expect(paths).not.toContain("EFI/BOOT");
    expect(paths).toContain("a directory/nested");
  });

  it("finds names in any case and short names", async () => {
    expect((await fileSystem.lookup("efi/boot/bootx64.efi"))?.path).toBe("EFI/BOOT/BOOTX64.EFI");
    expect((await fileSystem.lookup("MIXEDC~1.TEX"))?.path).toBe("Mixed Case, and a long name.text");
    expect((await fileSystem.lookup(""))?.type).toBe("directory");
    expect(await fileSystem.lookup("EFI/absent")).toBeUndefined();
    expect(await fileSystem.lookup("PLAIN.TXT/x")).toBeUndefined();
  });

  it("gives content, also of files in pieces and at any range", async () => {
    const content = fileSystem.content(await fileAt(fileSystem, "a directory/in pieces"));
    const expected = Buffer.from(lines("second", 2000));
    expect(Buffer.from(await readAll(content, 1 << 20)).equals(expected)).toBe(true);
    const range = fc.tuple(fc.nat(expected.length), fc.nat(expected.length));
    await fc.assert(
      fc.asyncProperty(range, async ([a, b]) => {
        const [start, end] = a < b ? [a, b] : [b, a];
        expect(Buffer.from(await content.read(start, end - start)).equals(expected.subarray(start, end))).toBe(true);
      }),
    );
    expect((await readAll(fileSystem.content(await fileAt(fileSystem, "EMPTY")), 0)).length).toBe(0);
  });

  it("tells where the bytes are stored", async () => {
    await using source = FileSource.open(await unpacked(fixture("fat", `${name}.img.gz`)));
    await using onFile = await format.open(source, ctx);
    const content = onFile.content(await fileAt(onFile, "a directory/in pieces"));
    const volume = await image(name);
    const parts: Uint8Array[] = [];
    for await (const extent of extents(content)) {
      const { offset = 0, length = 0 } = extent.stored ?? {};
      parts.push(volume.subarray(offset, offset + length));
    }
    // On FAT32 the system that writes goes on behind the file that it wrote last.
    expect(parts.length).toBeGreaterThan(name === "fat32" ? 0 : 1);
    expect(Buffer.concat(parts).toString()).toBe(lines("second", 2000));
  });
});

describeWith({ tools: ["mdir", "mtype"] }, "mtools, a second reader of FAT,", () => {
  it.each(NAMES)("finds the same in %s", async (name) => {
    const path = await unpacked(fixture("fat", `${name}.img.gz`));
    const run = (tool: string, ...args: string[]) =>
      execFileSync(tool, [...args], { env: { ...process.env, LC_ALL: "C.UTF-8", MTOOLS_SKIP_CHECK: "1" } });
    const listed = run("mdir", "-i", path, "-/", "-b", "-a", "::/").toString().trim().split("\n");
    const fileSystem = await opened(await image(name));
    const entries = (await walked(fileSystem)).filter((entry) => entry.path !== "");
    const shown = entries.map(({ path, type }) => `::/${Buffer.from(path, "latin1")}${type === "file" ? "" : "/"}`);
    expect(listed.sort()).toEqual(shown.sort());
    for (const entry of entries) {
      if (entry.type !== "file" || entry.size === 0) continue;
      const theirs = run("mtype", "-i", path, `::/${Buffer.from(entry.path, "latin1")}`);
      expect(theirs.equals(await readAll(fileSystem.content(entry), 1 << 20))).toBe(true);
    }
  });
});

describeWith({ tools: ["xz", "gzip", "bzip2"], corpus: "disk/made" }, "FAT volumes of others", () => {
  it.each(["vfat12", "vfat16", "vfat32"])("reads %s as the kernel does", async (name) => {
    await using source = FileSource.open(await unpacked(corpus("disk", "made", "fs", `${name}.img.xz`)));
    await using fileSystem = await format.open(source, ctx);
    const truth = corpus("disk", "made", "truth", `${name}.ndjson.gz`);
    // The kernel numbers inodes as it meets them, and gives every file the mode 0755.
    expect(await differences(fileSystem, truth, { ignore: ["ino", "mode"] })).toEqual([]);
  });

  it.each(["fat12", "fat16"])("reads rust-fatfs' %s", async (name) => {
    await using source = FileSource.open(await unpacked(corpus("disk", "fat", "rust-fatfs", `${name}.img.gz`)));
    await using fileSystem = await format.open(source, ctx);
    const paths = (await walked(fileSystem)).map((entry) => entry.path);
    expect({ label: fileSystem.label, paths }).toMatchObject({
      label: "Test!",
      paths: expect.arrayContaining(["long.txt", "short.txt", "very-long-dir-name/very-long-file-name.txt"]),
    });
    const long = await fileAt(fileSystem, "long.txt");
    const text = Buffer.from(await readAll(fileSystem.content(long), 1 << 20)).toString();
    expect(text).toBe("Rust is cool!\n".repeat(1000));
    expect((await fileAt(fileSystem, "very/long/path/test.txt")).size).toBe("Rust is cool!\n".length);
  });
});

const SAMPLES = [
  "e2fsprogs-blkid/fat.img.bz2",
  "e2fsprogs-blkid/fat32_label_64MB.img.bz2",
  "e2fsprogs-blkid/small-fat32.img.bz2",
  "util-linux/images-fs/fat.img.xz",
  "util-linux/images-fs/fat16_noheads.img.xz",
  "util-linux/images-fs/fat32_cp850_O_tilde.img.xz",
  "util-linux/images-fs/fat32_label_64MB.img.xz",
  "util-linux/images-fs/fat32_mkdosfs_label1.img.xz",
  "util-linux/images-fs/fat32_mkdosfs_label1_mlabel_NO_NAME.img.xz",
  "util-linux/images-fs/fat32_mkdosfs_label1_xp_erase.img.xz",
  "util-linux/images-fs/fat32_mkdosfs_label1_xp_label2.img.xz",
  "util-linux/images-fs/fat32_mkdosfs_none.img.xz",
  "util-linux/images-fs/fat32_mkdosfs_none_dosfslabel_label1.img.xz",
  "util-linux/images-fs/fat32_mkdosfs_none_xp_label1_dosfslabel_label2.img.xz",
  "util-linux/images-fs/fat32_xp_label1.img.xz",
  "util-linux/images-fs/fat32_xp_none_dosfslabel_label1.img.xz",
];

describeWith({ tools: ["xz", "bzip2", "blkid"], corpus: "disk/ident" }, "blkid's samples of FAT", () => {
  it.each(SAMPLES)("identifies %s as blkid does", async (sample) => {
    const path = await unpacked(corpus("disk", "ident", sample));
    await using source = FileSource.open(path);
    expect((await fileSystemFormats.probe(source))?.name).toBe("vfat");
    await using fileSystem = await format.open(source, ctx);
    const theirs = execFileSync("blkid", ["-p", "-o", "export", path], { encoding: "utf8" });
    const value = (key: string) => new RegExp(`^${key}=(.*)$`, "m").exec(theirs)?.[1]?.replaceAll("\\ ", " ");
    // blkid shows the byte 0xe5 as M-e.
    const label = value("LABEL")?.replace(/M-(.)/g, (_, low) => String.fromCharCode(low.charCodeAt(0) + 0x80));
    expect([fileSystem.uuid, fileSystem.label]).toEqual([value("UUID"), label]);
  });
});

/** The FAT16 fixture, changed. */
class Patched {
  bytes: Buffer;

  constructor(bytes: Uint8Array) {
    this.bytes = Buffer.from(bytes);
  }

  /** Offset of a short entry. */
  entry(shortName: string): number {
    const at = this.bytes.indexOf(shortName, 0, "latin1");
    expect(at % 32).toBe(0);
    return at;
  }

  get tableOffset(): number {
    return this.bytes.readUInt16LE(0x0e) * 512;
  }

  firstCluster(shortName: string): number {
    return this.bytes.readUInt16LE(this.entry(shortName) + 0x1a);
  }

  link(cluster: number, next: number): void {
    this.bytes.writeUInt16LE(next, this.tableOffset + cluster * 2);
  }
}

describe("a damaged or hostile FAT volume", () => {
  let sound: Uint8Array;
  beforeAll(async () => {
    sound = await image("fat16");
  });

  const cases: readonly (readonly [code: string, what: string, patch: (volume: Patched) => void])[] = [
    ["read", "nothing is changed", () => {}],
    ["FAT_BOOT_SECTOR", "clusters have 3 sectors", ({ bytes }) => bytes.writeUInt8(3, 0x0d)],
    ["FAT_BOOT_SECTOR", "the tables fill it", ({ bytes }) => bytes.writeUInt16LE(0xffff, 0x16)],
    [
      "FAT_CHAIN_BROKEN",
      "a chain leads to a free cluster",
      (volume) => volume.link(volume.firstCluster("PLAIN   TXT"), 0),
    ],
    [
      "FAT_CHAIN_BROKEN",
      "a chain leads to a bad cluster",
      (volume) => volume.link(volume.firstCluster("PLAIN   TXT"), 0xfff7),
    ],
    [
      "FAT_CHAIN_BROKEN",
      "a chain leads out of the volume",
      (volume) => volume.link(volume.firstCluster("PLAIN   TXT"), 0xff00),
    ],
    ["FAT_CHAIN_SHORT", "a chain is too short", (volume) => volume.link(volume.firstCluster("PLAIN   TXT"), 0xffff)],
    [
      "FAT_CHAIN_LOOP",
      "a chain comes back",
      (volume) => volume.link(volume.firstCluster("PLAIN   TXT") + 5, volume.firstCluster("PLAIN   TXT")),
    ],
    [
      "FAT_CHAIN_LOOP",
      "a directory follows itself",
      (volume) => volume.link(volume.firstCluster("EFI        "), volume.firstCluster("EFI        ")),
    ],
    [
      "FAT_DIRECTORY_LOOP",
      "a directory holds its parent",
      (volume) => volume.bytes.writeUInt16LE(volume.firstCluster("EFI        "), volume.entry("BOOT       ") + 0x1a),
    ],
    [
      "FAT_FIRST_CLUSTER",
      "a file begins nowhere",
      (volume) => volume.bytes.writeUInt16LE(0, volume.entry("PLAIN   TXT") + 0x1a),
    ],
    ["FAT_NAME", "a name has a slash", (volume) => volume.bytes.write("../../X TXT", volume.entry("PLAIN   TXT"))],
    [
      "BYTES_TRUNCATED",
      "it is cut",
      (volume) => {
        volume.bytes = volume.bytes.subarray(0, 80_000);
      },
    ],
  ];

  it.each(cases)("ends with %s where %s", async (code, _what, patch) => {
    const volume = new Patched(sound);
    patch(volume);
    expect(await outcome(format, volume.bytes)).toBe(code);
  });

  it("keeps to the limits", async () => {
    const volume = new Patched(sound);
    expect(await outcome(format, volume.bytes, { ...DEFAULT_LIMITS, depth: 2 })).toBe("FAT_TOO_DEEP");
    expect(await outcome(format, volume.bytes, { ...DEFAULT_LIMITS, entries: 20 })).toBe("FAT_TOO_MANY_ENTRIES");
    expect(await outcome(format, volume.bytes, { ...DEFAULT_LIMITS, tableBytes: 4096 })).toBe("FAT_TABLE_TOO_LARGE");
  });

  it("refuses a directory of more than 65536 entries", async () => {
    const volume = new Patched(sound);
    const first = volume.firstCluster("EFI        ");
    for (let cluster = first; cluster < 8000; cluster++) volume.link(cluster, cluster + 1);
    volume.link(8000, 0xffff);
    expect(await outcome(format, volume.bytes)).toBe("FAT_DIRECTORY_TOO_LARGE");
  });

  it("drops a long name that does not belong to its short one", async () => {
    const volume = new Patched(sound);
    volume.bytes.write("RENAMED TEX", volume.entry("MIXEDC~1TEX"));
    const paths = (await walked(await opened(volume.bytes))).map((entry) => entry.path);
    expect(paths).toContain("RENAMED.TEX");
    expect(paths).not.toContain("Mixed Case, and a long name.text");
  });

  it("stops when it is asked to", async () => {
    const controller = new AbortController();
    const fileSystem = await format.open(new MemorySource(sound), createContext({ signal: controller.signal }));
    controller.abort();
    await expect(walked(fileSystem)).rejects.toThrow("abort");
  });

  it.each(NAMES)("is read or refused, whatever bytes of %s change", { timeout: 120_000 }, async (name) => {
    const bytes = Buffer.from(await image(name));
    const boot = [0x0b, 0x5a] as const;
    // Tables and directories stand in front of the files; what is zero is not in use.
    const used = (from: number) => bytes.subarray(from, from + 512).some((byte) => byte !== 0);
    const end = name === "fat32" ? 1_140_000 : 60_000;
    const sectors = Array.from({ length: Math.floor(end / 512) }, (_, index) => index * 512).filter(used);
    const ranges = [boot, ...sectors.map((at): [number, number] => [at, at + 512])];
    await fuzzVolume({ format, bytes, ranges, inputs: name === "fat32" ? 30 : 500 });
  });
});
