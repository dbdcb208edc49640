import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ByteSource, extents } from "../../src/bytes/byte-source.ts";
import type { Entry, FileEntry } from "../../src/bytes/entry.ts";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import { type Context, createContext, DEFAULT_LIMITS, type Diagnostic } from "../../src/context.ts";
import { ConverterError } from "../../src/errors.ts";
import type { FileSystem } from "../../src/filesystem/file-system.ts";
import { fileSystemFormats } from "../../src/filesystem/index.ts";
import { format } from "../../src/filesystem/xfs/reader.ts";
import { fixture } from "../support/needs.ts";
import { differences } from "../support/truth.ts";
import { inodeOffset, logRange, mendRecord, recordBlocks, records } from "./xfs-log.ts";
import { withoutRawAcls } from "./xfs-truth.ts";

function image(name: string): Buffer {
  return gunzipSync(readFileSync(fixture("xfs", name, "input.img.gz")));
}

function truth(name: string): Promise<string> {
  return withoutRawAcls(fixture("xfs", name, "expected.ndjson.gz"));
}

interface Opened {
  readonly fileSystem: FileSystem;
  readonly diagnostics: Diagnostic[];
}

async function open(
  source: ByteSource,
  others: readonly ByteSource[] = [],
  overrides: Partial<Context> = {},
): Promise<Opened> {
  const diagnostics: Diagnostic[] = [];
  const ctx = createContext({ diagnostic: (diagnostic) => diagnostics.push(diagnostic), ...overrides });
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

/** Opens, lists and reads all: the code of the error, or "no error". */
async function code(bytes: Buffer, overrides: Partial<Context> = {}): Promise<string> {
  try {
    const { fileSystem } = await open(new MemorySource(bytes), [], overrides);
    for (const entry of await list(fileSystem)) {
      if (entry.type === "file") await fileSystem.content(entry).read(0, entry.size);
    }
  } catch (cause) {
    return cause instanceof ConverterError ? cause.code : String(cause);
  }
  return "no error";
}

/** Byte offset of an inode of the fixture "small", by its path. */
async function inodeAt(bytes: Buffer, path: string): Promise<number> {
  const { fileSystem } = await open(new MemorySource(Buffer.from(bytes)));
  const number = (await fileSystem.lookup(path))?.inode ?? Number.NaN;
  return inodeOffset(bytes, number);
}

const LITERAL = 0xb0;

async function changed(path: string, change: (bytes: Buffer, at: number) => void): Promise<Buffer> {
  const bytes = image("small");
  change(bytes, path === "" ? 0 : await inodeAt(bytes, path));
  return bytes;
}

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

describe("xfs", () => {
  it("is found by its magic", async () => {
    expect((await fileSystemFormats.probe(new MemorySource(image("small"))))?.name).toBe("xfs");
  });

  it("lists what the kernel lists", async () => {
    const { fileSystem, diagnostics } = await open(new MemorySource(image("small")));
    expect(await differences(fileSystem, await truth("small"))).toEqual([]);
    expect(diagnostics).toEqual([]);
    const { type, uuid, label, size } = fileSystem;
    const expected = { type: "xfs", uuid: "11111111-2222-3333-4444-555555555555", label: "small", size: 16 << 20 };
    expect({ type, uuid, label, size }).toEqual(expected);
    expect(fileSystem.used).toBeGreaterThan(0);
    expect(fileSystem.used).toBeLessThan(size);
  });

  it("lists the same where every read is a promise", async () => {
    const { fileSystem } = await open(slow(image("small")));
    expect(await differences(fileSystem, await truth("small"))).toEqual([]);
  });

  it("gives parents first and the names of a directory in byte order, and enters only what it may", async () => {
    const { fileSystem } = await open(new MemorySource(image("small")));
    const paths = (await list(fileSystem)).map(({ path }) => path);
    expect(paths[0]).toBe("");
    const keys = paths.slice(1).map((path) => path.replaceAll("/", "\0"));
    expect(keys).toEqual([...keys].sort());
    const top: string[] = [];
    for await (const { path } of fileSystem.walk(({ path }) => path === "")) top.push(path);
    expect(top).toEqual(paths.filter((path) => !path.includes("/")));
  });

  it("looks up by path", async () => {
    const { fileSystem } = await open(new MemorySource(image("small")));
    const entries = await list(fileSystem);
    for (const entry of entries.filter((_, index) => index % 7 === 0)) {
      expect(await fileSystem.lookup(entry.path)).toEqual(entry);
    }
    expect(await fileSystem.lookup("short/missing")).toBeUndefined();
    expect(await fileSystem.lookup("hello/below-a-file")).toBeUndefined();
  });

  it("reads any range of a sparse file, and its extents cover exactly and tell data from holes", async () => {
    const { fileSystem } = await open(new MemorySource(image("small")));
    const content = fileSystem.content(await file(fileSystem, "fragmented"));
    const expected = Buffer.alloc(content.size);
    for (let block = 0; block < 400; block += 2) expected.write(`${block}\n`.repeat(100), block * 1024);
    await fc.assert(
      fc.asyncProperty(fc.nat(expected.length), fc.nat(expected.length), async (a, b) => {
        const [from, to] = a < b ? [a, b] : [b, a];
        expect(Buffer.from(await content.read(from, to - from)).equals(expected.subarray(from, to))).toBe(true);
        let at = from;
        for await (const extent of extents(content, from, to - from)) {
          expect(extent.offset).toBe(at);
          at += extent.length;
          const zero = expected.subarray(extent.offset, at).every((byte) => byte === 0);
          if (extent.kind === "zero") expect(zero).toBe(true);
        }
        expect(at).toBe(to);
      }),
    );
  });
});

describe("xfs with a log that was not replayed", () => {
  function logOf(bytes: Buffer): Buffer {
    return bytes.subarray(...logRange(bytes));
  }

  /** Writes over the data of a record. */
  function tear(bytes: Buffer, record: number): void {
    bytes.fill(0xaa, record + 520, record + 530);
  }

  it("lists what the kernel lists after its replay", async () => {
    const { fileSystem, diagnostics } = await open(new MemorySource(image("dirty")));
    expect(await differences(fileSystem, await truth("dirty"))).toEqual([]);
    expect(diagnostics.map((diagnostic) => diagnostic.code)).toEqual(["XFS_LOG_REPLAYED"]);
    const { fileSystem: slowly } = await open(slow(image("dirty")));
    expect(await list(slowly)).toEqual(await list(fileSystem));
  });

  it("replays a log of another device", async () => {
    const bytes = image("dirty");
    const log = Buffer.from(logOf(bytes));
    logOf(bytes).fill(0);
    bytes.writeBigUInt64BE(0n, 0x30);
    const { fileSystem } = await open(new MemorySource(bytes), [
      new MemorySource(Buffer.alloc(8 << 20)),
      new MemorySource(log),
    ]);
    expect(await differences(fileSystem, await truth("dirty"))).toEqual([]);
    const alone = await open(new MemorySource(bytes));
    expect(alone.diagnostics.map((diagnostic) => diagnostic.code)).toEqual(["XFS_CHECKSUM", "XFS_LOG_EXTERNAL"]);
  });

  it("leaves out a last record that is torn, and what follows one", async () => {
    const whole = await open(new MemorySource(image("dirty")));
    for (const back of [1, 3]) {
      const bytes = image("dirty");
      tear(bytes, records(bytes).at(-back) ?? 0);
      const { diagnostics } = await open(new MemorySource(bytes));
      expect(diagnostics.map((diagnostic) => diagnostic.code)).toEqual(["XFS_LOG_REPLAYED"]);
      expect(diagnostics[0]?.message).not.toBe(whole.diagnostics[0]?.message);
    }
  });

  it("refuses a log that is damaged, with a way out", async () => {
    const bytes = image("dirty");
    tear(bytes, records(bytes)[3] ?? 0);
    const error = await open(new MemorySource(bytes)).catch((cause: unknown) => cause);
    expect(error).toMatchObject({ code: "XFS_LOG", advice: expect.stringContaining("shut it down") });
    const cleared = image("dirty");
    logOf(cleared).fill(0, 512);
    expect(await code(cleared)).toBe("XFS_LOG");
  });

  it.each([
    ["a mapping of blocks that was announced and not done", 0x1244, "in the middle of mapping blocks"],
    ["an item that it does not know", 0x1299, "unknown type 0x1299"],
  ])("refuses %s", async (_, type, message) => {
    const bytes = image("dirty");
    const at = inodeItem(bytes);
    bytes.writeUInt16LE(type, at);
    mendRecord(bytes, at);
    await expect(open(new MemorySource(bytes))).rejects.toMatchObject({
      code: "XFS_LOG_UNSUPPORTED",
      message: expect.stringContaining(message),
    });
  });

  /** Where the log first has an inode: struct xfs_inode_log_format of two or three regions. */
  function inodeItem(bytes: Buffer): number {
    for (const block of records(bytes).flatMap((record) => recordBlocks(bytes, record).slice(1))) {
      for (let at = block + 4; at < block + 508; at += 4) {
        if ([0x0002_123b, 0x0003_123b].includes(bytes.readUInt32LE(at))) return at;
      }
    }
    throw new Error("the log has no inode");
  }

  it("refuses what it cannot replay", async () => {
    const bytes = image("dirty");
    bytes.writeUInt32BE(0x80, 0xdc);
    expect(await code(bytes)).toBe("XFS_LOG_UNSUPPORTED");
    expect(await code(image("dirty"), { limits: { ...DEFAULT_LIMITS, tableBytes: 10_000 } })).toBe(
      "XFS_LOG_UNSUPPORTED",
    );
  });
});

describe("damaged xfs", () => {
  const CASES: readonly (readonly [code: string, path: string, change: (bytes: Buffer, at: number) => void])[] = [
    ["XFS_SUPERBLOCK", "", (bytes) => bytes.writeUInt32BE(1000, 4)],
    ["XFS_SUPERBLOCK", "", (bytes) => bytes.writeUInt16BE(0xb4a3, 0x64)],
    ["XFS_SUPERBLOCK", "", (bytes) => bytes.writeUInt32BE(77, 0x58)],
    ["XFS_SUPERBLOCK", "", (bytes) => bytes.writeUInt32BE(0xffffffff, 0x60)],
    ["XFS_IN_PROGRESS", "", (bytes) => bytes.writeUInt8(1, 0x7e)],
    ["XFS_NEEDS_REPAIR", "", (bytes) => bytes.writeUInt32BE(bytes.readUInt32BE(0xd8) | 0x10, 0xd8)],
    ["XFS_FEATURE", "", (bytes) => bytes.writeUInt32BE(bytes.readUInt32BE(0xd8) | 0x100, 0xd8)],
    ["XFS_FEATURE", "", (bytes) => bytes.writeUInt32BE(bytes.readUInt32BE(0xd8) | 0x10000, 0xd8)],
    ["XFS_INODE", "hello", (bytes, at) => bytes.writeUInt16BE(0, at)],
    ["XFS_INODE", "hello", (bytes, at) => bytes.writeUInt32BE(0, at + 0x10)],
    ["XFS_INODE", "hello", (bytes, at) => bytes.writeUInt16BE(0o030644, at + 2)],
    ["XFS_INODE", "hello", (bytes, at) => bytes.writeUInt8(0xff, at + 0x52)],
    ["XFS_REALTIME", "hello", (bytes, at) => bytes.writeUInt16BE(1, at + 0x5a)],
    ["XFS_EXTENTS", "hello", (bytes, at) => bytes.fill(0x7f, at + LITERAL + 7, at + LITERAL + 12)],
    ["XFS_EXTENTS", "fragmented", (bytes, at) => bytes.writeUInt16BE(77, at + LITERAL)],
    ["XFS_DIRECTORY", "short", (bytes, at) => bytes.writeUInt8(200, at + LITERAL)],
    ["XFS_DIRECTORY", "short", (bytes, at) => bytes.writeUInt8(0x2f, at + LITERAL + 10)],
    ["XFS_DIRECTORY_CYCLE", "short", (bytes, at) => pointToParent(bytes, at)],
    ["XFS_SYMLINK", "link-20", (bytes, at) => bytes.writeUInt8(0, at + LITERAL + 3)],
  ];

  /** The first entry of a short directory gets the inode of the directory above. */
  function pointToParent(bytes: Buffer, at: number): void {
    const nameLength = bytes.readUInt8(at + LITERAL + 6);
    bytes.copy(bytes, at + LITERAL + 9 + nameLength + 1, at + LITERAL + 2, at + LITERAL + 6);
  }

  it.each(CASES)("is refused with %s (%s)", async (wanted, path, change) => {
    expect(await code(await changed(path, change))).toBe(wanted);
  });

  it("is bounded in depth and entries", async () => {
    expect(await code(image("small"), { limits: { ...DEFAULT_LIMITS, depth: 1 } })).toBe("XFS_TOO_DEEP");
    expect(await code(image("small"), { limits: { ...DEFAULT_LIMITS, entries: 5 } })).toBe("XFS_TOO_MANY_ENTRIES");
  });

  const WARNINGS: readonly (readonly [code: string, path: string, change: (bytes: Buffer, at: number) => void])[] = [
    ["XFS_CHECKSUM", "hello", (bytes, at) => bytes.writeUInt32BE(77, at + 0x20)],
    ["XFS_XATTR", "xattr-10", (bytes, at) => bytes.writeUInt8(200, at + LITERAL + bytes.readUInt8(at + 0x52) * 8 + 2)],
    ["XFS_FEATURE_UNKNOWN", "", (bytes) => bytes.writeUInt32BE(0x8000, 0xd4)],
  ];

  it.each(WARNINGS)("is read with the warning %s", async (wanted, path, change) => {
    const { fileSystem, diagnostics } = await open(new MemorySource(await changed(path, change)));
    const entries = await list(fileSystem);
    expect(entries.length).toBeGreaterThan(500);
    expect(diagnostics.map((diagnostic) => diagnostic.code)).toContain(wanted);
    expect(new Set(diagnostics.map(({ where }) => JSON.stringify(where))).size).toBe(
      wanted === "XFS_XATTR" ? 2 : 1 + Number(wanted === "XFS_FEATURE_UNKNOWN"),
    );
  });

  it("tells that the volume is shorter than its file system", async () => {
    const { diagnostics } = await open(new MemorySource(image("small").subarray(0, 15 << 20)));
    expect(diagnostics.map((diagnostic) => diagnostic.code)).toEqual(["XFS_TRUNCATED"]);
  });
});
