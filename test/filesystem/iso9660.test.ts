import { execFileSync } from "node:child_process";
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
import { format } from "../../src/filesystem/iso9660/reader.ts";
import { fuzz, readEverything } from "../support/fuzz.ts";
import { corpus, describeWith, fixture } from "../support/needs.ts";
import { differences } from "../support/truth.ts";
import { unpacked } from "../support/unpack.ts";
import { attributes, both, built, continued, directory, field, ROOT_BLOCK, SUSP_BEGIN } from "./iso9660-builder.ts";

const ROCK_RIDGE = ["rock-ridge", "new-rock-ridge", "xorriso"] as const;
const NAMES = [...ROCK_RIDGE, "joliet", "plain"] as const;
const ctx = createContext();
const NOON = 1704110400;

async function image(name: string): Promise<Buffer> {
  return readFileSync(await unpacked(fixture("iso9660", `${name}.iso.gz`)));
}

async function opened(bytes: Uint8Array, context = ctx): Promise<FileSystem> {
  return await format.open(new MemorySource(bytes, "disc"), context);
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

async function text(fileSystem: FileSystem, path: string): Promise<string> {
  return Buffer.from(await readAll(fileSystem.content(await file(fileSystem, path)), 1 << 20)).toString();
}

function lines(name: string, count: number): string {
  return Array.from({ length: count }, (_, index) => `${name} ${String(index + 1).padStart(6, "0")}\n`).join("");
}

function sequence(last: number): string {
  return Array.from({ length: last }, (_, index) => `${index + 1}\n`).join("");
}

describe.each(ROCK_RIDGE)("the Rock Ridge disc %s", (name) => {
  let fileSystem: FileSystem;
  beforeAll(async () => {
    fileSystem = await opened(await image(name));
  });

  it("has the names of its files, parents first and in byte order", async () => {
    const paths = (await walked(fileSystem)).map(({ path }) => path).filter((path) => path !== "rr_moved");
    expect(paths.slice(0, 4)).toEqual(["", "Mixed Case, and a long name.text", "deep", "deep/2"]);
    expect(paths).toContain("deep/2/3/4/5/6/7/8/9/10/leaf");
    expect(paths).toContain("n".repeat(200));
    expect(paths.at(-1)).toBe(bytePath("ünïcödé 名前"));
    expect(paths).toHaveLength(93);
    expect(paths.filter((path) => path.startsWith("many/"))).toHaveLength(61);
  });

  it("has owners, modes and times", async () => {
    expect(await fileSystem.lookup("program")).toMatchObject({ mode: 0o4755, uid: 1000, gid: 100, size: 9800 });
    expect(await fileSystem.lookup("many")).toMatchObject({ type: "directory", mode: 0o2775 });
    expect(await fileSystem.lookup("links")).toMatchObject({ type: "directory", mode: 0o700 });
    for (const { path, mtime } of await walked(fileSystem)) {
      if (path !== "rr_moved") expect({ path, mtime }).toEqual({ path, mtime: { seconds: NOON, nanoseconds: 0 } });
    }
  });

  it("has devices, a pipe and symlinks", async () => {
    expect(await fileSystem.lookup("dev/null")).toMatchObject({ type: "character-device", major: 1, minor: 3 });
    expect(await fileSystem.lookup("dev/large")).toMatchObject({ type: "block-device", major: 300, minor: 70000 });
    expect(await fileSystem.lookup("dev/fifo")).toMatchObject({ type: "fifo" });
    const target = async (path: string) => Reflect.get((await fileSystem.lookup(`links/${path}`)) ?? {}, "target");
    expect(await target("relative")).toBe("../readme");
    expect(await target("root")).toBe("/");
    expect(await target("absolute")).toBe("/usr/../etc/./passwd");
    expect(await target("long")).toBe(`${"component/".repeat(20)}end`);
    expect(await target("one long component")).toBe("c".repeat(240));
  });

  it("has hard links, but files that are merely alike are apart", async () => {
    const readme = await file(fileSystem, "readme");
    expect(readme.links).toBe(2);
    expect((await file(fileSystem, "links/hard")).inode).toBe(readme.inode);
    expect((await file(fileSystem, "program")).inode).not.toBe(readme.inode);
    const all = (await walked(fileSystem)).map(({ inode }) => inode);
    expect(new Set(all).size).toBe(all.length - 1);
  });

  it("inflates what zisofs compressed", async () => {
    const packed = await file(fileSystem, "packed");
    const expected = Buffer.from(`${sequence(20000)}${"\0".repeat(100_000)}${sequence(3000)}`);
    if (name === "new-rock-ridge") return expect(packed.size).toBeLessThan(expected.length);
    const content = fileSystem.content(packed);
    expect(expected.equals(await readAll(content, 1 << 20))).toBe(true);
    const kinds: string[] = [];
    for await (const extent of extents(content)) kinds.push(extent.kind);
    expect(kinds).toContain("zero");
    const range = fc.tuple(fc.nat(expected.length), fc.nat(expected.length));
    await fc.assert(
      fc.asyncProperty(range, async ([a, b]) => {
        const [start, end] = a < b ? [a, b] : [b, a];
        expect(expected.subarray(start, end).equals(await content.read(start, end - start))).toBe(true);
      }),
    );
  });
});

describe.each(NAMES)("the disc %s", (name) => {
  it("is recognised", async () => {
    const bytes = await image(name);
    expect((await fileSystemFormats.probe(new MemorySource(bytes)))?.name).toBe("iso9660");
    const { type, label, size } = await opened(bytes);
    expect({ type, label }).toEqual({ type: "iso9660", label: name === "joliet" ? "Hello, Joliet" : "HELLO_ISO" });
    expect(size).toBeLessThanOrEqual(bytes.length);
  });

  it("gives content and tells where it is stored", async () => {
    await using source = FileSource.open(await unpacked(fixture("iso9660", `${name}.iso.gz`)));
    await using fileSystem = await format.open(source, ctx);
    const [readme, empty] = name === "plain" ? ["README", "EMPTY"] : ["readme", "empty"];
    expect(await text(fileSystem, readme)).toBe(lines("readme", 700));
    expect(await text(fileSystem, empty)).toBe("");
    const disc = await image(name);
    for await (const { stored } of extents(fileSystem.content(await file(fileSystem, readme)))) {
      const { offset = 0, length = 0 } = stored ?? {};
      expect(disc.toString("utf8", offset, offset + length)).toBe(lines("readme", 700));
    }
  });

  it("does not enter what it is told not to", async () => {
    const paths: string[] = [];
    const fileSystem = await opened(await image(name));
    for await (const { path } of fileSystem.walk(({ path }) => path.toLowerCase() !== "many")) paths.push(path);
    expect(paths.some((path) => /^many\//i.test(path))).toBe(false);
    expect(paths.map((path) => path.toLowerCase())).toContain("many");
    expect(await fileSystem.lookup("readme/x")).toBeUndefined();
    expect(await fileSystem.lookup("absent")).toBeUndefined();
  });
});

describe("a disc without Rock Ridge", () => {
  it("has Joliet's names", async () => {
    const all = await walked(await opened(await image("joliet")));
    const paths = all.map(({ path }) => path);
    expect(paths.slice(0, 4)).toEqual(["", "Mixed Case, and a long name.text", "empty", "empty directory"]);
    expect(paths.at(-1)).toBe(bytePath("ünïcödé 名前"));
    expect(paths).toHaveLength(69);
    for (const { mode, uid, gid } of all) expect({ mode, uid, gid }).toEqual({ mode: 0o555, uid: 0, gid: 0 });
  });

  it("or the plain ones without version and lone dot", async () => {
    const paths = (await walked(await opened(await image("plain")))).map(({ path }) => path);
    expect(paths).toContain("README");
    expect(paths).toContain("MIXED_CA.TEX");
    expect(paths).toHaveLength(69);
  });
});

describeWith({ tools: ["xorriso", "python3"], root: true }, "xorriso, a second reader of ISO 9660,", () => {
  it.each(["rock-ridge", "new-rock-ridge", "xorriso"])("finds the same in %s", async (name) => {
    const folder = mkdtempSync(join(tmpdir(), "transload-iso-"));
    try {
      const path = await unpacked(fixture("iso9660", `${name}.iso.gz`));
      const arguments_ = ["-osirrox", "on", "-indev", path, "-extract", "/", join(folder, "tree")];
      execFileSync("xorriso", arguments_, { stdio: "pipe" });
      const listing = fixture("..", "test", "support", "listing.py");
      const theirs = execFileSync("python3", [listing, "tree", join(folder, "tree")], { encoding: "utf8" });
      const rows = theirs
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as Record<string, unknown>);
      const ours = new Map((await walked(await opened(await image(name)))).map((entry) => [entry.path, entry]));
      // Devices it does not extract everywhere.
      const paths = [...ours.values()].filter(({ type }) => !type.endsWith("device")).map(({ path }) => path);
      expect(rows.map(({ path }) => path).sort()).toEqual(paths.sort());
      for (const row of rows) {
        const { type, mode, uid, gid, ...entry } = ours.get(String(row["path"])) as Entry;
        // xorriso does not inflate.
        const size = "size" in entry && entry.path !== "packed" ? { size: entry.size } : {};
        const target = "target" in entry ? { target: entry.target } : {};
        expect(row).toMatchObject({ path: entry.path, type, mode, uid, gid, ...size, ...target });
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describeWith({ tools: ["xz", "gzip", "bzip2"], corpus: "disk/made" }, "ISO images of others", () => {
  it.each(["iso-rr", "iso-gen"])("reads %s as the tree that it was made from", async (name) => {
    await using source = FileSource.open(await unpacked(corpus("disk", "made", "fs", `${name}.img.xz`)));
    await using fileSystem = await format.open(source, ctx);
    // Rock Ridge has whole seconds, and numbers of its own for inodes.
    const found = await differences(fileSystem, corpus("disk", "made", "truth", `${name}.ndjson.gz`), {
      ignore: ["ino", "mtimeNs"],
    });
    expect(found).toEqual([]);
  });

  it.each([
    ["disk/container/cot/input.iso.gz", ["", "IOSXR_CONFIG.TXT", "IOSXR_CONFIG_ADMIN.TXT"], 3],
    ["disk/container/govmomi/ttylinux-pc_i486-16.1.iso.gz", ["", "AUTHORS", "COPYING", "LABEL"], 63],
    ["disk/ident/e2fsprogs-blkid/iso.img.bz2", [""], 1],
    ["disk/ident/util-linux/images-fs/iso.img.xz", ["", "V2.13_", "V2.14_", "V2.15_", "V2.16_"], 5],
    ["disk/ident/util-linux/images-fs/iso-joliet.img.xz", ["", "v2.13-ReleaseNotes"], 5],
    ["disk/ident/util-linux/images-fs/iso-rr-joliet.img.xz", ["", "v2.13-ReleaseNotes"], 5],
    ["disk/ident/util-linux/images-fs/iso-different-iso-joliet-label.img.xz", [""], 1],
    ["disk/ident/util-linux/images-fs/iso-multi-0-174-348-genisoimage.img.xz", [""], 1],
    ["disk/ident/util-linux/images-fs/iso-unicode-long-label.img.xz", [""], 1],
    ["disk/misc/dfvfs/iso9660.raw.gz", ["", "A_DIRECTORY", "A_DIRECTORY/ANOTHER_FILE", "A_DIRECTORY/A_FILE"], 6],
    ["disk/misc/sleuthkit/image.iso.gz", ["", "A_DIRECT", "A_DIRECT/ANOTHER_", "A_DIRECT/A_FILE"], 6],
  ])("lists %s", async (path, first, count) => {
    await using source = FileSource.open(await unpacked(corpus(path)));
    await using fileSystem = await format.open(source, ctx);
    const all = await walked(fileSystem);
    expect(all.map((entry) => entry.path).slice(0, first.length)).toEqual(first);
    expect(all).toHaveLength(count);
    const { LABEL, UUID } = blkid(await unpacked(corpus(path)));
    expect([fileSystem.label, fileSystem.uuid]).toEqual([LABEL, UUID]);
  });

  it("says that an image is cut off", async () => {
    await using source = FileSource.open(await unpacked(corpus("disk", "iso", "util-linux-sample.iso.gz")));
    await expect(format.open(source, ctx)).rejects.toMatchObject({ code: "BYTES_TRUNCATED" });
    // The real image has 1 MiB of 7.
    const tty = "disk/container/govmomi/ttylinux-pc_i486-16.1.iso.gz";
    await using cut = FileSource.open(await unpacked(corpus(tty)));
    await using fileSystem = await format.open(cut, ctx);
    const { size, content } = { size: cut.size, content: fileSystem.content(await file(fileSystem, "boot/vmlinuz")) };
    expect(size).toBeLessThan(fileSystem.size);
    await expect(readAll(content, 16 << 20)).rejects.toMatchObject({ code: "BYTES_TRUNCATED" });
  });
});

function blkid(path: string): Record<string, string | undefined> {
  const shown = execFileSync("blkid", ["-p", "-o", "export", path], { encoding: "utf8" });
  const unescaped = shown.replaceAll("\\ ", " ").replaceAll("M-CM-/", "ï");
  return Object.fromEntries(unescaped.split("\n").map((line) => line.split(/=(.*)/).slice(0, 2)));
}

const SELF = [SUSP_BEGIN, attributes(0o040755)];
const FILE = attributes(0o100644);

/** What becomes of walking a disc and reading every file. */
async function outcome(bytes: Uint8Array, limits = DEFAULT_LIMITS): Promise<string> {
  const codes: string[] = [];
  try {
    const fileSystem = await opened(bytes, createContext({ limits, diagnostic: ({ code }) => codes.push(code) }));
    for (const entry of await walked(fileSystem)) {
      if (entry.type === "file") await readAll(fileSystem.content(entry), 64 << 20);
    }
    return ["read", ...codes].join(" ");
  } catch (error) {
    if (error instanceof ConverterError) return error.code;
    throw error;
  }
}

describe("a disc that is built by hand", () => {
  it("has files in several extents, together or apart", async () => {
    const part = (name: string, block: number, size: number, last = false) => ({
      name,
      block,
      size,
      flags: last ? 0 : 0x80,
    });
    const disc = built({
      [ROOT_BLOCK]: directory(ROOT_BLOCK, [
        part("APART.;1", 30, 2048),
        part("APART.;1", 40, 2048),
        part("APART.;1", 35, 5, true),
        part("TOGETHER.;1", 30, 4096),
        part("TOGETHER.;1", 32, 3, true),
      ]),
      30: Buffer.alloc(2048, "a"),
      31: Buffer.alloc(2048, "b"),
      32: Buffer.from("ccc"),
      35: Buffer.from("eeeee"),
      40: Buffer.alloc(2048, "d"),
    });
    const fileSystem = await opened(disc);
    expect(await text(fileSystem, "APART")).toBe(`${"a".repeat(2048)}${"d".repeat(2048)}eeeee`);
    expect(await text(fileSystem, "TOGETHER")).toBe(`${"a".repeat(2048)}${"b".repeat(2048)}ccc`);
    const kinds: number[] = [];
    for await (const { length } of extents(fileSystem.content(await file(fileSystem, "APART")))) kinds.push(length);
    expect(kinds).toEqual([2048, 2048, 5]);
  });

  it("joins names and targets that are continued", async () => {
    const more = [field("NM", 0, ...Buffer.from("rest")), field("SL", 0, 0, 3, ...Buffer.from("nd/"))];
    const area = Buffer.concat(more);
    const fields = [
      attributes(0o120777),
      field("NM", 1, ...Buffer.from("the ")),
      field("SL", 1, 8, 0, 4, 0, 1, 1, ...Buffer.from("e")),
      continued(50, 7, area.length),
    ];
    const block = Buffer.concat([Buffer.alloc(7), area]);
    const disc = built({ [ROOT_BLOCK]: directory(ROOT_BLOCK, [{ name: "X.;1", fields }], SELF), 50: block });
    expect(await (await opened(disc)).lookup("the rest")).toMatchObject({ type: "symlink", target: "/../end/" });
  });

  it("hides associated files and tells times in zones", async () => {
    const times = field("TF", 0x82, ...Buffer.from("2024010112000050"), 4);
    const disc = built({
      [ROOT_BLOCK]: directory(
        ROOT_BLOCK,
        [
          { name: "A.;1", flags: 4 },
          { name: "A.;1", fields: [times, FILE] },
          { name: "B.;1", fields: [FILE] },
        ],
        SELF,
      ),
    });
    const fileSystem = await opened(disc);
    expect((await walked(fileSystem)).map(({ path }) => path)).toEqual(["", "A", "B"]);
    expect((await file(fileSystem, "A")).mtime).toEqual({ seconds: NOON - 3600, nanoseconds: 500_000_000 });
    expect((await file(fileSystem, "B")).mtime).toEqual({ seconds: NOON - 3600, nanoseconds: 0 });
  });

  const root = (...records: Parameters<typeof directory>[1]) => ({
    [ROOT_BLOCK]: directory(ROOT_BLOCK, records, SELF),
  });
  const one = (...fields: Uint8Array[]) => root({ name: "X.;1", block: 30, size: 5, fields });
  const zisofs = (size: number, algorithm = "pz") => field("ZF", ...Buffer.from(algorithm), 4, 15, ...both(size));
  const zisofsHeader = (size: number, ...pointers: number[]) =>
    Buffer.concat([
      Buffer.from([0x37, 0xe4, 0x53, 0x96, 0xc9, 0xdb, 0xd6, 0x07]),
      Uint8Array.from([...both(size).slice(0, 4), 4, 15, 0, 0, ...pointers.flatMap((at) => both(at).slice(0, 4))]),
    ]);

  it.each<[code: string, what: string, blocks: Record<number, Uint8Array>]>([
    ["read", "all is well", one(FILE)],
    ["read", "fields end in padding", one(FILE, Uint8Array.of(0, 0, 0, 0))],
    ["read ISO_NAME_TWICE", "a name stands twice", root({ name: "A.;1" }, { name: "A.;1" })],
    ["read ISO_UDF", "there is UDF as well", { ...one(FILE), 18: Buffer.from("\0BEA01"), 19: Buffer.from("\0NSR02") }],
    ["BYTES_TRUNCATED", "a file lies outside", root({ name: "X.;1", block: 63, size: 4096, fields: [FILE] })],
    ["BYTES_TRUNCATED", "a directory lies outside", root({ name: "D", block: 64, size: 2048, flags: 2 })],
    ["ISO_COMPRESSION", "a file is compressed by another algorithm", one(FILE, zisofs(5, "PZ"))],
    ["ISO_COMPRESSED_FILE", "a compressed file has no header", one(FILE, zisofs(5))],
    ["ISO_COMPRESSED_FILE", "a compressed file has no data", root({ name: "X.;1", fields: [FILE, zisofs(5)] })],
    [
      "ISO_COMPRESSED_FILE",
      "a compressed file has another size",
      { ...root({ name: "X.;1", block: 30, size: 40, fields: [FILE, zisofs(5)] }), 30: zisofsHeader(6, 24, 40) },
    ],
    [
      "ISO_COMPRESSED_FILE",
      "a block of a compressed file lies outside",
      { ...root({ name: "X.;1", block: 30, size: 40, fields: [FILE, zisofs(5)] }), 30: zisofsHeader(5, 24, 41) },
    ],
    [
      "ISO_COMPRESSED_FILE",
      "a block does not inflate",
      { ...root({ name: "X.;1", block: 30, size: 40, fields: [FILE, zisofs(5)] }), 30: zisofsHeader(5, 24, 40) },
    ],
    [
      "ISO_CONTINUATION",
      "fields continue in themselves",
      { ...one(FILE, continued(50, 0, 28)), 50: continued(50, 0, 28) },
    ],
    ["ISO_ROCK_RIDGE", "fields continue beyond a block", one(FILE, continued(50, 2040, 28))],
    ["ISO_ROCK_RIDGE", "a file has a directory's mode", one(attributes(0o040755))],
    ["ISO_ROCK_RIDGE", "a symlink has no target", one(attributes(0o120777))],
    ["ISO_ROCK_RIDGE", "a field is short", one(field("PX", 1))],
    ["ISO_ROCK_RIDGE", "a component leaves its field", one(field("SL", 0, 0, 9, 1))],
    ["ISO_ROCK_RIDGE", "a component names a host", one(field("SL", 0, 0x20, 0))],
    ["ISO_ROCK_RIDGE", "times are short", one(field("TF", 2, 1, 1))],
    [
      "ISO_ROCK_RIDGE",
      "a name is long",
      {
        ...one(field("NM", 1, ...Buffer.alloc(100, "n")), continued(50, 0, 220)),
        50: field("NM", 0, ...Buffer.alloc(215, "n")),
      },
    ],
    ["ISO_SPARSE", "a file is sparse", one(FILE, field("SF", ...both(0), ...both(5), 1))],
    [
      "ISO_INTERLEAVED",
      "a file is interleaved",
      root({ name: "X.;1", block: 30, size: 5, interleaved: true, fields: [FILE] }),
    ],
    ["ISO_NAME", "a name has a slash", one(field("NM", 0, ...Buffer.from("../x")), FILE)],
    ["ISO_NAME", "a name is empty", one(field("NM", 0), FILE)],
    ["ISO_DIRECTORY", "a directory does not begin with itself", root({ name: "D", block: 40, size: 2048, flags: 2 })],
    ["ISO_DIRECTORY", "a directory has no bytes", root({ name: "D", block: 40, flags: 2 })],
    ["ISO_DIRECTORY", "a file's last part is missing", root({ name: "X.;1", flags: 0x80 })],
    ["ISO_DIRECTORY", "a file's parts have two names", root({ name: "X.;1", flags: 0x80 }, { name: "Y.;1" })],
    [
      "ISO_DIRECTORY_LOOP",
      "a directory holds its parent",
      root({ name: "D", block: ROOT_BLOCK, size: 2048, flags: 2 }),
    ],
    ["ISO_DIRECTORY_LOOP", "a relocated one does", root({ name: "D", fields: [field("CL", ...both(ROOT_BLOCK))] })],
    [
      "ISO_DIRECTORY_TOO_LARGE",
      "a directory is larger than the disc",
      root({ name: "D", block: 30, size: 1 << 30, flags: 2 }),
    ],
  ])("ends with %s where %s", async (code, _what, blocks) => {
    expect(await outcome(built(blocks))).toBe(code);
  });

  it("needs a primary descriptor with blocks of a known size", async () => {
    const disc = built(one(FILE));
    disc.writeUInt16LE(4096, 16 * 2048 + 128);
    expect(await outcome(disc)).toBe("ISO_DESCRIPTOR");
    disc[16 * 2048] = 0;
    expect(await outcome(disc)).toBe("ISO_DESCRIPTOR");
  });

  it("needs records that fit", async () => {
    const disc = built(one(FILE));
    disc[ROOT_BLOCK * 2048 + 32] = 200;
    expect(await outcome(disc)).toBe("ISO_DIRECTORY");
  });

  it("keeps to the limits", async () => {
    const disc = await image("joliet");
    expect(await outcome(disc, { ...DEFAULT_LIMITS, depth: 1 })).toBe("ISO_TOO_DEEP");
    expect(await outcome(disc, { ...DEFAULT_LIMITS, entries: 20 })).toBe("ISO_TOO_MANY_ENTRIES");
    expect(await outcome(disc, { ...DEFAULT_LIMITS, tableBytes: 1024 })).toBe("ISO_DIRECTORY_TOO_LARGE");
  });

  it("stops when it is asked to", async () => {
    const controller = new AbortController();
    const fileSystem = await opened(await image("plain"), createContext({ signal: controller.signal }));
    controller.abort();
    await expect(walked(fileSystem)).rejects.toThrow("abort");
  });
});

const FUZZED = 1500;

describe("mutated discs", () => {
  it(`end in a listing or a ConverterError, ${FUZZED} of them`, { timeout: 120_000 }, async () => {
    const sound = await Promise.all(NAMES.map(image));
    const mutation = fc.record({
      which: fc.nat(NAMES.length - 1),
      // Descriptors and directories lie in front of the content.
      changes: fc.array(fc.tuple(fc.integer({ min: 0x8000, max: 0x1f000 }), fc.nat(255)), {
        minLength: 1,
        maxLength: 12,
      }),
    });
    const outcomes = await fuzz("iso9660", FUZZED, mutation, async ({ which, changes }) => {
      const bytes = Buffer.from(sound[which] ?? []);
      for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
      await readEverything(await opened(bytes));
    });
    // The mutations reach more than the first check.
    expect(outcomes.size).toBeGreaterThan(5);
  });
});
