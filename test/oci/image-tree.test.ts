import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeTarHeader, paddingOf, type TarHeaderFields } from "../../src/archive/tar-encode.ts";
import type { Digest } from "../../src/bytes/digest.ts";
import type { FileEntry } from "../../src/bytes/entry.ts";
import { createContext, DEFAULT_LIMITS } from "../../src/context.ts";
import { ConverterError } from "../../src/errors.ts";
import { type ImageTree, openImageTree } from "../../src/oci/image-tree.ts";
import { describeWith } from "../support/needs.ts";
import { inPieces } from "./layer-items.ts";
import { listTree, treeOf, unpackWithUmoci } from "./tree-listing.ts";

const TIME = { seconds: 1_600_000_000, nanoseconds: 5 };
const END = Buffer.alloc(1024);

function member(name: string, fields: Partial<TarHeaderFields> = {}, body: Uint8Array | string = ""): Buffer {
  const bytes = Buffer.from(body);
  const header = { name, type: "0", mode: 0o644, uid: 0, gid: 0, size: bytes.length, mtime: TIME, ...fields } as const;
  return Buffer.concat([encodeTarHeader(header), bytes, Buffer.alloc(paddingOf(bytes.length))]);
}

const file = (name: string, body: Uint8Array | string = name, fields: Partial<TarHeaderFields> = {}) =>
  member(name, fields, body);
const dir = (name: string, fields: Partial<TarHeaderFields> = {}) =>
  member(`${name}/`, { type: "5", mode: 0o755, ...fields });
const hardLink = (name: string, linkName: string, fields: Partial<TarHeaderFields> = {}) =>
  member(name, { type: "1", linkName, ...fields });
const symlink = (name: string, linkName: string) => member(name, { type: "2", mode: 0o644, linkName });
const layer = (...members: Buffer[]) => Buffer.concat([...members, END]);

/** `path` for a directory, `path=content` for a file, `path -> target` for a symlink; ` xN` for hard links. */
async function shown(tree: ImageTree): Promise<string[]> {
  const lines: string[] = [];
  for (const entry of tree.walk()) {
    const links = entry.links > 1 ? ` x${entry.links}` : "";
    if (entry.type === "file") lines.push(`${entry.path}=${await text(tree, entry)}${links}`);
    else if (entry.type === "symlink") lines.push(`${entry.path} -> ${entry.target}${links}`);
    else lines.push(`${entry.path}${links}`);
  }
  return lines.slice(1);
}

async function text(tree: ImageTree, entry: FileEntry): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const chunk of tree.content(entry)) {
    parts.push(chunk.kind === "data" ? Uint8Array.from(chunk.bytes) : new Uint8Array(chunk.length));
  }
  return Buffer.concat(parts).toString("latin1");
}

describe("layers laid over each other", () => {
  it.each<[string, readonly Buffer[], readonly string[]]>([
    ["later files over earlier ones", [layer(file("a", "1")), layer(file("a", "22"))], ["a=22"]],
    ["a whiteout", [layer(dir("d"), file("d/a"), file("d/b")), layer(file("d/.wh.a"))], ["d", "d/b=d/b"]],
    ["a whiteout of a directory", [layer(dir("d"), file("d/a"), file("e")), layer(file(".wh.d"))], ["e=e"]],
    ["a whiteout, then the file", [layer(file("a", "1")), layer(file(".wh.a"), file("a", "2"))], ["a=2"]],
    ["the file, then a whiteout", [layer(file("a", "1")), layer(file("a", "2"), file(".wh.a"))], ["a=2"]],
    ["a whiteout of nothing", [layer(file("a")), layer(file(".wh.b"), file("c/.wh.d"))], ["a=a"]],
    [
      "a directory that is new and a whiteout of the old one",
      [layer(dir("d"), file("d/a"), dir("d/s"), file("d/s/b")), layer(dir("d"), file("d/s/c"), file(".wh.d"))],
      ["d", "d/s", "d/s/c=d/s/c"],
    ],
    [
      "an opaque directory, wherever it says so",
      [
        layer(dir("d"), file("d/a"), dir("d/s"), file("d/s/b"), dir("e"), file("e/a")),
        layer(dir("d"), file("d/new"), file("d/.wh..wh..opq"), file("e/.wh..wh..opq"), file("e/new")),
      ],
      ["d", "d/new=d/new", "e", "e/new=e/new"],
    ],
    ["an opaque root", [layer(file("a")), layer(file(".wh..wh..opq"), file("b"))], ["b=b"]],
    ["a directory in place of a file", [layer(file("a")), layer(dir("a"), file("a/b"))], ["a", "a/b=a/b"]],
    ["a file in place of a directory", [layer(dir("a"), file("a/b")), layer(file("a", "1"))], ["a=1"]],
    ["a directory in place of a symlink", [layer(dir("t"), symlink("s", "t")), layer(dir("s"))], ["s", "t"]],
    ["a directory that is named again", [layer(dir("a"), file("a/b")), layer(dir("a"))], ["a", "a/b=a/b"]],
    ["the later of two entries", [layer(file("a", "1"), file("./a", "2"), dir("d"), dir("./d"))], ["a=2", "d"]],
    ["directories that nobody names", [layer(file("a/b/c", "1"))], ["a", "a/b", "a/b/c=1"]],
    ["a directory that nobody names over a file", [layer(file("a")), layer(file("a/b", "1"))], ["a", "a/b=1"]],
    [
      "files through symlinks",
      [
        layer(dir("usr"), dir("usr/lib"), symlink("lib", "/usr/lib"), symlink("up", "usr/../../../usr")),
        layer(file("lib/a", "1"), file("up/b", "2"), file("lib/.wh.nothing")),
      ],
      ["lib -> /usr/lib", "up -> usr/../../../usr", "usr", "usr/b=2", "usr/lib", "usr/lib/a=1"],
    ],
    ["files through symlinks to nothing", [layer(symlink("s", "t"), file("s/a", "1"))], ["s -> t", "t", "t/a=1"]],
    [
      "hard links across layers",
      [layer(file("a", "1"), file("b", "2")), layer(hardLink("c", "a")), layer(file(".wh.a"), hardLink("d", "/./c"))],
      ["b=2", "c=1 x2", "d=1 x2"],
    ],
    ["hard links that part", [layer(file("a", "1"), hardLink("b", "a")), layer(file("a", "2"))], ["a=2", "b=1"]],
    [
      "hard links through a symlink",
      [layer(dir("d"), file("d/a", "1"), symlink("s", "d"), hardLink("b", "s/a"))],
      ["b=1 x2", "d", "d/a=1 x2", "s -> d"],
    ],
    ["hard links to symlinks", [layer(symlink("s", "x"), hardLink("t", "s"))], ["s -> x x2", "t -> x x2"]],
  ])("hold %s", async (_, layers, expected) => {
    expect(await shown(await treeOf(layers))).toEqual(expected);
  });

  it("let a later link's attributes go to the file, and keep its xattrs where the link has none", async () => {
    const xattrs = new Map([["security.capability", Buffer.from([1, 0, 0, 2, 255])]]);
    const own = { mode: 0o600, uid: 5, gid: 4_294_967_294, mtime: { seconds: 7, nanoseconds: 9 } };
    const tree = await treeOf([layer(file("a", "1", { mode: 0o4755, xattrs })), layer(hardLink("b", "a", own))]);
    const expected = { ...own, xattrs, links: 2, size: 1 };
    expect(tree.lookup("a")).toMatchObject(expected);
    expect(tree.lookup("b")).toMatchObject({ ...expected, inode: tree.lookup("a")?.inode });
    const more = new Map([["user.a", Buffer.from("b")]]);
    const both = await treeOf([layer(file("a", "1", { xattrs }), hardLink("b", "a", { xattrs: more }))]);
    expect(both.lookup("a")?.xattrs).toEqual(new Map([...xattrs, ...more]));
  });

  it("give the root its own attributes, or those of a root that nobody names", async () => {
    const named = await treeOf([layer(file("a")), layer(dir(".", { mode: 0o711, uid: 3 }))]);
    expect(named.lookup("")).toMatchObject({ type: "directory", mode: 0o711, uid: 3, mtime: TIME });
    const unnamed = await treeOf([layer(file("a/b"))]);
    expect(unnamed.lookup("")).toMatchObject({ mode: 0o755, uid: 0, mtime: TIME });
    expect(unnamed.lookup("a")).toMatchObject({ mode: 0o755, uid: 0, mtime: TIME });
    expect((await treeOf([])).lookup("")).toMatchObject({ type: "directory", inode: 1 });
  });

  it("keep equal attributes once", async () => {
    const xattrs = () => new Map([["security.selinux", Buffer.from("system_u:object_r:etc_t:s0\0")]]);
    const tree = await treeOf([layer(file("a", "1", { xattrs: xattrs() }), file("b", "1", { xattrs: xattrs() }))]);
    expect(tree.lookup("a")?.xattrs).toBe(tree.lookup("b")?.xattrs);
  });

  it.each<[string, readonly Buffer[], string]>([
    ["a link to nothing", [layer(hardLink("b", "a"))], "LAYER_LINK_TARGET"],
    ["a link to what was hidden", [layer(file("a")), layer(file(".wh.a"), hardLink("b", "a"))], "LAYER_LINK_TARGET"],
    ["a link to a directory", [layer(dir("a"), hardLink("b", "a"))], "LAYER_LINK_TARGET"],
    ["a link to itself", [layer(file("a"), hardLink("a", "a"))], "LAYER_LINK_TARGET"],
    ["a file through a file", [layer(file("a"), file("a/b"))], "LAYER_PATH"],
    ["a root that is a file", [layer(file("."))], "LAYER_PATH"],
    ["symlinks in a circle", [layer(symlink("a", "b"), symlink("b", "a"), file("a/c"))], "LAYER_PATH"],
    ["too many directories", [layer(file("a/".repeat(5000).concat("b")))], "LAYER_PATH"],
    ["too long a name", [layer(file("n".repeat(256)))], "LAYER_PATH"],
    ["too long a target", [layer(symlink("s", "t".repeat(4096)))], "LAYER_PATH"],
  ])("are refused with %s", async (_, layers, code) => {
    await expect(treeOf(layers)).rejects.toMatchObject({ code });
  });

  it("have no more entries and names than allowed", async () => {
    const limits = { ...DEFAULT_LIMITS, entries: 4 };
    await expect(treeOf([layer(file("a/b/c/d"))], { limits })).rejects.toMatchObject({ code: "LAYER_ENTRIES" });
    const few = { limits: { ...DEFAULT_LIMITS, tableBytes: 100 } };
    const names = Array.from({ length: 9 }, (_, index) => file(`${index}`.repeat(20)));
    await expect(treeOf([layer(...names)], few)).rejects.toMatchObject({ code: "LAYER_METADATA" });
    const xattrs = new Map([["user.a", Buffer.alloc(200)]]);
    await expect(treeOf([layer(file("a", "", { xattrs }))], few)).rejects.toMatchObject({ code: "LAYER_METADATA" });
  });

  it("must be what their DiffIDs say", async () => {
    const tar = layer(file("a"));
    const open = () => inPieces(gzipSync(tar));
    const diffId: Digest = `sha256:${createHash("sha256").update(tar).digest("hex")}`;
    const input = { name: "l", mediaType: undefined, open };
    await expect(openImageTree([{ ...input, diffId }], {}, createContext())).resolves.toMatchObject({ count: 2 });
    const wrong: Digest = `sha512:${"0".repeat(128)}`;
    await expect(openImageTree([{ ...input, diffId: wrong }], {}, createContext())).rejects.toMatchObject({
      code: "OCI_DIFF_ID",
    });
  });
});

describe("the contents of a tree", () => {
  const PAGE = 4096;
  const sparse = Buffer.concat([Buffer.alloc(2 * PAGE), Buffer.from("data"), Buffer.alloc(3 * PAGE), Buffer.alloc(1)]);
  const layers = [
    layer(file("z", "first"), file("gone", "x"), file("e", ""), file("s", sparse), file("zeros", Buffer.alloc(10))),
    layer(file("a", "second"), hardLink("y", "z"), file("gone", "again"), file("short", "1")),
  ];

  it("come in the order of the layers, once each, without what was replaced", async () => {
    const tree = await treeOf(layers);
    const paths = new Map([...tree.walk()].map(({ path, inode }) => [inode, path]));
    expect(tree.order.map((inode) => paths.get(inode))).toEqual(["z", "s", "zeros", "a", "gone", "short"]);
    const seen: number[] = [];
    for await (const { inode } of tree.contents()) seen.push(inode);
    expect(seen).toEqual(tree.order);
    expect(tree.size).toBe(5 + sparse.length + 10 + 6 + 5 + 1);
  });

  it("have zeros where whole pages are zeros", async () => {
    const tree = await treeOf(layers);
    const runs = (path: string) => tree.runs(tree.lookup(path)?.inode ?? 0);
    expect(runs("s")).toEqual([
      { length: 2 * PAGE, kind: "zero" },
      { length: PAGE, kind: "data" },
      { length: 2 * PAGE + 5, kind: "zero" },
    ]);
    expect(runs("zeros")).toEqual([{ length: 10, kind: "zero" }]);
    expect(runs("a")).toEqual([{ length: 6, kind: "data" }]);
    expect(runs("e")).toEqual([]);
    expect(await text(tree, tree.lookup("s") as FileEntry)).toBe(sparse.toString("latin1"));
  });

  it("are read through symlinks, from memory or from the layers", async () => {
    const all = [
      ...layers,
      layer(dir("etc"), symlink("etc/os-release", "../s1"), symlink("s1", "/a"), symlink("s2", "no")),
    ];
    const paths = ["etc/os-release", "z", "y", "e", "s2", "etc", "nothing/there"];
    const expected = new Map([
      ["etc/os-release", Buffer.from("second")],
      ["z", Buffer.from("first")],
      ["y", Buffer.from("first")],
      ["e", Buffer.alloc(0)],
    ]);
    for (const keep of [undefined, () => true, (path: string) => path === "z"]) {
      const tree = await treeOf(all, {}, keep);
      const found = await tree.readFiles(paths);
      expect([...found].map(([path, bytes]) => [path, Buffer.from(bytes)])).toEqual([...expected]);
    }
    const tree = await treeOf(all);
    expect(tree.follow("etc/os-release")).toMatchObject({ type: "file", path: "etc/os-release", size: 6 });
    expect(tree.lookup("etc/os-release")).toMatchObject({ type: "symlink" });
    await expect(tree.readFiles(["z", "a"], 10)).rejects.toMatchObject({ code: "BYTES_TOO_LARGE" });
  });

  it("are refused where a layer reads differently the second time", async () => {
    let reads = 0;
    const open = () => inPieces(reads++ === 0 ? layer(file("a", "12")) : layer(file("a", "123")));
    const tree = await openImageTree([{ name: "l", mediaType: undefined, open }], {}, createContext());
    await expect(tree.readFiles(["a"])).rejects.toMatchObject({ code: "LAYER_CHANGED" });
  });

  it("are the same as went in, whatever lies where", async () => {
    const pages = fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 9000 })), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(fc.array(pages, { maxLength: 4 }), async (files) => {
        const bodies = files.map((parts) =>
          Buffer.concat(parts.map(([zero, length]) => Buffer.alloc(length, zero ? 0 : 1))),
        );
        const tree = await treeOf([layer(...bodies.map((body, index) => file(`${index}`, body)))]);
        for (const [index, body] of bodies.entries()) {
          const entry = tree.lookup(`${index}`) as FileEntry;
          expect(await text(tree, entry)).toBe(body.toString("latin1"));
          let at = 0;
          for (const { length, kind } of tree.runs(entry.inode)) {
            if (kind === "zero") expect(body.subarray(at, at + length).every((byte) => byte === 0)).toBe(true);
            at += length;
          }
          expect(at).toBe(body.length);
        }
      }),
      { numRuns: 50 },
    );
  });
});

describe("mutated layers", () => {
  it("give a tree or a ConverterError", async () => {
    const lower = layer(dir("d"), file("d/a", "x".repeat(600)), symlink("s", "d"), hardLink("h", "d/a"));
    const upper = layer(file("d/.wh.a"), file("s/b"), hardLink("c", "h"), file("d/.wh..wh..opq"));
    const mutation = fc.tuple(fc.boolean(), fc.nat(4000), fc.integer({ min: 0, max: 255 }));
    await fc.assert(
      fc.asyncProperty(fc.array(mutation, { minLength: 1, maxLength: 4 }), async (mutations) => {
        const layers = [Buffer.from(lower), Buffer.from(upper)];
        for (const [isUpper, at, value] of mutations) {
          const bytes = layers[isUpper ? 1 : 0] as Buffer;
          const block = Math.floor((at % bytes.length) / 512) * 512;
          bytes[at % bytes.length] = value;
          // Without a right checksum nothing but that would be tested.
          bytes.fill(0x20, block + 148, block + 156);
          const sum = bytes.subarray(block, block + 512).reduce((total, byte) => total + byte, 0);
          bytes.write(`${sum.toString(8).padStart(6, "0")}\0 `, block + 148, "latin1");
        }
        try {
          await shown(await treeOf(layers));
        } catch (cause) {
          expect(cause).toBeInstanceOf(ConverterError);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describeWith({ tools: ["python3", "umoci"], root: true }, "random layers", () => {
  let place = "";
  beforeAll(() => {
    place = mkdtempSync(join(tmpdir(), "transload-tree-"));
  });
  afterAll(() => rmSync(place, { recursive: true, force: true }));

  const folder = fc.constantFrom("", "d", "d/e", "f", "f/g");
  const leaf = fc.constantFrom("a", "b", "c", "d", "g");
  const item = fc.record({
    kind: fc.constantFrom("file", "file", "dir", "link", "symlink", "whiteout", "opaque"),
    folder,
    leaf,
    other: folder,
    size: fc.nat(9),
  });

  it("are what umoci makes of them", async () => {
    let number = 0;
    let compared = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(item, { maxLength: 7 }), { minLength: 2, maxLength: 3 }), async (plans) => {
        const layers = plans.map((plan, index) => {
          const seen = new Set<string>();
          const members = plan.flatMap(({ kind, folder, leaf, other, size }) => {
            const path = folder === "" ? leaf : `${folder}/${leaf}`;
            if (seen.has(path)) return [];
            seen.add(path);
            const mode = 0o600 + size;
            if (kind === "file") return [file(path, `${index}`.repeat(size), { mode })];
            if (kind === "dir") return [dir(path, { mode })];
            if (kind === "symlink") return [symlink(path, `/${other}`)];
            if (kind === "whiteout") return [file(folder === "" ? `.wh.${leaf}` : `${folder}/.wh.${leaf}`, "")];
            if (kind === "opaque") return [file(folder === "" ? ".wh..wh..opq" : `${folder}/.wh..wh..opq`, "")];
            return [hardLink(path, other === "" ? "a" : `${other}/a`)];
          });
          return layer(dir(".", { mode: 0o755 }), ...members);
        });
        const mine = await treeOf(layers).then(listTree, () => undefined);
        if (mine === undefined) return;
        const at = join(place, `${number++}`);
        const paths = layers.map((bytes, index) => {
          writeFileSync(`${at}.${index}.tar`, bytes);
          return `${at}.${index}.tar`;
        });
        const truth = unpackWithUmoci(paths, at);
        if (truth === undefined) return;
        compared++;
        // umoci leaves a file's own attributes where a link has others, and makes directories now.
        const comparable = (rows: typeof mine) =>
          rows.map(({ mtime: _, mode, same, ...row }) => ({ ...row, same, mode: same === undefined ? mode : 0 }));
        expect(comparable(mine)).toEqual(comparable(truth));
      }),
      { numRuns: 15 },
    );
    expect(compared).toBeGreaterThan(3);
  });
});
