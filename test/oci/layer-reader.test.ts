import { execFileSync } from "node:child_process";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeTarHeader, paddingOf, type TarHeaderFields } from "../../src/archive/tar-encode.ts";
import type { Entry } from "../../src/bytes/entry.ts";
import { createContext, DEFAULT_LIMITS, type Diagnostic } from "../../src/context.ts";
import { ConverterError } from "../../src/errors.ts";
import { type LayerItem, readLayer } from "../../src/oci/layer-reader.ts";
import { type Finding, LayerRules } from "../../src/oci/layer-rules.ts";
import { LayerWriter } from "../../src/oci/layer-writer.ts";
import { MEDIA_TYPES } from "../../src/oci/media-types.ts";
import { describeWith } from "../support/needs.ts";
import { inPieces, readItems } from "./layer-items.ts";

const END = Buffer.alloc(1024);
const NEVER = { seconds: 0, nanoseconds: 0 };

function member(fields: Partial<TarHeaderFields>, body: Uint8Array | string = ""): Buffer {
  const bytes = Buffer.from(body);
  const header = {
    name: "f",
    type: "0",
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: bytes.length,
    mtime: NEVER,
    ...fields,
  } as const;
  return Buffer.concat([encodeTarHeader(header), bytes, Buffer.alloc(paddingOf(bytes.length))]);
}

/** A pax header with these records in front of a member. */
function pax(records: Readonly<Record<string, string>>, next: Buffer): Buffer {
  const body = Object.entries(records).map(([key, value]) => {
    const rest = key.length + value.length + 3;
    const length = rest + `${rest + `${rest}`.length}`.length;
    return `${length} ${key}=${value}\n`;
  });
  return Buffer.concat([
    member({ name: "PaxHeaders/x", type: "x" as never }, Buffer.from(body.join(""), "latin1")),
    next,
  ]);
}

const TAR = Buffer.concat([
  member({ name: "a" }, "one"),
  member({ name: "b/", type: "5" }),
  member({ name: "b/c" }, "x".repeat(5000)),
  END,
]);

async function paths(blob: Uint8Array, mediaType?: string): Promise<string[]> {
  const items = await readItems(blob, { mediaType });
  return items.map(({ item, content }) => `${item.kind === "entry" ? item.entry.path : item.path} ${content.length}`);
}

describe("a compressed layer", () => {
  const expected = ["a 3", "b 0", "b/c 5000"];
  const members = Buffer.concat([gzipSync(TAR.subarray(0, 700)), gzipSync(TAR.subarray(700)), gzipSync("")]);

  it.each([
    [MEDIA_TYPES.layer, TAR],
    [MEDIA_TYPES.dockerLayer, TAR],
    [MEDIA_TYPES.layerGzip, gzipSync(TAR)],
    [MEDIA_TYPES.dockerLayerGzip, members],
    ["application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", members],
    ["application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", members],
  ])("%s is read", async (mediaType, blob) => {
    expect(await paths(blob, mediaType)).toEqual(expected);
    expect(await paths(blob)).toEqual(expected);
  });

  it.each([
    [MEDIA_TYPES.layer, gzipSync(TAR), "LAYER_COMPRESSION"],
    [MEDIA_TYPES.layerGzip, TAR, "LAYER_COMPRESSION"],
    [MEDIA_TYPES.dockerLayerZstd, gzipSync(TAR), "LAYER_COMPRESSION"],
    [`${MEDIA_TYPES.layerGzip}+encrypted`, gzipSync(TAR), "LAYER_MEDIA_TYPE"],
    ["text/plain", TAR, "LAYER_MEDIA_TYPE"],
    [MEDIA_TYPES.layerGzip, gzipSync(TAR).subarray(0, -9), "BYTES_COMPRESSED"],
    [MEDIA_TYPES.layerZstd, Buffer.from("28b52ffd", "hex"), "BYTES_COMPRESSED"],
    [MEDIA_TYPES.layerZstd, Buffer.from("28b52ffd00ff0100", "hex"), "ZSTD_WINDOW"],
    [MEDIA_TYPES.layerZstd, Buffer.from("28b52ffd010001010000", "hex"), "ZSTD_DICTIONARY"],
    [MEDIA_TYPES.layerZstd, Buffer.from("502a4d18ff000000", "hex"), "BYTES_COMPRESSED"],
  ])("%s is refused where it is something else or damaged", async (mediaType, blob, code) => {
    await expect(readItems(blob, { mediaType })).rejects.toMatchObject({ code });
  });

  describeWith({ tools: ["zstd"] }, "by zstd", () => {
    const zstd = (bytes: Uint8Array, ...options: string[]) =>
      execFileSync("zstd", ["-qc", ...options], { input: bytes });
    const skippable = Buffer.from("5f2a4d1803000000010203", "hex");

    it("has frames, also of nothing, and skippable ones", async () => {
      const frames = [
        skippable,
        zstd(TAR.subarray(0, 600)),
        zstd(Buffer.alloc(0)),
        skippable,
        zstd(TAR.subarray(600), "-19", "--no-check"),
        skippable,
      ];
      expect(await paths(Buffer.concat(frames), MEDIA_TYPES.layerZstd)).toEqual(expected);
      expect(await paths(Buffer.concat(frames), MEDIA_TYPES.dockerLayerZstd)).toEqual(expected);
    });

    it("is whole at any length, or refused", async () => {
      const noise = Buffer.from(Array.from({ length: 400_000 }, (_, index) => (index * index * 31) >> 7));
      const blob = zstd(Buffer.concat([member({ name: "noise" }, noise), END]));
      expect(await paths(blob)).toEqual(["noise 400000"]);
      for (const length of [5, 9, 300, blob.length - 1]) {
        await expect(readItems(blob.subarray(0, length))).rejects.toMatchObject({ code: "BYTES_COMPRESSED" });
      }
    });
  });
});

describe("a layer", () => {
  it("gives content that is not asked for to whoever hashes, and tells where it lies", async () => {
    const plain: Uint8Array[] = [];
    const options = {
      name: "l",
      mediaType: undefined,
      onPlain: (bytes: Uint8Array) => void plain.push(Uint8Array.from(bytes)),
    };
    const items: LayerItem[] = [];
    for await (const item of readLayer(inPieces(gzipSync(TAR)), options, createContext())) items.push(item);
    expect(Buffer.concat(plain).equals(TAR)).toBe(true);
    const [first] = items;
    expect(first).toMatchObject({ kind: "entry", segments: [{ offset: 0, length: 3, position: 512 }] });
  });

  it("may end without the padding and the end of archive", async () => {
    expect(await paths(TAR.subarray(0, 515))).toEqual(["a 3"]);
    expect(await paths(Buffer.alloc(0))).toEqual([]);
  });

  it.each([
    ["ARCHIVE_TRUNCATED", TAR.subarray(0, 513)],
    ["ARCHIVE_TRUNCATED", TAR.subarray(0, 100)],
    ["ARCHIVE_TRUNCATED", pax({ path: "x" }, Buffer.alloc(0))],
    ["ARCHIVE_TRUNCATED", member({ type: "x" as never }, "x".repeat(600)).subarray(0, 700)],
    ["ARCHIVE_CHECKSUM", Buffer.concat([Buffer.from("x"), TAR.subarray(1)])],
    ["ARCHIVE_NUMBER", pax({ mtime: "soon" }, member({}))],
    ["LAYER_NUMBER", pax({ uid: "4294967296" }, member({}))],
    ["LAYER_NUMBER", pax({ gid: "-1" }, member({}))],
    ["LAYER_PATH", member({ name: "../x" })],
    ["LAYER_PATH", member({ name: "x", type: "1", linkName: "a/../../b" })],
    ["LAYER_PATH", member({ name: "x", type: "1" })],
    ["LAYER_PATH", pax({ path: "a\0b" }, member({}))],
    ["LAYER_PAX_SIZE", encodeTarHeader({ name: "x", type: "x", mode: 0, uid: 0, gid: 0, size: 1 << 30, mtime: NEVER })],
    ["LAYER_SPARSE", pax({ "GNU.sparse.size": "10", "GNU.sparse.offset": "0" }, member({}))],
    ["LAYER_SPARSE", pax({ "GNU.sparse.size": "10", "GNU.sparse.map": "0,11" }, member({}, "x".repeat(11)))],
    ["LAYER_SPARSE", pax({ "GNU.sparse.size": "10", "GNU.sparse.map": "0,5" }, member({}, "x"))],
    ["LAYER_SPARSE", pax({ "GNU.sparse.size": "10", "GNU.sparse.map": "0" }, member({}, "x"))],
    [
      "LAYER_SPARSE",
      pax({ "GNU.sparse.major": "1", "GNU.sparse.realsize": "10" }, member({}, "999999999999\n".padEnd(512, "\0"))),
    ],
    ["LAYER_SPARSE", pax({ "GNU.sparse.major": "1", "GNU.sparse.realsize": "10" }, member({}, "x"))],
    ["LAYER_ENTRY_TYPE", member({ type: "V" as never })],
  ])("is refused with %s", async (code, tar) => {
    await expect(readItems(Buffer.concat([tar]))).rejects.toMatchObject({ code });
  });

  it("has no more entries than allowed", async () => {
    const limits = { ...DEFAULT_LIMITS, entries: 2 };
    await expect(readItems(TAR, { limits })).rejects.toMatchObject({ code: "LAYER_ENTRIES" });
  });

  it("stops when it is told to", async () => {
    const ctx = createContext({ signal: AbortSignal.abort() });
    const reading = readLayer(inPieces(TAR), { name: "l", mediaType: undefined }, ctx)[Symbol.asyncIterator]();
    await expect(reading.next()).rejects.toMatchObject({ name: "AbortError" });
  });

  it("has sparse files whose holes stay holes", async () => {
    const map = { "GNU.sparse.size": "2000", "GNU.sparse.map": "10,3,1000,0,1500,2" };
    const [read] = await readItems(Buffer.concat([pax(map, member({ name: "s" }, "abcde")), END]));
    const expected = Buffer.alloc(2000);
    expected.write("abc", 10);
    expected.write("de", 1500);
    expect(read?.content.equals(expected)).toBe(true);
    expect(read?.item).toMatchObject({
      entry: { size: 2000 },
      segments: [
        { offset: 10, length: 3 },
        { offset: 1500, length: 2 },
      ],
    });
  });

  it("of any bytes at all is read or refused", async () => {
    const seed = Buffer.concat([
      pax({ path: "long", "SCHILY.xattr.user.a": "b", mtime: "1.5" }, member({ name: "f" }, "body")),
      pax({ "GNU.sparse.size": "99", "GNU.sparse.map": "1,2,5,2" }, member({ name: "s" }, "abcd")),
      member({ name: "l", type: "1", linkName: "f" }),
      member({ name: ".wh.x" }),
      END,
    ]);
    const blobs = [seed, gzipSync(seed, { level: 0 })];
    const change = fc.tuple(fc.nat(seed.length + 50), fc.integer({ min: 0, max: 255 }));
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...blobs),
        fc.array(change, { minLength: 1, maxLength: 4 }),
        async (blob, changes) => {
          const mutant = Buffer.from(blob);
          for (const [at, byte] of changes) mutant[at % mutant.length] = byte;
          // Most mutants should get past the checksum.
          for (let at = 0; at + 512 <= mutant.length && blob === seed; at += 512) {
            if (mutant.toString("latin1", at + 257, at + 262) !== "ustar") continue;
            mutant.fill(0x20, at + 148, at + 156);
            const sum = mutant.subarray(at, at + 512).reduce((total, byte) => total + byte, 0);
            mutant.write(`${sum.toString(8).padStart(6, "0")}\0 `, at + 148, "latin1");
          }
          try {
            await readItems(mutant);
          } catch (cause) {
            expect(cause).toBeInstanceOf(ConverterError);
          }
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe("a layer that we wrote", () => {
  const name = fc
    .uint8Array({ minLength: 1, maxLength: 255 })
    .map((bytes) => Buffer.from(bytes.map((byte) => (byte === 0 || byte === 0x2f ? 0x41 : byte))).toString("latin1"))
    .filter((text) => !text.startsWith(".wh.") && text !== "." && text !== "..");
  const attributes = fc.record({
    mode: fc.integer({ min: 0, max: 0o7777 }),
    uid: fc.integer({ min: 0, max: 0xffff_fffe }),
    gid: fc.integer({ min: 0, max: 0xffff_fffe }),
    mtime: fc.record({
      seconds: fc.integer({ min: 0, max: 9e9 }),
      nanoseconds: fc.integer({ min: 0, max: 999_999_999 }),
    }),
    xattrs: fc
      .dictionary(fc.stringMatching(/^user\.[a-z]{1,9}$/), fc.uint8Array({ minLength: 1, maxLength: 99 }))
      .map((values) => {
        return new Map(Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1)));
      }),
  });
  const kind = fc.oneof(
    fc.uint8Array({ maxLength: 2000 }).map((content) => ({ type: "file", size: content.length, content }) as const),
    fc.constant({ type: "directory" } as const),
    name.map((target) => ({ type: "symlink", target }) as const),
    fc.constant({ type: "fifo" } as const),
    fc.record({ type: fc.constant("block-device" as const), major: fc.nat(4095), minor: fc.nat(1_048_575) }),
  );
  const paths = fc.uniqueArray(name, { minLength: 1, maxLength: 6 });

  it("is read back as it was", async () => {
    await fc.assert(
      fc.asyncProperty(
        paths,
        fc.array(fc.tuple(attributes, kind), { minLength: 6, maxLength: 6 }),
        async (names, parts) => {
          const entries = names.map((path, index) => {
            const [own, { content, ...what }] = parts[index] as [
              never,
              { type: "file"; size: number; content?: Uint8Array },
            ];
            return { entry: { path, inode: index + 1, links: 1, ...(own as object), ...what } as Entry, content };
          });
          const given = entries.map(({ entry, content }) => (content === undefined ? { entry } : { entry, content }));
          const ctx = createContext({ limits: { ...DEFAULT_LIMITS, threads: 0 } });
          const writer = new LayerWriter(given, { kind: "gzip", level: 1 }, ctx);
          const blob: Uint8Array[] = [];
          for await (const bytes of writer.bytes()) blob.push(Uint8Array.from(bytes));
          const items = await readItems(Buffer.concat(blob), { mediaType: writer.mediaType });
          expect(items.map(({ item }) => (item.kind === "entry" ? plain(item.entry) : item))).toEqual(
            entries.map(({ entry }) => plain(entry)),
          );
          expect(items.map(({ content }) => content.toString("hex"))).toEqual(
            entries.map(({ content }) => Buffer.from(content ?? []).toString("hex")),
          );
        },
      ),
      { numRuns: 60 },
    );
  });

  /** Attributes on what cannot have them are the writer's to leave out. */
  function plain(entry: Entry): object {
    const xattrs = entry.type === "file" || entry.type === "directory" ? entry.xattrs : new Map();
    const values = [...xattrs].map(([key, value]) => [key, Buffer.from(value).toString("hex")]);
    return { ...entry, xattrs: values };
  }
});

describe("the rules of layers", () => {
  async function findings(tar: Buffer, isLowest = true, mostPaths?: number): Promise<string[]> {
    const rules = new LayerRules("layer", isLowest, mostPaths);
    const notes: Diagnostic[] = [];
    const found: Finding[] = [];
    for (const { item } of await readItems(Buffer.concat([tar, END]), {}, notes)) found.push(...rules.check(item));
    return [...notes, ...found].map(({ severity, code }) => `${severity} ${code}`);
  }
  const link = (name: string, linkName: string) => member({ name, type: "1", linkName });
  const xattrs = (name: string) => new Map([[name, Buffer.from("x")]]);

  it.each([
    ["a path twice", Buffer.concat([member({ name: "d" }), member({ name: "./d" })]), ["error LAYER_DUPLICATE_PATH"]],
    ["a link before its target", Buffer.concat([link("b", "a"), member({ name: "a" })]), ["error LAYER_LINK_TARGET"]],
    ["a link after its target", Buffer.concat([member({ name: "a" }), link("b", "./a"), link("c", "/b")]), []],
    [
      "a link through a symlink",
      Buffer.concat([
        member({ name: "lib", type: "2", linkName: "usr/./lib" }),
        member({ name: "usr", type: "5" }),
        member({ name: "usr/lib/z" }),
        link("zz", "lib/z"),
      ]),
      [],
    ],
    [
      "a link through a loop",
      Buffer.concat([member({ name: "l", type: "2", linkName: "l" }), link("zz", "l/z")]),
      ["error LAYER_LINK_TARGET"],
    ],
    ["a device 0:0", member({ name: "d", type: "3", major: 0, minor: 0 }), ["warning LAYER_DEVICE_ZERO"]],
    ["an unknown namespace", member({ xattrs: xattrs("system.nfs4_acl") }), ["error LAYER_XATTR"]],
    [
      "a user attribute on a symlink",
      member({ type: "2", linkName: "x", xattrs: xattrs("user.a") }),
      ["error LAYER_XATTR"],
    ],
    ["known namespaces", member({ xattrs: new Map([...xattrs("user.a"), ...xattrs("system.posix_acl_access")]) }), []],
    ["a time before 1970", pax({ mtime: "-1" }, member({})), ["info LAYER_TIME"]],
    ["an absolute path", member({ name: "/a" }), ["warning LAYER_ABSOLUTE_PATH"]],
    ["a whiteout", member({ name: "d/.wh.x" }), []],
  ])("%s", async (_, tar, expected) => {
    expect(await findings(tar)).toEqual(expected);
  });

  it("take a link's target to be below where there is a layer below", async () => {
    expect(await findings(link("b", "a"), false)).toEqual(["warning LAYER_LINK_TARGET"]);
  });

  it("remember only so many paths, and say so once", async () => {
    const tar = Buffer.concat(["a", "b", "c", "d"].map((name) => member({ name })));
    expect(await findings(tar, true, 2)).toEqual(["info LAYER_PATHS_UNCHECKED"]);
  });
});
