import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ByteSource, extents } from "../../src/bytes/byte-source.ts";
import type { FileEntry } from "../../src/bytes/entry.ts";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import { createContext } from "../../src/context.ts";
import { format } from "../../src/filesystem/btrfs/reader.ts";
import type { FileSystem } from "../../src/filesystem/file-system.ts";
import { fileSystemFormats } from "../../src/filesystem/index.ts";
import { describeWith, fixture } from "../support/needs.ts";
import { differences } from "../support/truth.ts";
import { codeOf, differencesFromKernel, made, open } from "./btrfs-images.ts";
import { metadata, NODE, patched, SUPER_BLOCK, smallImage } from "./btrfs-nodes.ts";

const IMAGE = smallImage();
const TRUTH = fixture("btrfs", "small", "expected.ndjson");

/** Answers every read with a promise, as a source does that is not a local file. */
function slow(source: ByteSource): ByteSource {
  return {
    name: "slow",
    size: source.size,
    read: async (offset, length) => source.read(offset, length),
    extentAt: async (offset, limit) => source.extentAt(offset, limit),
    [Symbol.asyncDispose]: async () => {},
  };
}

/**
 * Without what the kernel must say otherwise: numbers of inodes are those of one subvolume, the time of a directory in place of a
 * subvolume is the mount's, and properties of btrfs are no attributes.
 */
async function found(fileSystem: FileSystem): Promise<string[]> {
  const lines = await differences(fileSystem, TRUTH, { ignore: ["ino"] });
  return lines.filter(
    (line) => !/^snapshot\/volume: mtimeNs|xattrs is undefined, not {"btrfs\.compression"/.test(line),
  );
}

async function file(fileSystem: FileSystem, path: string): Promise<FileEntry> {
  const entry = await fileSystem.lookup(path);
  if (entry?.type !== "file") throw new Error(`${path} is not a file`);
  return entry;
}

async function readEverything(fileSystem: FileSystem): Promise<void> {
  for await (const entry of fileSystem.walk()) {
    if (entry.type === "file") await fileSystem.content(entry).read(0, entry.size);
  }
}

describe("btrfs", () => {
  it("lists what the kernel lists after it replayed the log", async () => {
    const { fileSystem, diagnostics } = await open(new MemorySource(IMAGE));
    expect(await found(fileSystem)).toEqual([]);
    expect(diagnostics.map(({ code }) => code)).toEqual(["BTRFS_LOG_REPLAYED"]);
    const { type, uuid, label, size } = fileSystem;
    expect({ type, uuid, label, size }).toEqual({
      type: "btrfs",
      uuid: "11111111-2222-3333-4444-555555555555",
      label: "small",
      size: 120 << 20,
    });
  });

  it("lists the same where every read is a promise", async () => {
    const { fileSystem } = await open(slow(new MemorySource(IMAGE)));
    expect(await found(fileSystem)).toEqual([]);
  });

  it("gives parents first and names in byte order, enters only what it may, and looks up by path", async () => {
    const { fileSystem } = await open(new MemorySource(IMAGE));
    const paths: string[] = [];
    for await (const entry of fileSystem.walk()) {
      paths.push(entry.path);
      if (paths.length % 7 === 0) expect(await fileSystem.lookup(entry.path)).toEqual(entry);
    }
    const sorted = paths.map((path) => path.replaceAll("/", "\0")).sort();
    expect(paths).toEqual(sorted.map((path) => path.replaceAll("\0", "/")));
    const top: string[] = [];
    for await (const { path } of fileSystem.walk(({ path }) => path === "")) top.push(path);
    expect(top).toEqual(paths.filter((path) => !path.includes("/")));
    expect(await fileSystem.lookup("dir/missing")).toBeUndefined();
    expect(await fileSystem.lookup("dir/hello/below-a-file")).toBeUndefined();
    expect(await fileSystem.lookup("snapshot/volume/numbers")).toBeUndefined();
  });

  it.each([
    "sparse",
    "packed/zlib",
    "packed/lzo",
    "packed/zstd",
    "packed/lzo-inline",
    "volume/numbers",
    "preallocated",
  ])("reads any range of %s, and its extents cover exactly and tell data from holes", async (path) => {
    const { fileSystem } = await open(new MemorySource(IMAGE));
    const entry = await file(fileSystem, path);
    const whole = await fileSystem.content(entry).read(0, entry.size);
    const content = fileSystem.content(entry);
    await fc.assert(
      fc.asyncProperty(fc.nat(entry.size), fc.nat(entry.size), async (a, b) => {
        const [from, to] = a < b ? [a, b] : [b, a];
        expect(Buffer.compare(await content.read(from, to - from), whole.subarray(from, to))).toBe(0);
        let at = from;
        for await (const { offset, length, kind } of extents(content, from, to - from)) {
          expect(offset).toBe(at);
          at += length;
          if (kind === "zero") expect(whole.subarray(offset, at).every((byte) => byte === 0)).toBe(true);
        }
        expect(at).toBe(to);
      }),
      { numRuns: 50 },
    );
  });

  it("reads several ranges of one file at the same time", async () => {
    const { fileSystem } = await open(slow(new MemorySource(IMAGE)));
    const entry = await file(fileSystem, "packed/zlib");
    const whole = await fileSystem.content(entry).read(0, entry.size);
    const content = fileSystem.content(entry);
    const offsets = Array.from({ length: 40 }, (_, index) => (index * 65521) % (entry.size - 20000));
    const parts = await Promise.all(offsets.map((offset) => content.read(offset, 20000)));
    parts.forEach((part, index) => {
      const offset = offsets[index] ?? 0;
      expect(Buffer.compare(part, whole.subarray(offset, offset + 20000))).toBe(0);
    });
  });
});

/** The image with all copies of each block that `wanted` picks changed, their sums corrected. */
function changed(wanted: (block: Buffer) => boolean, change: (block: Buffer) => void): ByteSource {
  const copies = metadata(IMAGE).flat();
  const picked = copies.filter((at) => wanted(IMAGE.subarray(at, at + NODE)));
  if (picked.length === 0) throw new Error("no block to change");
  return patched(IMAGE, new Map(picked.map((at) => [at, change])));
}

const owner = (block: Buffer) => block.readUInt32LE(0x58);
const isLeaf = (block: Buffer) => block[0x64] === 0;
const superBlock = (change: (block: Buffer) => void) =>
  patched(IMAGE, new Map([SUPER_BLOCK, 64 << 20].map((at) => [at, change])));
const set32 = (at: number, value: number) => superBlock((block) => void block.writeUInt32LE(value, at));

/** Changes an item of a type in leaves of a tree; `change` gets its data. */
function item(tree: number, type: number, change: (data: Buffer) => void): ByteSource {
  const slots = (block: Buffer) => Array.from({ length: block.readUInt32LE(0x60) }, (_, slot) => 101 + slot * 25);
  const has = (block: Buffer) => slots(block).some((at) => block[at + 8] === type);
  return changed(
    (block) => owner(block) === tree && isLeaf(block) && has(block),
    (block) => {
      for (const at of slots(block)) {
        const start = 101 + block.readUInt32LE(at + 17);
        if (block[at + 8] === type) change(block.subarray(start, start + block.readUInt32LE(at + 21)));
      }
    },
  );
}

async function answer(source: ByteSource): Promise<string[]> {
  const { fileSystem, diagnostics } = await open(source, [], { subvolume: 5 });
  await readEverything(fileSystem);
  return diagnostics.map(({ code }) => code);
}

const INODE = 1;
const XATTR = 24;
const DIR_INDEX = 96;
const EXTENT = 108;

describe("btrfs errors", () => {
  it.each([
    ["a superblock without magic", () => set32(0x40, 0), "BTRFS_SUPERBLOCK"],
    ["an impossible node size", () => set32(0x94, 5000), "BTRFS_SUPERBLOCK"],
    ["an array of chunks that is cut off", () => set32(0xa0, 30), "BTRFS_CHUNK"],
    ["zoned devices", () => set32(0xbc, 0x1361), "BTRFS_FEATURE"],
    ["an unknown feature", () => set32(0xc0, 0x100), "BTRFS_FEATURE"],
    ["a root of trees elsewhere", () => set32(0x50, 0x7000), "BTRFS_CHUNK"],
    [
      "leaves of a wrong level",
      () =>
        changed(
          (block) => owner(block) === 1,
          (block) => void block.writeUInt8(3, 0x64),
        ),
      "BTRFS_NODE",
    ],
    ["inodes without a type", () => item(5, INODE, (data) => void data.writeUInt32LE(0, 0x34)), "BTRFS_INODE"],
    ["names with a slash", () => item(5, DIR_INDEX, (data) => void data.writeUInt8(0x2f, 30)), "BTRFS_DIRECTORY"],
    ["names without an inode", () => item(5, DIR_INDEX, (data) => void data.writeUInt32LE(99999, 0)), "BTRFS_INODE"],
    [
      "a directory inside itself",
      () => item(5, DIR_INDEX, (data) => void data.writeUInt32LE(256, 0)),
      "BTRFS_DIRECTORY_CYCLE",
    ],
    ["an unknown compression", () => item(5, EXTENT, (data) => void data.writeUInt8(9, 0x10)), "BTRFS_CODING"],
    ["an encryption", () => item(5, EXTENT, (data) => void data.writeUInt8(1, 0x11)), "BTRFS_CODING"],
    ["an unknown kind of extent", () => item(5, EXTENT, (data) => void data.writeUInt8(7, 0x14)), "BTRFS_EXTENT"],
    [
      "a symlink with a NUL",
      () => item(5, EXTENT, (data) => void (data[0x14] === 0 && data.fill(0, 0x15))),
      "BTRFS_SYMLINK",
    ],
  ])("refuses %s", async (_, make, expected) => {
    expect(await codeOf(answer(make()))).toBe(expected);
  });

  it("names features by their bits where they have no name", async () => {
    await expect(open(set32(0xc0, 0x100))).rejects.toThrow("0x10000000000");
    await expect(open(set32(0xbc, 0x1361))).rejects.toThrow("zoned");
  });

  it("warns of attributes that are damaged", async () => {
    const damaged = item(5, XATTR, (data) => void data.writeUInt16LE(0xfff, 0x19));
    expect(await answer(damaged)).toContain("BTRFS_XATTR");
  });

  it("takes the other copy of a node, and says so once", async () => {
    const firsts = metadata(IMAGE)
      .slice(1)
      .map(([at = 0]) => at);
    const bytes = Buffer.from(IMAGE);
    for (const at of firsts) bytes.writeUInt8((bytes[at + 200] ?? 0) ^ 1, at + 200);
    const { fileSystem, diagnostics } = await open(new MemorySource(bytes));
    expect(await found(fileSystem)).toEqual([]);
    expect(diagnostics.map(({ code }) => code)).toEqual(["BTRFS_NODE_COPY", "BTRFS_LOG_REPLAYED"]);
  });

  it("uses a copy of the superblock where the first is damaged", async () => {
    const bytes = Buffer.from(IMAGE);
    bytes.fill(0, SUPER_BLOCK, SUPER_BLOCK + NODE);
    const { fileSystem, diagnostics } = await open(new MemorySource(bytes));
    expect(diagnostics[0]?.code).toBe("BTRFS_BACKUP_SUPERBLOCK");
    expect(await fileSystem.lookup("dir/hello")).toMatchObject({ type: "file" });
  });

  it("warns of a log that is damaged, and reads what was there before", async () => {
    const log = changed(
      (block) => owner(block) === 0xfffffffa,
      (block) => void block.writeUInt32LE(0xffff, 0x60),
    );
    const { fileSystem, diagnostics } = await open(log);
    expect(diagnostics.map(({ code }) => code)).toEqual(["BTRFS_LOG"]);
    expect(await fileSystem.lookup("many/renamed")).toBeUndefined();
    expect(await fileSystem.lookup("many/a-name-that-is-not-too-short-7")).toMatchObject({ type: "file" });
  });

  it("refuses more entries and deeper directories than it may, and stops when it is told to", async () => {
    for (const [limits, expected] of [
      [{ entries: 5, depth: 100 }, "BTRFS_TOO_MANY_ENTRIES"],
      [{ entries: 1000, depth: 2 }, "BTRFS_TOO_DEEP"],
    ] as const) {
      const ctx = createContext({ limits: { ...createContext().limits, ...limits } });
      expect(await codeOf(readEverything(await format.open(new MemorySource(IMAGE), ctx)))).toBe(expected);
    }
    const controller = new AbortController();
    const fileSystem = await format.open(new MemorySource(IMAGE), createContext({ signal: controller.signal }));
    controller.abort();
    await expect(readEverything(fileSystem)).rejects.toThrow("aborted");
  });
});

/** The quick ones; btrfs.slow.test.ts has the others. */
const MADE = ["btrfs-lzo", "btrfs-ubuntu", "btrfs-dirty", "btrfs-raid0"];

describeWith({ corpus: "disk/made", tools: ["xz"] }, "btrfs fixtures with truth listings", () => {
  it.each(MADE)("%s", async (name) => {
    expect(await differencesFromKernel(name)).toEqual([]);
  });

  it("btrfs-suse, but for the time of an empty directory in place of a subvolume, which Linux gives the time of its mount", async () => {
    const found = await differencesFromKernel("btrfs-suse");
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(/^@: mtimeNs is/);
  });

  it("is found by its magic", async () => {
    const [source] = await made("btrfs-suse");
    if (source === undefined) throw new Error("no device");
    expect((await fileSystemFormats.probe(source))?.name).toBe("btrfs");
  });

  it("opens subvolumes by path and by id, and crosses into those below", async () => {
    const [source] = await made("btrfs-suse");
    if (source === undefined) throw new Error("no device");
    const top = (await open(source, [], { subvolume: 5 })).fileSystem;
    const paths: string[] = [];
    const inodes = new Map<number, string>();
    for await (const entry of top.walk()) {
      paths.push(entry.path);
      if (entry.type === "directory" || entry.links > 1) continue;
      expect(inodes.get(entry.inode)).toBeUndefined();
      inodes.set(entry.inode, entry.path);
    }
    expect(paths).toContain("@/home/file");
    expect(paths).toContain("@/.snapshots/1/snapshot/acl-dir");
    const file = await top.lookup("@/home/file");
    if (file?.type !== "file") throw new Error("no file");
    expect(Buffer.from(await top.content(file).read(0, file.size)).toString()).toBe("suse-home\n");
    const { fileSystem: home } = await open(source, [], { subvolume: "@/home" });
    expect(await home.lookup("file")).toMatchObject({ path: "file", size: 10 });
    expect((await home.lookup(""))?.inode).toBe(256);
    for (const subvolume of ["nothing", "@/home/file", "acl-dir", 6, 999999]) {
      expect(await codeOf(open(source, [], { subvolume }))).toBe("BTRFS_SUBVOLUME");
    }
  });

  it("finds its devices among others, whichever comes first", async () => {
    const [first, second] = await made("btrfs-raid0");
    const [stranger] = await made("btrfs-raid1");
    if (first === undefined || second === undefined || stranger === undefined) throw new Error("no device");
    const { fileSystem, diagnostics } = await open(second, [stranger, first, new MemorySource(new Uint8Array(9))]);
    expect(new Set(fileSystem.members)).toEqual(new Set([first, second]));
    expect(diagnostics).toEqual([]);
    const alone = await open(first);
    expect(alone.diagnostics.map(({ code }) => code)).toEqual(["BTRFS_DEVICE_MISSING"]);
    const codes = new Set<string>();
    for await (const entry of alone.fileSystem.walk()) {
      if (entry.type !== "file" || entry.size < 1 << 18) continue;
      codes.add(await codeOf(Promise.resolve().then(() => alone.fileSystem.content(entry).read(0, entry.size))));
    }
    expect(codes).toContain("BTRFS_DEVICE_MISSING");
  });

  it("reads a mirror alone", async () => {
    const [, second] = await made("btrfs-raid1");
    if (second === undefined) throw new Error("no device");
    const { fileSystem, diagnostics } = await open(second);
    expect(diagnostics.map(({ code }) => code)).toEqual(["BTRFS_DEVICE_MISSING"]);
    for await (const entry of fileSystem.walk()) {
      if (entry.type === "file" && entry.size > 0)
        await fileSystem.content(entry).read(0, Math.min(entry.size, 1 << 20));
    }
  });
});
