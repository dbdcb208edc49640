import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { bytePath } from "../../src/bytes/byte-path.ts";
import { extents, readAll } from "../../src/bytes/byte-source.ts";
import type { Entry, FileEntry } from "../../src/bytes/entry.ts";
import { FileSource } from "../../src/bytes/file-source.ts";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import { createContext, DEFAULT_LIMITS } from "../../src/context.ts";
import { ConverterError } from "../../src/errors.ts";
import type { FileSystem } from "../../src/filesystem/file-system.ts";
import { fileSystemFormats } from "../../src/filesystem/index.ts";
import { format } from "../../src/filesystem/squashfs/reader.ts";
import { fuzz, readEverything } from "../support/fuzz.ts";
import { corpus, describeWith, fixture } from "../support/needs.ts";
import { differences } from "../support/truth.ts";
import { unpacked } from "../support/unpack.ts";

const NAMES = ["gzip", "lzma", "lzo", "xz", "xz-filtered", "lz4", "zstd", "plain", "no-fragments"] as const;
const ctx = createContext();
const NOON = 1704110400;

async function image(name: string): Promise<Buffer> {
  return readFileSync(await unpacked(fixture("squashfs", `${name}.squashfs.gz`)));
}

async function opened(bytes: Uint8Array, context = ctx): Promise<FileSystem> {
  return await format.open(new MemorySource(bytes, "image"), context);
}

async function walked(fileSystem: FileSystem): Promise<Entry[]> {
  const found: Entry[] = [];
  for await (const entry of fileSystem.walk()) found.push(entry);
  return found;
}

async function file(fileSystem: FileSystem, path: string): Promise<FileEntry> {
  const entry = await fileSystem.lookup(bytePath(path));
  if (entry?.type !== "file") throw new Error(`${path} is no file`);
  return entry;
}

async function content(fileSystem: FileSystem, path: string): Promise<Buffer> {
  return Buffer.from(await readAll(fileSystem.content(await file(fileSystem, path)), 1 << 20));
}

function lines(name: string, count: number): string {
  return Array.from({ length: count }, (_, index) => `${name} ${String(index + 1).padStart(6, "0")}\n`).join("");
}

const PLAIN: Readonly<Record<string, string>> = {
  readme: lines("readme", 700),
  large: lines("large", 20000),
  "ünïcödé 名前": lines("ünïcödé 名前", 20),
  "many/file 300": "300\n",
  "links/hard": lines("readme", 700),
  empty: "",
  sparse: `${"\0".repeat(150_000)}middle${"\0".repeat(149_994)}`,
  hole: "\0".repeat(400_000),
};

/** Calls of one address from many places, which a filter for x86 makes alike. */
function machineCode(): Buffer {
  const parts: Buffer[] = [];
  for (let at = 9; at < 60000; at += 11) {
    const address = Buffer.alloc(4);
    address.writeUInt32LE((0x9000 - at) >>> 0);
    parts.push(Buffer.from([0x55, 0x48, 0x89, 0xe5, 0xe8, ...address, at & 0x7f, 0xc3]));
  }
  return Buffer.concat(parts);
}

describe.each(NAMES)("the image %s", (name) => {
  let fileSystem: FileSystem;
  beforeAll(async () => {
    fileSystem = await opened(await image(name));
  });

  it("is recognised", async () => {
    const bytes = await image(name);
    expect((await fileSystemFormats.probe(new MemorySource(bytes)))?.name).toBe("squashfs");
    const { type, uuid, label, size } = fileSystem;
    expect({ type, uuid, label }).toEqual({ type: "squashfs", uuid: undefined, label: undefined });
    expect(size).toBeLessThanOrEqual(bytes.length);
  });

  it("is walked parents first, names in byte order", async () => {
    const paths = (await walked(fileSystem)).map(({ path }) => path);
    expect(paths).toHaveLength(319);
    expect(paths.slice(0, 5)).toEqual(["", "code", "dev", "dev/fifo", "dev/large"]);
    expect(paths.at(-1)).toBe(bytePath("ünïcödé 名前"));
    for (const path of paths.slice(0, 12)) expect((await fileSystem.lookup(path))?.path).toBe(path);
    expect(await fileSystem.lookup("many/absent")).toBeUndefined();
    expect(await fileSystem.lookup("readme/x")).toBeUndefined();
  });

  it("has owners, modes, times, devices and links", async () => {
    for (const { path, mtime } of await walked(fileSystem)) {
      expect({ path, mtime }).toEqual({ path, mtime: { seconds: NOON, nanoseconds: 0 } });
    }
    expect(await fileSystem.lookup("owned")).toMatchObject({ mode: 0o4755, uid: 1000, gid: 100 });
    expect(await fileSystem.lookup("many")).toMatchObject({ type: "directory", mode: 0o2775, links: 2 });
    expect(await fileSystem.lookup("dev/null")).toMatchObject({ type: "character-device", major: 1, minor: 3 });
    expect(await fileSystem.lookup("dev/large")).toMatchObject({ type: "block-device", major: 300, minor: 70000 });
    expect(await fileSystem.lookup("dev/fifo")).toMatchObject({ type: "fifo" });
    expect(await fileSystem.lookup("dev/socket")).toMatchObject({ type: "socket" });
    expect(await fileSystem.lookup("links/relative")).toMatchObject({ type: "symlink", target: "../readme" });
    const readme = await file(fileSystem, "readme");
    expect(readme.links).toBe(2);
    expect((await file(fileSystem, "links/hard")).inode).toBe(readme.inode);
  });

  it("has extended attributes", async () => {
    const { xattrs } = await file(fileSystem, "owned");
    expect([...xattrs.keys()].sort()).toEqual(["user.long", "user.short"]);
    expect(Buffer.from(xattrs.get("user.short") ?? []).toString()).toBe("value");
    expect(Buffer.from(xattrs.get("user.long") ?? []).toString()).toBe("v".repeat(3000));
    expect((await fileSystem.lookup("many"))?.xattrs.get("user.long")).toHaveLength(3000);
    expect((await file(fileSystem, "code")).xattrs.get("security.capability")).toHaveLength(20);
    expect((await file(fileSystem, "readme")).xattrs.size).toBe(0);
  });

  it("gives content, holes as holes", async () => {
    for (const [path, text] of Object.entries(PLAIN)) {
      expect((await content(fileSystem, path)).equals(Buffer.from(text)), path).toBe(true);
    }
    expect((await content(fileSystem, "code")).equals(machineCode())).toBe(true);
    const kinds: string[] = [];
    for await (const { kind, length } of extents(fileSystem.content(await file(fileSystem, "hole")))) {
      kinds.push(`${kind} ${length}`);
    }
    // A hole of a multiple of the block's size is one, however long; what is over may be a fragment.
    expect(kinds[0]).toMatch(/^zero /);
    expect(kinds.length).toBeLessThanOrEqual(2);
  });

  it("gives any range, and tells where it is stored", async () => {
    await using source = FileSource.open(await unpacked(fixture("squashfs", `${name}.squashfs.gz`)));
    await using onFile = await format.open(source, ctx);
    const expected = Buffer.from(PLAIN["large"] ?? "");
    const large = onFile.content(await file(onFile, "large"));
    const range = fc.tuple(fc.nat(expected.length), fc.nat(expected.length));
    await fc.assert(
      fc.asyncProperty(range, async ([a, b]) => {
        const [start, end] = a < b ? [a, b] : [b, a];
        expect(expected.subarray(start, end).equals(await large.read(start, end - start))).toBe(true);
      }),
    );
    let at = 0;
    const codings = new Set<string | undefined>();
    for await (const extent of extents(large)) {
      expect([extent.kind, extent.offset]).toEqual(["data", at]);
      at += extent.length;
      codings.add(extent.stored?.coding);
    }
    expect(at).toBe(expected.length);
    if (name === "plain") expect([...codings]).toEqual(["identity"]);
    if (name === "no-fragments" || name === "gzip") expect(codings).toContain("zlib");
  });
});

describeWith({ tools: ["mount", "python3"], root: true }, "the kernel, a second reader of squashfs,", () => {
  it.each(NAMES.filter((name) => name !== "lzma"))("finds the same in %s", async (name) => {
    const path = await unpacked(fixture("squashfs", `${name}.squashfs.gz`));
    const folder = mkdtempSync(join(tmpdir(), "transload-squashfs-"));
    try {
      execFileSync("mount", ["-t", "squashfs", "-o", "loop,ro", path, folder]);
      try {
        const listing = fixture("..", "test", "support", "listing.py");
        const theirs = execFileSync("python3", [listing, "tree", folder], { encoding: "utf8", maxBuffer: 64 << 20 });
        expect(await ourRows(await opened(await image(name)))).toEqual(theirRows(theirs));
      } finally {
        execFileSync("umount", [folder]);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

const COMPARED = ["path", "type", "mode", "uid", "gid", "size", "sha256", "target"] as const;

function theirRows(listing: string): unknown[] {
  const rows = listing
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  return rows.map((row) => Object.fromEntries(COMPARED.filter((key) => key in row).map((key) => [key, row[key]])));
}

async function ourRows(fileSystem: FileSystem): Promise<unknown[]> {
  const rows: Record<string, unknown>[] = [];
  for (const entry of await walked(fileSystem)) {
    const { path, type, mode, uid, gid } = entry;
    const row: Record<string, unknown> = { path, type, mode, uid, gid };
    if (entry.type === "symlink") row["target"] = entry.target;
    if (entry.type === "file") {
      row["size"] = entry.size;
      row["sha256"] = createHash("sha256")
        .update(await readAll(fileSystem.content(entry), 1 << 20))
        .digest("hex");
    }
    rows.push(row);
  }
  return rows.sort((a, b) => (String(a["path"]) < String(b["path"]) ? -1 : 1));
}

describeWith({ tools: ["unsquashfs"] }, "unsquashfs", () => {
  it.each(["lzma", "xz-filtered"])("finds the same names and contents in %s", async (name) => {
    const path = await unpacked(fixture("squashfs", `${name}.squashfs.gz`));
    const options = { env: { ...process.env, LC_ALL: "C.UTF-8" }, maxBuffer: 64 << 20, encoding: "latin1" } as const;
    const listed = execFileSync("unsquashfs", ["-l", path], options)
      .split("\n")
      .filter((line) => line.startsWith("squashfs-root"));
    const fileSystem = await opened(await image(name));
    const all = await walked(fileSystem);
    expect(listed.sort()).toEqual(
      all.map((entry) => `squashfs-root${entry.path === "" ? "" : "/"}${entry.path}`).sort(),
    );
    for (const plain of ["code", "large", "readme"]) {
      const theirs = execFileSync("unsquashfs", ["-cat", path, plain], options);
      expect((await content(fileSystem, plain)).toString("latin1") === theirs, plain).toBe(true);
    }
  });
});

describeWith({ tools: ["xz", "gzip"], corpus: "disk/made" }, "squashfs images of others", () => {
  it.each(["gzip", "xz", "zstd", "lz4", "lzo"])("reads squashfs-%s as the kernel does", async (name) => {
    await using source = FileSource.open(await unpacked(corpus("disk", "made", "fs", `squashfs-${name}.img.xz`)));
    await using fileSystem = await format.open(source, ctx);
    const truth = corpus("disk", "made", "truth", `squashfs-${name}.ndjson.gz`);
    expect(await differences(fileSystem, truth, { ignore: ["ino"] })).toEqual([]);
  });

  it("opens util-linux's sample", async () => {
    const path = await unpacked(corpus("disk", "ident", "util-linux", "images-fs", "squashfs4.img.xz"));
    await using source = FileSource.open(path);
    await using fileSystem = await format.open(source, ctx);
    expect((await walked(fileSystem)).map(({ path: found }) => found)).toEqual(["", "dirB", "dirB/a", "dirB/b"]);
  });
});

describe.each([0, 2])("an image of many blocks, read with %d threads", (threads) => {
  const limits = { ...DEFAULT_LIMITS, threads };

  it.each(["xz", "lz4", "no-fragments"])("%s has the same files in pieces of any size", async (name) => {
    const fileSystem = await opened(await image(name), createContext({ limits }));
    const large = fileSystem.content(await file(fileSystem, "large"));
    for (const size of [1000, 8192, 100_000, large.size]) {
      const parts: Uint8Array[] = [];
      for (let at = 0; at < large.size; at += size) parts.push(await large.read(at, Math.min(size, large.size - at)));
      expect(Buffer.concat(parts).toString() === PLAIN["large"], `${size}`).toBe(true);
    }
  });

  it("is refused where a block is damaged that a thread was to unpack", async () => {
    const bytes = await image("xz");
    const fileSystem = await opened(bytes, createContext({ limits }));
    const large = fileSystem.content(await file(fileSystem, "large"));
    const sound = Buffer.from(await large.read(0, 4096));
    expect(sound.toString()).toBe(PLAIN["large"]?.slice(0, 4096));
    const damaged = Buffer.from(bytes);
    damaged.fill(0xee, 96, damaged.readUInt32LE(0x40) - 1);
    const other = await opened(damaged, createContext({ limits }));
    const broken = other.content(await file(other, "large"));
    await expect((async () => await broken.read(0, broken.size))()).rejects.toMatchObject({ code: "SQUASHFS_BLOCK" });
  });
});

/** What becomes of walking an image and reading every file. */
async function outcome(bytes: Uint8Array, limits = DEFAULT_LIMITS): Promise<string> {
  try {
    const fileSystem = await opened(bytes, createContext({ limits }));
    for (const entry of await walked(fileSystem)) {
      if (entry.type === "file") await fileSystem.content(entry).read(0, Math.min(entry.size, 1 << 20));
    }
    return "read";
  } catch (error) {
    if (error instanceof ConverterError) return error.code;
    throw error;
  }
}

/** An image without compression, so that its structures can be changed. */
class Patched {
  bytes: Buffer;

  constructor(bytes: Uint8Array) {
    this.bytes = Buffer.from(bytes);
  }

  table(at: number): number {
    return Number(this.bytes.readBigUInt64LE(at));
  }

  /** Where a text first stands in the directories or behind them. */
  find(text: string): number {
    const at = this.bytes.indexOf(text, this.table(0x48), "latin1");
    expect(at).toBeGreaterThan(0);
    return at;
  }

  /** Where the inode of a path stands. */
  async inode(path: string): Promise<number> {
    const entry = await (await opened(this.bytes)).lookup(path);
    const number = entry?.inode ?? 0;
    return this.table(0x40) + Math.floor(number / 65536) + 2 + (number % 65536);
  }

  async put(path: string, at: number, value: number, size: 2 | 4 = 4): Promise<void> {
    this.bytes.writeUIntLE(value, (await this.inode(path)) + at, size);
  }
}

describe("a damaged or hostile image", () => {
  let plain: Buffer;
  beforeAll(async () => {
    plain = await image("plain");
  });

  const cases: readonly [code: string, what: string, patch: (image: Patched) => unknown][] = [
    ["read", "nothing is changed", () => {}],
    ["SQUASHFS_SUPERBLOCK", "there is no magic", ({ bytes }) => bytes.write("hsqx")],
    ["SQUASHFS_SUPERBLOCK", "block sizes differ", ({ bytes }) => bytes.writeUInt16LE(13, 0x16)],
    ["SQUASHFS_SUPERBLOCK", "a table begins behind the end", ({ bytes }) => bytes.writeUInt32LE(1 << 30, 0x40)],
    ["SQUASHFS_VERSION", "it is of version 3", ({ bytes }) => bytes.writeUInt16LE(3, 0x1c)],
    ["SQUASHFS_VERSION", "it is of a big-endian machine", ({ bytes }) => bytes.write("sqsh")],
    ["SQUASHFS_COMPRESSOR", "the compressor is unknown", ({ bytes }) => bytes.writeUInt16LE(7, 0x14)],
    ["SQUASHFS_BLOCK", "a block of metadata is empty", (image) => image.bytes.writeUInt16LE(0, image.table(0x40))],
    ["SQUASHFS_INODE", "an inode has no type", (image) => image.put("readme", 0, 0, 2)],
    ["SQUASHFS_INODE", "an inode has a type of the future", (image) => image.put("readme", 0, 15, 2)],
    ["SQUASHFS_INODE", "the root is a file", (image) => image.put("", 0, 2, 2)],
    ["SQUASHFS_INODE", "an owner is not in the table", (image) => image.put("readme", 4, 999, 2)],
    ["SQUASHFS_INODE", "a symlink has no target", (image) => image.put("links/relative", 0x14, 0)],
    ["SQUASHFS_INODE", "a symlink's target has a NUL", (image) => image.put("links/relative", 0x18, 0)],
    ["SQUASHFS_INODE", "a fragment is not in the table", (image) => image.put("many/file 7", 0x14, 99999)],
    ["SQUASHFS_BLOCK", "a fragment is too short", (image) => image.put("many/file 7", 0x18, 4095)],
    ["BYTES_TRUNCATED", "a file begins behind the end", (image) => image.put("large", 0x10, 0x7fffffff)],
    ["SQUASHFS_BLOCK", "a block is larger than blocks are", (image) => image.put("large", 0x20, (1 << 24) + 5000)],
    [
      "SQUASHFS_BLOCK",
      "a file has more blocks than there is metadata",
      (image) => image.put("large", 0x1c, 0x7fffffff),
    ],
    ["SQUASHFS_NAME", "a name has a slash", (image) => image.bytes.write("re/dme", image.find("readme"))],
    ["SQUASHFS_DIRECTORY", "a name stands twice", (image) => image.bytes.write("file 10", image.find("file 11"))],
    [
      "SQUASHFS_DIRECTORY",
      "a header has too many entries",
      (image) => image.bytes.writeUInt32LE(256, image.table(0x48) + 2),
    ],
    ["SQUASHFS_DIRECTORY", "a record leaves its directory", (image) => image.put("", 0x18, 40, 2)],
    [
      "SQUASHFS_DIRECTORY_LOOP",
      "a directory has its parent's records",
      async (image) => {
        const root = await image.inode("");
        image.bytes.copy(image.bytes, (await image.inode("dev")) + 0x10, root + 0x10, root + 0x1c);
      },
    ],
    [
      "SQUASHFS_TABLE",
      "the owners lie nowhere",
      (image) => image.bytes.fill(0xff, image.table(0x30), image.table(0x30) + 8),
    ],
    [
      "SQUASHFS_XATTR",
      "attributes have an unknown prefix",
      (image) => image.bytes.writeUInt16LE(9, image.find("\x05\0short") - 2),
    ],
    [
      "SQUASHFS_XATTR",
      "attributes have a huge value",
      (image) => image.bytes.writeUInt32LE(1 << 20, image.find("\x05\0short") + 7),
    ],
    ["SQUASHFS_XATTR", "attributes are not in the table", (image) => image.put("owned", 0x34, 9999)],
    ["BYTES_TRUNCATED", "it is cut", (image) => (image.bytes = image.bytes.subarray(0, 100_000))],
  ];

  it.each(cases)("ends with %s where %s: %#", async (code, _what, patch) => {
    const changed = new Patched(plain);
    await patch(changed);
    expect(await outcome(changed.bytes)).toBe(code);
  });

  it("has compressed data that is checked", async () => {
    for (const name of ["gzip", "lzma", "lzo", "xz", "lz4", "zstd"]) {
      const bytes = await image(name);
      const start = bytes.readUInt16LE(0x18) & 0x400 ? 110 : 96;
      expect(await outcome(Buffer.from(bytes).fill(0xee, start, start + 200)), name).toBe("SQUASHFS_BLOCK");
    }
  });

  it("has options of its compressor that are known", async () => {
    const bytes = await image("lz4");
    expect(bytes.readUInt32LE(98)).toBe(1);
    bytes.writeUInt32LE(2, 98);
    expect(await outcome(bytes)).toBe("SQUASHFS_COMPRESSOR");
    bytes.writeUInt16LE(0x8004, 96);
    expect(await outcome(bytes)).toBe("SQUASHFS_COMPRESSOR_OPTIONS");
  });

  it("keeps to the limits", async () => {
    expect(await outcome(plain, { ...DEFAULT_LIMITS, depth: 1 })).toBe("SQUASHFS_TOO_DEEP");
    expect(await outcome(plain, { ...DEFAULT_LIMITS, entries: 20 })).toBe("SQUASHFS_TOO_MANY_ENTRIES");
    expect(await outcome(plain, { ...DEFAULT_LIMITS, tableBytes: 4096 })).toBe("SQUASHFS_TABLE_TOO_LARGE");
    expect(await outcome(plain, { ...DEFAULT_LIMITS, tableBytes: 10_000 })).toBe("SQUASHFS_TABLE_TOO_LARGE");
    const few = { ...DEFAULT_LIMITS, tableBytes: 300 };
    const large = (await opened(plain, createContext({ limits: few }))).content(
      await file(await opened(plain), "large"),
    );
    await expect(readAll(large, 1 << 20)).rejects.toMatchObject({ code: "SQUASHFS_TABLE_TOO_LARGE" });
  });

  it("stops when it is asked to", async () => {
    const controller = new AbortController();
    const fileSystem = await opened(plain, createContext({ signal: controller.signal }));
    controller.abort();
    await expect(walked(fileSystem)).rejects.toThrow("abort");
  });
});

const FUZZED = 100;

describe.each(NAMES)("mutated images of %s", (name) => {
  it(`end in a listing or a ConverterError, ${FUZZED} of them`, { timeout: 120_000 }, async () => {
    const sound = await image(name);
    // Metadata stands at the end.
    const place = fc.oneof(
      fc.integer({ min: 0x14, max: 0x60 }),
      fc.integer({ min: sound.readUInt32LE(0x40), max: sound.length - 1 }),
      fc.nat(sound.length - 1),
    );
    const changes = fc.array(fc.tuple(place, fc.nat(255)), { minLength: 1, maxLength: 8 });
    const outcomes = await fuzz(`squashfs, ${name}`, FUZZED, changes, async (list) => {
      const bytes = Buffer.from(sound);
      for (const [at, value] of list) bytes[at] = value;
      await readEverything(await opened(bytes));
    });
    // The mutations reach more than the first check.
    expect(outcomes.size).toBeGreaterThan(2);
  });
});
