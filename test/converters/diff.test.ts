import { randomUUID } from "node:crypto";
import {
  closeSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { convert, copy } from "../../converters/convert.ts";
import { type DiskDifference, diffDisks } from "../../converters/diff/disks.ts";
import { diffFiles, type FileDifference, type FileDiffOptions } from "../../converters/diff/files.ts";
import { openFilesAt } from "../../converters/files.ts";
import { encodeTarHeader, paddingOf, type TarHeaderFields } from "../../src/archive/tar-encode.ts";
import { bytePath } from "../../src/bytes/byte-path.ts";
import { sha256 } from "../../src/bytes/digest.ts";
import { createContext } from "../../src/context.ts";
import { imageConfig } from "../../src/oci/image-config.ts";
import { imageManifest } from "../../src/oci/manifest.ts";
import { MEDIA_TYPES } from "../../src/oci/media-types.ts";
import { transports } from "../../src/transport/index.ts";
import { fixture } from "../support/needs.ts";
import { pieces } from "../transport/sample-image.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "transload-diff-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const ctx = () => createContext({ tmp: folder });

type Member = Partial<TarHeaderFields> & { readonly body?: string | Uint8Array };

function member(name: string, { body = "", ...fields }: Member): Buffer {
  const bytes = Buffer.from(body);
  const mtime = { seconds: 1_600_000_000, nanoseconds: 5 };
  const header = { name, type: "0", mode: 0o644, uid: 0, gid: 0, size: bytes.length, mtime, ...fields } as const;
  return Buffer.concat([encodeTarHeader(header), bytes, Buffer.alloc(paddingOf(bytes.length))]);
}

/** An image of one layer with these files. */
async function image(name: string, files: Readonly<Record<string, Member>>): Promise<string> {
  const tar = Buffer.concat([
    ...Object.entries(files).map(([path, fields]) => member(path, fields)),
    Buffer.alloc(1024),
  ]);
  const transport = await transports.byName("oci")?.load();
  await using to = await transport?.openDestination(`${join(folder, "images")}:${name}`, { force: true }, ctx());
  if (to === undefined) throw new Error("oci");
  const layers = [await to.putBlob(pieces(tar), { mediaType: MEDIA_TYPES.layer })];
  const platform = { os: "linux", architecture: "amd64" };
  const fields = imageConfig({ platform, execution: {}, diffIds: [sha256(tar)], history: [] });
  const config = await to.putBlob(pieces(fields), { mediaType: MEDIA_TYPES.config });
  await to.putManifest(imageManifest({ mediaType: MEDIA_TYPES.manifest, config, layers }), MEDIA_TYPES.manifest);
  await to.commit();
  return `oci:${join(folder, "images")}:${name}`;
}

async function diff(a: string, b: string, options: FileDiffOptions = {}) {
  const found: FileDifference[] = [];
  const summary = await diffFiles(a, b, options, (difference) => void found.push(difference), ctx());
  const lines = found.map((each) => {
    if (each.change !== "changed") return `${each.change} ${each.path}`;
    return `${each.path}: ${each.aspects.map(({ aspect, a, b }) => `${aspect} ${a} ${b}`).join(", ")}`;
  });
  return { lines, summary };
}

const DIRECTORY = { type: "5", mode: 0o755 } as const;
const SYMLINK = { type: "2", mode: 0o777 } as const;
const DEVICE = { type: "3", major: 1 } as const;

const BASE: Readonly<Record<string, Member>> = {
  "./": DIRECTORY,
  "d/": DIRECTORY,
  "d/x": { body: "same" },
  "d-e": { body: "sorted between d/x and e" },
  e: { body: "one" },
  s: { ...SYMLINK, linkName: "d" },
  n: { ...DEVICE, minor: 3 },
  l1: { body: "linked" },
  l2: { type: "1", linkName: "l1" },
};

describe("two images", () => {
  it("are the same wherever they are", async () => {
    const a = await image("a", BASE);
    const b = `docker-archive:${join(folder, "b.tar")}`;
    await copy({ source: a, destination: `${b}:b:1` }, ctx());
    expect(await diff(a, b)).toEqual({ lines: [], summary: { same: 9, onlyA: 0, onlyB: 0, changed: 0 } });
  });

  it.each<[string, Readonly<Record<string, Member>>, readonly string[]]>([
    [
      "content",
      { e: { body: "two" } },
      [`e: sha256 ${sha256(Buffer.from("one")).slice(7)} ${sha256(Buffer.from("two")).slice(7)}`],
    ],
    ["content", { e: { body: "four" } }, ["e: size 3 4"]],
    ["mode", { e: { body: "one", mode: 0o4600 } }, ["e: mode 0644 4600"]],
    ["owner", { e: { body: "one", uid: 5, gid: 6 } }, ["e: uid 0 5, gid 0 6"]],
    [
      "mtime",
      { e: { body: "one", mtime: { seconds: 7, nanoseconds: 8 } } },
      ["e: mtime 1600000000.000000005 7.000000008"],
    ],
    ["xattrs", { e: { body: "one", xattrs: new Map([["user.a", Buffer.from("b")]]) } }, ["e: xattr user.a null Yg=="]],
    ["links", { l2: { body: "linked" } }, ["l2: link l1 null"]],
    ["content", { s: { ...SYMLINK, linkName: "e" } }, ["s: target d e"]],
    ["content", { n: { ...DEVICE, minor: 4 } }, ["n: device 1:3 1:4"]],
  ])("differ in %s", async (aspect, changes, expected) => {
    const a = await image("a", BASE);
    const b = await image("b", { ...BASE, ...changes });
    // Two numbers in one device or one target count always: they are what the entry is.
    const ignored = ["s", "n"].some((name) => name in changes) ? expected : [];
    expect((await diff(a, b)).lines).toEqual(expected);
    expect((await diff(a, b, { ignore: [aspect] as never })).lines).toEqual(ignored);
  });

  it("differ in type, and in what only one has", async () => {
    const a = await image("a", BASE);
    const { "d/x": _, ...rest } = BASE;
    const b = await image("b", { ...rest, "d/y": {}, e: { ...DIRECTORY }, z: {} });
    expect(await diff(a, b)).toEqual({
      lines: ["only-a d/x", "only-b d/y", "e: type file directory, mode 0644 0755", "only-b z"],
      summary: { same: 7, onlyA: 1, onlyB: 2, changed: 1 },
    });
    expect((await diff(a, b, { exclude: ["/d", "z", "/e"] })).lines).toEqual([]);
  });

  it("are compared by every path, in the order of the walk", async () => {
    const name = fc.constantFrom("a", "a-", "a0", "b", "\x7f");
    const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join("/"));
    const files = fc.dictionary(path, fc.constantFrom("1", "2", "22"), { maxKeys: 8 });
    await fc.assert(
      fc.asyncProperty(files, files, async (one, other) => {
        const isFree = (all: object, at: string) => !Object.keys(all).some((path) => path.startsWith(`${at}/`));
        const sides = [one, other].map((all) => new Map(Object.entries(all).filter(([at]) => isFree(all, at))));
        const [left = new Map<string, string>(), right = new Map<string, string>()] = sides;
        const members = (side: ReadonlyMap<string, string>) =>
          Object.fromEntries([["./", DIRECTORY], ...[...side].map(([at, body]) => [at, { body }])]);
        const found = await diff(await image("a", members(left)), await image("b", members(right)), {
          ignore: ["mtime"],
        });
        const isFile = (line: string) => [left, right].some((side) => side.has(line.replace(/^only-[ab] |: .*$/g, "")));
        const expected = [...new Set([...left.keys(), ...right.keys()])].filter((at) => left.get(at) !== right.get(at));
        expect(found.lines.filter(isFile).length).toBe(expected.length);
      }),
      { numRuns: 15 },
    );
  });
});

describe("a machine and the image made of it", () => {
  it("differ in what the conversion says", async () => {
    const machine = fixture("appliances", "hello", "hello.ova");
    const destination = `oci:${join(folder, "images")}:hello`;
    const { excluded } = await convert({ source: machine, destination, profile: "full", keepSecrets: true }, ctx());
    const { lines, summary } = await diff(machine, destination);
    expect(lines.filter((line) => line.startsWith("only-a")).length).toBe(excluded?.files ?? 0);
    expect(summary.same).toBeGreaterThan(20);
    expect((await diff(machine, machine)).summary).toMatchObject({ onlyA: 0, onlyB: 0, changed: 0 });
  });
});

describe("disks", () => {
  const size = 9 << 20;
  function disk(name: string, length: number, ...writes: readonly (readonly [offset: number, text: string])[]): string {
    const path = join(folder, name);
    const fd = openSync(path, "w");
    ftruncateSync(fd, length);
    for (const [offset, text] of writes) writeSync(fd, text, offset);
    closeSync(fd);
    return `raw:${path}`;
  }

  it.each<[string, number, readonly (readonly [number, string])[], object | undefined]>([
    ["the same", size, [[5000, "x"]], undefined],
    [
      "other bytes",
      size,
      [
        [5000, "y"],
        [size - 1, "z"],
      ],
      { firstOffset: 5000, differing: 2 * 4096 },
    ],
    ["another size", size + 512, [[5000, "x"]], { sizeB: size + 512, firstOffset: undefined, differing: 0 }],
  ])("have %s", async (_, length, writes, expected) => {
    const found: DiskDifference[] = [];
    const [a, b] = [disk("a.img", size, [5000, "x"]), disk("b.img", length, ...writes)];
    const summary = await diffDisks(a, b, {}, (difference) => void found.push(difference), ctx());
    expect(summary).toEqual(expected === undefined ? { same: 1, different: 0 } : { same: 0, different: 1 });
    expect(found).toMatchObject(expected === undefined ? [] : [{ device: "sda", sizeA: size, ...expected }]);
  });

  it("are not those of an image of files", async () => {
    const files = await image("a", BASE);
    await expect(diffDisks(files, files, {}, () => undefined, ctx())).rejects.toMatchObject({ code: "DIFF_NO_DISK" });
  });
});

describe("an image of a package", () => {
  const machine = fixture("appliances", "hello", "hello.ova");
  const at = (name: string) => join(folder, name);

  async function pack(source: string): Promise<string> {
    const destination = `oci:${at("packages")}:${randomUUID()}`;
    await convert({ source, destination, as: "package" }, ctx());
    return destination;
  }

  it.each<[string, () => Promise<string>]>([
    ["an archive", () => pack(machine)],
    [
      "a compressed archive",
      async () => {
        writeFileSync(at("hello.ova.gz"), gzipSync(readFileSync(machine)));
        return await pack(at("hello.ova.gz"));
      },
    ],
    [
      "a folder",
      async () => {
        await convert({ source: await pack(machine), destination: `ovf:${at("hello")}` }, ctx());
        return await pack(`ovf:${at("hello")}`);
      },
    ],
    [
      "a file",
      async () => {
        await convert({ source: machine, destination: `oci:${at("disk")}:a`, as: "disk" }, ctx());
        await convert({ source: `oci:${at("disk")}:a`, destination: `raw:${at("hello.img")}` }, ctx());
        return await pack(`raw:${at("hello.img")}`);
      },
    ],
  ])("is its machine: %s", async (_, make) => {
    const made = await make();
    expect((await diff(machine, made)).lines).toEqual([]);
    const found: DiskDifference[] = [];
    const summary = await diffDisks(made, machine, {}, (difference) => void found.push(difference), ctx());
    expect({ found, summary }).toEqual({ found: [], summary: { same: 1, different: 0 } });
  });
});

describe("an image of a disk", () => {
  const machine = fixture("appliances", "hello", "hello.ova");
  const PASSWD = bytePath("etc/passwd");

  async function diskImage(source: string, name: string): Promise<string> {
    const destination = `${name.endsWith(".tar") ? "oci-archive" : "oci"}:${join(folder, name)}:hello`;
    await convert({ source, destination, as: "disk" }, ctx());
    return destination;
  }

  /** The machine's disk with another letter in a file, as a raw image. */
  async function changedDisk(): Promise<{ readonly path: string; readonly offset: number }> {
    const path = join(folder, "changed.img");
    await using files = await openFilesAt(machine, {}, ctx());
    const entry = await files.tree.lookup(PASSWD);
    if (entry?.type !== "file") throw new Error("no such file");
    const parts: Uint8Array[] = [];
    for await (const chunk of files.content(entry)) if (chunk.kind === "data") parts.push(chunk.bytes);
    await convert({ source: await diskImage(machine, "plain"), destination: `raw:${path}` }, ctx());
    const bytes = readFileSync(path);
    const offset = bytes.indexOf(Buffer.concat(parts));
    if (offset < 0) throw new Error("the file is not in one piece");
    bytes[offset] = (bytes[offset] ?? 0) ^ 1;
    writeFileSync(path, bytes);
    return { path, offset };
  }

  async function bytesDiff(a: string, b: string, notes: string[] = []) {
    const found: DiskDifference[] = [];
    const context = createContext({ tmp: folder, diagnostic: ({ code }) => void notes.push(code) });
    const summary = await diffDisks(a, b, {}, (difference) => void found.push(difference), context);
    return { found, summary };
  }

  it.each(["layout", "archive.tar"])("is its machine, in files and in bytes: %s", async (name) => {
    const made = await diskImage(machine, name);
    const { lines, summary } = await diff(machine, made);
    expect(lines).toEqual([]);
    expect(summary.same).toBeGreaterThan(20);
    const notes: string[] = [];
    expect(await bytesDiff(made, machine, notes)).toEqual({ found: [], summary: { same: 1, different: 0 } });
    expect(notes).toContain("DIFF_SPOOLED");
    expect((await diff(made, made)).lines).toEqual([]);
  });

  it("differs where its disk does", async () => {
    const { path, offset } = await changedDisk();
    const made = await diskImage(`raw:${path}`, "changed");
    const { lines, summary } = await diff(machine, made);
    expect(lines).toEqual([expect.stringMatching(/^etc\/passwd: sha256 /)]);
    expect(summary).toMatchObject({ onlyA: 0, onlyB: 0, changed: 1 });
    const { found } = await bytesDiff(machine, made);
    expect(found).toMatchObject([{ device: "sda", firstOffset: offset, differing: 4096 }]);
    expect((await bytesDiff(`raw:${path}`, made)).found).toEqual([]);
  });

  it("is closed where its disk shows no machine", async () => {
    const path = join(folder, "blank.img");
    writeFileSync(path, new Uint8Array(1 << 20));
    const made = await diskImage(`raw:${path}`, "blank");
    await expect(diff(made, machine)).rejects.toMatchObject({ code: "MACHINE_ROOT_MISSING" });
    expect((await bytesDiff(made, `raw:${path}`)).found).toEqual([]);
  });
});
