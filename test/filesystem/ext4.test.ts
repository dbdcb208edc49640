import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ByteSource, extents } from "../../src/bytes/byte-source.ts";
import type { Entry, FileEntry } from "../../src/bytes/entry.ts";
import { FileSource } from "../../src/bytes/file-source.ts";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import { createContext, type Diagnostic } from "../../src/context.ts";
import { ConverterError } from "../../src/errors.ts";
import { format } from "../../src/filesystem/ext4/reader.ts";
import type { FileSystem } from "../../src/filesystem/file-system.ts";
import { fileSystemFormats } from "../../src/filesystem/index.ts";
import { corpus, describeWith, fixture } from "../support/needs.ts";
import { differences } from "../support/truth.ts";
import { unpacked } from "../support/unpack.ts";

function image(name: string, file = "input.img.gz"): Buffer {
  return gunzipSync(readFileSync(fixture("ext4", name, file)));
}

interface Opened {
  readonly fileSystem: FileSystem;
  readonly diagnostics: Diagnostic[];
}

async function open(source: ByteSource, others: readonly ByteSource[] = []): Promise<Opened> {
  const diagnostics: Diagnostic[] = [];
  const ctx = createContext({ diagnostic: (diagnostic) => diagnostics.push(diagnostic) });
  return { fileSystem: await format.open(source, ctx, others), diagnostics };
}

async function list(fileSystem: FileSystem): Promise<Entry[]> {
  const entries: Entry[] = [];
  for await (const entry of fileSystem.walk()) entries.push(entry);
  return entries;
}

async function file(fileSystem: FileSystem, path: string): Promise<FileEntry> {
  const entry = await fileSystem.lookup(path);
  if (entry?.type !== "file") throw new Error(`${path} is not a file`);
  return entry;
}

async function code(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (cause) {
    return cause instanceof ConverterError ? cause.code : String(cause);
  }
  return "no error";
}

/** Answers every read with a promise, as a source does that is not a local file. */
function slow(bytes: Uint8Array): ByteSource {
  const source = new MemorySource(bytes);
  return {
    name: "slow",
    size: source.size,
    read: async (offset, length) => source.read(offset, length),
    extentAt: async (offset, limit) => source.extentAt(offset, limit),
    [Symbol.asyncDispose]: async () => {},
  };
}

describe("ext4", () => {
  it("is found by its magic", async () => {
    expect((await fileSystemFormats.probe(new MemorySource(image("small"))))?.name).toBe("ext4");
  });

  it("lists what the kernel lists", async () => {
    const { fileSystem, diagnostics } = await open(new MemorySource(image("small")));
    expect(await differences(fileSystem, fixture("ext4", "small", "expected.ndjson"))).toEqual([]);
    expect(diagnostics).toEqual([]);
    const { type, uuid, label, size, used } = fileSystem;
    expect({ type, uuid, label, size }).toEqual({
      type: "ext4",
      uuid: "11111111-2222-3333-4444-555555555555",
      label: "small",
      size: 512 << 10,
    });
    expect(used).toBeGreaterThan(0);
  });

  it("lists the same where every read is a promise", async () => {
    const { fileSystem } = await open(slow(image("small")));
    expect(await differences(fileSystem, fixture("ext4", "small", "expected.ndjson"))).toEqual([]);
  });

  it("gives parents first and the names of a directory in byte order, and enters only what it may", async () => {
    const { fileSystem } = await open(new MemorySource(image("small")));
    const paths = (await list(fileSystem)).map(({ path }) => path);
    expect(paths[0]).toBe("");
    expect(paths.slice(1).map((path) => path.split("/"))).toEqual(
      paths
        .slice(1)
        .map((path) => path.split("/"))
        .sort(compareParts),
    );
    const top: string[] = [];
    for await (const { path } of fileSystem.walk(({ path }) => path === "")) top.push(path);
    expect(top).toEqual(paths.filter((path) => !path.includes("/")));
  });

  it("looks up by path", async () => {
    const { fileSystem } = await open(new MemorySource(image("small")));
    for (const entry of await list(fileSystem)) expect(await fileSystem.lookup(entry.path)).toEqual(entry);
    expect(await fileSystem.lookup("dir/missing")).toBeUndefined();
    expect(await fileSystem.lookup("numbers/below-a-file")).toBeUndefined();
  });

  it("reads any range of a sparse file, and its extents cover exactly and tell data from holes", async () => {
    const { fileSystem } = await open(new MemorySource(image("small")));
    const content = fileSystem.content(await file(fileSystem, "sparse"));
    const expected = Buffer.alloc(100007);
    for (const block of [0, 3, 4, 9, 20, 30, 41, 90]) expected.write(`block ${block}\n`, block * 1024);
    await fc.assert(
      fc.asyncProperty(fc.nat(expected.length), fc.nat(expected.length), async (a, b) => {
        const [from, to] = a < b ? [a, b] : [b, a];
        expect(Buffer.from(await content.read(from, to - from)).equals(expected.subarray(from, to))).toBe(true);
        let at = from;
        for await (const extent of extents(content, from, to - from)) {
          expect(extent.offset).toBe(at);
          at += extent.length;
          if (extent.kind === "zero")
            expect(expected.subarray(extent.offset, at).every((byte) => byte === 0)).toBe(true);
          else expect([0, 3, 4, 9, 20, 30, 41, 90]).toContain(Math.floor(extent.offset / 1024));
        }
        expect(at).toBe(to);
      }),
    );
  });

  it("replays fast commits", async () => {
    const { fileSystem, diagnostics } = await open(new MemorySource(image("fast-commit")));
    // The kernel gives the directories the time of its own replay.
    const truth = fixture("ext4", "fast-commit", "expected.ndjson");
    expect(await differences(fileSystem, truth, { ignore: ["mtimeNs"] })).toEqual([]);
    expect(diagnostics.map((diagnostic) => diagnostic.code)).toEqual(["EXT_JOURNAL_REPLAYED"]);
    expect((await open(slow(image("fast-commit")))).diagnostics).toEqual(
      diagnostics.map((diagnostic) => ({ ...diagnostic, where: { file: "slow" } })),
    );
  });

  it("replays a journal of another device", async () => {
    const others = [new MemorySource(image("small")), new MemorySource(image("external-journal", "journal.img.gz"))];
    const { fileSystem, diagnostics } = await open(new MemorySource(image("external-journal")), others);
    expect(await differences(fileSystem, fixture("ext4", "external-journal", "expected.ndjson"))).toEqual([]);
    expect(diagnostics.map((diagnostic) => diagnostic.code)).toEqual(["EXT_JOURNAL_REPLAYED"]);
    const alone = await open(new MemorySource(image("external-journal")));
    expect(alone.diagnostics.map((diagnostic) => diagnostic.code)).toEqual(["EXT_JOURNAL"]);
    expect((await list(alone.fileSystem)).length).toBeLessThan(20);
  });
});

function compareParts(a: readonly string[], b: readonly string[]): number {
  for (let index = 0; index < Math.min(a.length, b.length); index++) {
    const [left = "", right = ""] = [a[index], b[index]];
    if (left !== right) return left < right ? -1 : 1;
  }
  return a.length - b.length;
}

/** Places in the small image, whose blocks have 1 KiB. */
const SUPER_BLOCK = 1024;
const DESCRIPTORS = 2048;
const INODE_SIZE = 256;

/** Offset of an inode of the small image. */
function inodeAt(bytes: Buffer, number: number): number {
  return bytes.readUInt32LE(DESCRIPTORS + 8) * 1024 + (number - 1) * INODE_SIZE;
}

async function numberOf(path: string): Promise<number> {
  const { fileSystem } = await open(new MemorySource(image("small")));
  return (await fileSystem.lookup(path))?.inode ?? 0;
}

async function damaged(change: (bytes: Buffer) => void): Promise<string[]> {
  const bytes = image("small");
  change(bytes);
  const { fileSystem, diagnostics } = await open(new MemorySource(bytes));
  for (const entry of await list(fileSystem)) {
    if (entry.type === "file") await fileSystem.content(entry).read(0, Math.min(entry.size, 1 << 20));
  }
  return diagnostics.map((diagnostic) => diagnostic.code);
}

describe("ext4 errors", () => {
  const set32 = (at: number, value: number) => (bytes: Buffer) => void bytes.writeUInt32LE(value, at);
  const orFlags = (at: number, flags: number) => (bytes: Buffer) =>
    void bytes.writeUInt32LE((bytes.readUInt32LE(at) | flags) >>> 0, at);

  it.each([
    ["a superblock without magic", set32(SUPER_BLOCK + 0x38, 0), "EXT_SUPERBLOCK"],
    ["an impossible block size", set32(SUPER_BLOCK + 0x18, 40), "EXT_SUPERBLOCK"],
    ["an inode table outside", set32(DESCRIPTORS + 8, 1 << 20), "EXT_SUPERBLOCK"],
    ["compression", orFlags(SUPER_BLOCK + 0x60, 0x1), "EXT_FEATURE"],
    ["a journal device", orFlags(SUPER_BLOCK + 0x60, 0x8), "EXT_FEATURE"],
    ["an unknown incompatible feature", orFlags(SUPER_BLOCK + 0x60, 0x800_0000), "EXT_FEATURE"],
  ])("refuses %s", async (_, change, expected) => {
    expect(await code(damaged(change))).toBe(expected);
  });

  it("names an unknown feature by its bits", async () => {
    await expect(damaged(orFlags(SUPER_BLOCK + 0x60, 0x800_0001))).rejects.toThrow("compression, 0x8000000");
  });

  it.each([
    ["an unknown read-only feature", orFlags(SUPER_BLOCK + 0x64, 0x4000_0000), ["EXT_FEATURE_UNKNOWN", "EXT_CHECKSUM"]],
    ["a wrong checksum of the superblock", set32(SUPER_BLOCK + 0x3fc, 1), ["EXT_CHECKSUM"]],
    ["a wrong checksum of a group", set32(DESCRIPTORS + 0x1c, 0x12340000), ["EXT_CHECKSUM"]],
    ["a volume that is too short", set32(SUPER_BLOCK + 0x04, 1024), ["EXT_CHECKSUM", "EXT_TRUNCATED"]],
    ["a journal on another device", orFlags(SUPER_BLOCK + 0x60, 0x4), ["EXT_CHECKSUM", "EXT_JOURNAL"]],
  ])("warns of %s", async (_, change, expected) => {
    expect((await damaged(change)).sort()).toEqual(expected.sort());
  });

  it.each([
    ["an inode that is not in use", "numbers", 0x1a, 0, "EXT_INODE"],
    ["an inode without a type", "numbers", 0x00, 0o000644, "EXT_INODE"],
    ["an extent tree without magic", "numbers", 0x28, 0, "EXT_EXTENT_TREE"],
    ["an extent outside", "numbers", 0x28 + 12 + 8, 0xffff, "EXT_EXTENT_TREE"],
    ["a symlink that is too long", "long-link", 0x04, 0x7fff, "EXT_SYMLINK"],
    ["a symlink with a NUL", "short-link", 0x28, 0, "EXT_SYMLINK"],
    ["an encrypted file", "numbers", 0x20, 0x800, "EXT_ENCRYPTED"],
    ["block pointers outside", "numbers", 0x22, 0, "EXT_BLOCK_OUT_OF_RANGE"],
  ])("refuses %s", async (_, path, at, value, expected) => {
    const number = await numberOf(path);
    expect(await code(damaged((bytes) => bytes.writeUInt16LE(value, inodeAt(bytes, number) + at)))).toBe(expected);
  });

  it("refuses a directory whose records leave their block, and one that contains itself", async () => {
    const number = await numberOf("dir");
    const block = (bytes: Buffer) => bytes.readUInt32LE(inodeAt(bytes, number) + 0x28 + 12 + 8) * 1024;
    expect(await code(damaged((bytes) => bytes.writeUInt16LE(6000, block(bytes) + 4)))).toBe("EXT_DIRECTORY");
    const cycle = damaged((bytes) => {
      // The record after "." and "..".
      bytes.writeUInt32LE(number, block(bytes) + 24);
    });
    expect(await code(cycle)).toBe("EXT_DIRECTORY_CYCLE");
  });

  it("warns of a directory with a hole, and of damaged attributes", async () => {
    const directory = await numberOf("dir");
    expect(await damaged((bytes) => bytes.writeUInt16LE(0, inodeAt(bytes, directory) + 0x28 + 2))).toEqual([
      "EXT_DIRECTORY_HOLE",
    ]);
    const numbers = await numberOf("numbers");
    expect(await damaged((bytes) => bytes.writeUInt16LE(9, inodeAt(bytes, numbers) + 0x68))).toEqual(["EXT_XATTR"]);
  });

  it("refuses more entries and deeper directories than it may", async () => {
    for (const [limits, expected] of [
      [{ entries: 5, depth: 100 }, "EXT_TOO_MANY_ENTRIES"],
      [{ entries: 1000, depth: 2 }, "EXT_TOO_DEEP"],
    ] as const) {
      const base = createContext();
      const ctx = createContext({ limits: { ...base.limits, ...limits } });
      const fileSystem = await format.open(new MemorySource(image("small")), ctx);
      expect(await code(list(fileSystem))).toBe(expected);
    }
  });

  it("finds the journal by the superblock where its inode is lost", async () => {
    const bytes = image("fast-commit");
    const journalInode = bytes.readUInt32LE(DESCRIPTORS + 8) * 1024 + 7 * INODE_SIZE;
    bytes.fill(0, journalInode, journalInode + INODE_SIZE);
    const { fileSystem, diagnostics } = await open(new MemorySource(bytes));
    const truth = fixture("ext4", "fast-commit", "expected.ndjson");
    expect(await differences(fileSystem, truth, { ignore: ["mtimeNs"] })).toEqual([]);
    expect(diagnostics.map((diagnostic) => diagnostic.code)).toEqual(["EXT_JOURNAL_REPLAYED"]);
  });

  it("stops where more is logged than may be held in memory", async () => {
    const diagnostics: Diagnostic[] = [];
    const { limits } = createContext();
    const ctx = createContext({
      limits: { ...limits, tableBytes: 256 },
      diagnostic: (found) => diagnostics.push(found),
    });
    await format.open(new MemorySource(image("fast-commit")), ctx);
    expect(diagnostics.map((diagnostic) => diagnostic.code)).toEqual(["EXT_JOURNAL"]);
  });

  it("stops when it is told to", async () => {
    const controller = new AbortController();
    const ctx = createContext({ signal: controller.signal });
    const fileSystem = await format.open(new MemorySource(image("small")), ctx);
    controller.abort();
    await expect(list(fileSystem)).rejects.toThrow("aborted");
  });

  it("keeps to the transactions before a damaged one", async () => {
    const bytes = image("fast-commit");
    const { fileSystem: before } = await open(new MemorySource(image("fast-commit")));
    expect((await list(before)).length).toBeGreaterThan(5);
    const magic = Buffer.from("c03b399800000002", "hex");
    const commit = bytes.indexOf(magic);
    bytes[commit + 100] = (bytes[commit + 100] ?? 0) ^ 1;
    const { diagnostics } = await open(new MemorySource(bytes));
    expect(diagnostics.map((diagnostic) => diagnostic.code)).toEqual(["EXT_JOURNAL"]);
  });

  it("uses a copy of the superblock where the first is damaged", async () => {
    const bytes = Buffer.concat([image("small"), Buffer.alloc(8 << 20)]);
    const copy = Buffer.from(bytes.subarray(SUPER_BLOCK, SUPER_BLOCK + 1024));
    copy.writeUInt16LE(1, 0x5a);
    copy.writeUInt32LE(0, 0x64);
    const descriptors = Buffer.from(bytes.subarray(DESCRIPTORS, DESCRIPTORS + 1024));
    copy.copy(bytes, 8193 * 1024);
    descriptors.copy(bytes, 8194 * 1024);
    bytes.fill(0, SUPER_BLOCK, DESCRIPTORS);
    const { fileSystem, diagnostics } = await open(new MemorySource(bytes));
    expect(diagnostics.map((diagnostic) => diagnostic.code)).toEqual(["EXT_BACKUP_SUPERBLOCK"]);
    expect(await differences(fileSystem, fixture("ext4", "small", "expected.ndjson"))).toEqual([]);
  });
});

/** The quick ones; ext4.slow.test.ts has all. */
const MADE = ["ext2", "ext3-1k", "ext4", "ext4-inline", "ext4-eainode", "ext4-dirty", "ext4-dirty-1k", "ext4-metabg"];

describeWith({ corpus: "disk/made", tools: ["xz"] }, "ext4 fixtures with truth listings", () => {
  it.each(MADE)("%s", async (name) => {
    await using source = FileSource.open(await unpacked(corpus("disk/made/fs", `${name}.img.xz`)));
    const { fileSystem } = await open(source);
    expect(await differences(fileSystem, corpus("disk/made/truth", `${name}.ndjson.gz`))).toEqual([]);
  });

  it("leaves out what an encrypted directory holds, and says so once", async () => {
    await using source = FileSource.open(await unpacked(corpus("disk/made/fs/ext4-encrypt.img.xz")));
    const { fileSystem, diagnostics } = await open(source);
    const found = await differences(fileSystem, corpus("disk/made/truth/ext4-encrypt.ndjson.gz"));
    expect(found.length).toBeGreaterThan(0);
    expect(found.every((line) => line.startsWith("missing encdir/"))).toBe(true);
    expect(diagnostics).toMatchObject([{ code: "EXT_ENCRYPTED", severity: "warning", where: { path: "encdir" } }]);
    expect(await fileSystem.lookup("encdir/anything")).toBeUndefined();
  });
});
