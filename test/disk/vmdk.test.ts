import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { type Extent, extents } from "../../src/bytes/byte-source.ts";
import { FileSource } from "../../src/bytes/file-source.ts";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import { Slice } from "../../src/bytes/slice.ts";
import { DEFAULT_LIMITS } from "../../src/context.ts";
import { openDisk } from "../../src/disk/index.ts";
import { codeOf, memoryContext } from "./images.ts";
import { buildSparse, descriptorText, rawOf, type SparseOptions } from "./vmdk-builder.ts";

const GRAIN_BYTES = 8 * 512;

function grain(byte: number): Uint8Array {
  return new Uint8Array(GRAIN_BYTES).fill(byte);
}

const GRAINS = new Map([
  [3, grain(3)],
  [4, grain(4)],
  [20, grain(20)],
]);
const PLAIN: SparseOptions = { capacity: 200, grains: GRAINS };
const STREAM: SparseOptions = { capacity: 200, grains: GRAINS, compressed: true, directoryAtEnd: true };

type Files = Readonly<Record<string, Uint8Array | string>>;

function sources(files: Files): Record<string, MemorySource> {
  return Object.fromEntries(
    Object.entries(files).map(([name, content]) => [name, new MemorySource(Buffer.from(content), name)]),
  );
}

async function open(main: Uint8Array | string, files: Files = {}) {
  const ctx = memoryContext(sources(files));
  const disk = await openDisk(new MemorySource(Buffer.from(main), "main"), ctx, { format: "vmdk" });
  return { disk, codes: ctx.diagnostics.map(({ code }) => code) };
}

async function contentOf(main: Uint8Array | string, files: Files = {}): Promise<Buffer> {
  const { disk } = await open(main, files);
  return Buffer.from(await disk.read(0, disk.size));
}

/** The code that opening or reading all of it ends with. */
async function failure(main: Uint8Array | string, files: Files = {}): Promise<unknown> {
  return await codeOf(contentOf(main, files));
}

describe("a VMDK with a changed byte", () => {
  const patched = (options: SparseOptions, change: (bytes: Buffer, built: ReturnType<typeof buildSparse>) => void) => {
    const built = buildSparse(options);
    change(built.bytes, built);
    return built.bytes;
  };

  it.each([
    ["VMDK_VERSION", patched(PLAIN, (bytes) => bytes.writeUInt32LE(4, 4))],
    ["VMDK_FLAGS", patched(PLAIN, (bytes) => bytes.writeUInt32LE(0x40001, 8))],
    ["VMDK_NEWLINES", patched(PLAIN, (bytes) => bytes.write("\n", 75))],
    ["VMDK_COMPRESSION", patched(PLAIN, (bytes) => bytes.writeUInt16LE(2, 77))],
    ["VMDK_COMPRESSION", patched(PLAIN, (bytes) => bytes.writeUInt32LE(0x10001, 8))],
    ["VMDK_GEOMETRY", patched(PLAIN, (bytes) => bytes.writeUInt32LE(12, 20))],
    ["VMDK_GEOMETRY", patched(PLAIN, (bytes) => bytes.writeUInt32LE(4, 20))],
    ["VMDK_GEOMETRY", patched(STREAM, (bytes) => bytes.writeUInt32LE(16384, 20))],
    ["VMDK_GEOMETRY", patched(PLAIN, (bytes) => bytes.writeUInt32LE(1024, 44))],
    ["VMDK_GEOMETRY", patched(PLAIN, (bytes) => bytes.writeUInt32LE(0, 44))],
    ["VMDK_GEOMETRY", patched(PLAIN, (bytes) => bytes.writeBigUInt64LE(2n ** 50n, 12))],
    ["BYTES_NUMBER_TOO_LARGE", patched(PLAIN, (bytes) => bytes.writeBigUInt64LE(2n ** 60n, 12))],
    ["VMDK_DESCRIPTOR_OUT_OF_RANGE", patched(PLAIN, (bytes) => bytes.writeUInt32LE(4096, 28))],
    ["VMDK_DIRECTORY_OUT_OF_RANGE", patched(PLAIN, (bytes) => bytes.writeUInt32LE(4096, 56))],
    ["VMDK_DIRECTORY_OUT_OF_RANGE", patched(PLAIN, (bytes) => bytes.writeBigUInt64LE(2n ** 40n, 12))],
    [
      "VMDK_GRAIN_TABLE_OUT_OF_RANGE",
      patched(PLAIN, (bytes, built) => bytes.writeUInt32LE(4096, built.directory * 512)),
    ],
    [
      "VMDK_GRAIN_OUT_OF_RANGE",
      patched(PLAIN, (bytes, built) => bytes.writeUInt32LE(4096, (built.tables.get(0) ?? 0) * 512)),
    ],
    [
      "VMDK_GRAIN_OUT_OF_RANGE",
      patched(STREAM, (bytes, built) => bytes.writeUInt32LE(4096, (built.tables.get(0) ?? 0) * 512)),
    ],
    [
      "VMDK_GRAIN_DAMAGED",
      patched(STREAM, (bytes, built) => bytes.writeUInt32LE(0, (built.grains.get(4) ?? 0) * 512 + 20)),
    ],
    [
      "VMDK_GRAIN_DAMAGED",
      patched(STREAM, (bytes, built) => bytes.writeUInt32LE(100_000, (built.grains.get(4) ?? 0) * 512 + 8)),
    ],
    [
      "VMDK_GRAIN_MISPLACED",
      patched(STREAM, (bytes, built) => bytes.writeUInt32LE(40, (built.grains.get(4) ?? 0) * 512)),
    ],
    ["VMDK_FOOTER_MISSING", patched(STREAM, (bytes, built) => bytes.fill(0, built.footer * 512 - 512))],
  ])("%s", async (code, bytes) => {
    expect(await failure(bytes)).toBe(code);
  });

  it("tells the sector of a damaged grain", async () => {
    const built = buildSparse(STREAM);
    const sector = built.grains.get(4) ?? 0;
    built.bytes.writeUInt32LE(0, sector * 512 + 20);
    const { disk } = await open(built.bytes);
    expect(() => disk.read(4 * GRAIN_BYTES, 1)).toThrow(new RegExp(`grain 4 at sector ${sector} is damaged`));
    expect([...(await disk.read(3 * GRAIN_BYTES, 1))]).toEqual([3]);
  });

  it("refuses grains that inflate to more or less than a grain", async () => {
    for (const length of [GRAIN_BYTES - 1, GRAIN_BYTES + 1, GRAIN_BYTES * 50]) {
      const grains = new Map([[0, new Uint8Array(length)]]);
      expect(await failure(buildSparse({ ...STREAM, grains }).bytes), `${length}`).toBe("VMDK_GRAIN_DAMAGED");
    }
  });

  it("refuses unmarked grains that are no zlib streams", async () => {
    const built = buildSparse({ ...PLAIN, compressed: true, unmarked: "bare" });
    built.bytes.fill(0xff, (built.grains.get(3) ?? 0) * 512, (built.grains.get(3) ?? 0) * 512 + 8);
    expect(await failure(built.bytes)).toBe("VMDK_COMPRESSION");
  });

  it("reads a last grain that was compressed as long as it is", async () => {
    const grains = new Map([[2, new Uint8Array(5 * 512).fill(7)]]);
    const options = { ...STREAM, capacity: 21, grains };
    expect((await contentOf(buildSparse(options).bytes)).equals(rawOf(options))).toBe(true);
  });

  it("takes what is damaged from the redundant directory, and says so", async () => {
    const options = { ...PLAIN, redundant: true };
    for (const change of [
      (bytes: Buffer, directory: number) => bytes.writeUInt32LE(0xfffffff0, directory * 512),
      (bytes: Buffer) => bytes.writeUInt32LE(1 << 20, 56),
    ]) {
      const built = buildSparse(options);
      change(built.bytes, built.directory);
      const { disk, codes } = await open(built.bytes);
      expect(codes).toEqual(["VMDK_REDUNDANT_DIRECTORY"]);
      expect(rawOf(options).equals(await disk.read(0, disk.size))).toBe(true);
    }
  });

  it("warns of an unclean shutdown", async () => {
    const { bytes } = buildSparse(PLAIN);
    bytes.writeUInt8(1, 72);
    expect((await open(bytes)).codes).toEqual(["VMDK_UNCLEAN"]);
  });
});

describe("the footer of a stream", () => {
  const { bytes, footer } = buildSparse(STREAM);

  it.each([
    ["at its place", bytes],
    ["without an end of stream", bytes.subarray(0, -512)],
    ["in front of padding", Buffer.concat([bytes, Buffer.alloc(70_000)])],
    ["in front of odd padding", Buffer.concat([bytes, Buffer.alloc(1001)])],
    ["in front of more padding than is searched", Buffer.concat([bytes, Buffer.alloc(2 << 20)])],
  ])("is found %s", async (_, image) => {
    expect((await contentOf(image)).equals(rawOf(STREAM))).toBe(true);
  });

  it("is not one of another disk", async () => {
    const other = Buffer.from(bytes);
    other.writeUInt32LE(400, footer * 512 + 12);
    expect(await failure(other)).toBe("VMDK_FOOTER_MISSING");
  });
});

describe("the size of a sparse disk", () => {
  const sized = (line: number, capacity: number) =>
    open(buildSparse({ capacity, grains: new Map(), descriptor: descriptorText(`RW ${line} SPARSE "x"`) }).bytes);

  it("is the extent line's where the header is rounded up", async () => {
    const { disk, codes } = await sized(1000, 1024);
    expect([disk.size, codes]).toEqual([1000 * 512, []]);
  });

  it.each([
    [1000, 2000],
    [2000, 1000],
    [0, 1000],
  ])("is the header's where the line says %i and the header %i", async (line, capacity) => {
    const { disk, codes } = await sized(line, capacity);
    expect([disk.size, codes]).toEqual([capacity * 512, ["VMDK_CAPACITY_MISMATCH"]]);
  });

  it("is the header's without a descriptor", async () => {
    const { disk, codes } = await open(buildSparse({ ...PLAIN, descriptor: null }).bytes);
    expect([disk.size, codes]).toEqual([200 * 512, ["VMDK_DESCRIPTOR_MISSING"]]);
  });
});

describe("a descriptor file", () => {
  const flat = Buffer.concat([grain(1), grain(2), grain(3), grain(4)]);

  it("joins extents of every kind in order", async () => {
    const text = descriptorText(
      [
        'RW 8 FLAT "disk f001.vmdk" 8',
        "RW 8 ZERO",
        'RDONLY 200 SPARSE "s001.vmdk"',
        'NOACCESS 8 FLAT "nowhere.vmdk" 0',
        'rw 16 vmfs "flat.vmdk"',
      ].join("\r\n"),
      "",
      "custom",
    );
    const files = { "disk f001.vmdk": flat, "s001.vmdk": buildSparse(PLAIN).bytes, "flat.vmdk": flat };
    const expected = Buffer.concat([grain(2), grain(0), rawOf(PLAIN), grain(0), grain(1), grain(2)]);
    expect((await contentOf(text, files)).equals(expected)).toBe(true);
    const { disk } = await open(text, files);
    expect([disk.variant, disk.storedBytes]).toEqual(["custom", undefined]);
  });

  it("may have a byte order mark, blanks, comments, CRLF, its own encoding and names of another machine", async () => {
    const encoded = Buffer.concat([
      Buffer.from('\ufeff\r\n \r\n# made by hand\r\n#disk DESCRIPTORFILE\r\nencoding = "GBK"\r\nRW 8 FLAT "D:\\vm\\'),
      Buffer.from([0xb2, 0xe2, 0xca, 0xd4]),
      Buffer.from('.vmdk" 8\r\n\0garbage'),
    ]);
    const { disk } = await open(encoded, { "测试.vmdk": flat });
    expect(new Uint8Array(await disk.read(0, disk.size))).toEqual(grain(2));
    expect(disk.storedBytes).toBe(8 * 512);
  });

  it("may come in the disguise of a sparse extent without capacity", async () => {
    const descriptor = descriptorText('RW 16 FLAT "flat.vmdk" 0');
    const { bytes } = buildSparse({ capacity: 0, grains: new Map(), descriptor });
    expect((await contentOf(bytes, { "flat.vmdk": flat })).equals(flat.subarray(0, 16 * 512))).toBe(true);
  });

  it.each([
    ["VMDK_NOT_RECOGNISED", "CID=1", {}],
    ["VMDK_NO_EXTENTS", descriptorText(""), {}],
    ["VMDK_DESCRIPTOR", descriptorText("", "parentCID=xyz"), {}],
    ["VMDK_EXTENT_LINE", descriptorText('RW many FLAT "a" 0'), {}],
    ["VMDK_EXTENT_LINE", descriptorText("RW 8 FLAT"), {}],
    ["VMDK_EXTENT_LINE", descriptorText('RW 9999999999999999 FLAT "a"'), {}],
    ["VMDK_SIZE", descriptorText("RW 9007199254740 ZERO\n".repeat(3)), {}],
    ["VMDK_EXTENT_TYPE", descriptorText('RW 8 HOLOGRAM "a"'), {}],
    ["VMDK_DEVICE_EXTENT", descriptorText('RW 8 VMFSRDM "a"'), {}],
    ["FILE_NOT_FOUND", descriptorText('RW 8 FLAT "/etc/passwd"'), {}],
    ["VMDK_EXTENT_TRUNCATED", descriptorText('RW 8 FLAT "a" 1'), { a: grain(0) }],
    ["VMDK_EXTENT_NOT_SPARSE", descriptorText('RW 8 VMFSSPARSE "a"'), { a: "COW?".padEnd(1024, "\0") }],
    ["VMDK_EXTENT_TOO_SMALL", descriptorText('RW 208 SPARSE "a"'), { a: buildSparse(PLAIN).bytes }],
  ])("%s", async (code, text, files) => {
    expect(await failure(text, files as Files)).toBe(code);
  });

  it("is refused inside a sparse extent that is not its only extent", async () => {
    const descriptor = descriptorText('RW 100 SPARSE "x"\nRW 100 SPARSE "y"');
    expect(await failure(buildSparse({ ...PLAIN, descriptor }).bytes)).toBe("VMDK_SEVERAL_EXTENTS");
  });

  it("cannot take more memory for directories than the limit", async () => {
    const lines = Array.from({ length: 50 }, () => 'RW 200 SPARSE "a"').join("\n");
    const ctx = {
      ...memoryContext(sources({ a: buildSparse({ ...PLAIN, tableEntries: 1 }).bytes })),
      limits: { ...DEFAULT_LIMITS, tableBytes: 1000 },
    };
    const opened = openDisk(new MemorySource(Buffer.from(descriptorText(lines))), ctx);
    expect(await codeOf(opened)).toBe("VMDK_TABLES_TOO_LARGE");
  });
});

describe("a disk with a parent", () => {
  const child = (capacity: number, more: string, grains: SparseOptions["grains"]) =>
    buildSparse({
      capacity,
      grains,
      descriptor: descriptorText(`RW ${capacity} SPARSE "c"`, more),
    }).bytes;
  const of = (name: string, cid = "12345678") => `parentCID=${cid}\nparentFileNameHint="${name}"`;

  it("shows the parent where it has nothing itself, and zeros where both end or it says so", async () => {
    const bytes = child(
      240,
      of("/vmfs/volumes/x/base.vmdk"),
      new Map<number, Uint8Array | "zeroed">([
        [4, "zeroed"],
        [5, grain(55)],
      ]),
    );
    const expected = Buffer.concat([rawOf(PLAIN), Buffer.alloc(40 * 512)]);
    expected.fill(0, 4 * GRAIN_BYTES, 5 * GRAIN_BYTES).fill(55, 5 * GRAIN_BYTES, 6 * GRAIN_BYTES);
    expect((await contentOf(bytes, { "base.vmdk": buildSparse(PLAIN).bytes })).equals(expected)).toBe(true);
  });

  it("may be split, and smaller than the parent", async () => {
    const part = buildSparse({ capacity: 80, grains: new Map([[1, grain(9)]]) }).bytes;
    const text = descriptorText('RW 80 SPARSE "p1"\nRW 80 SPARSE "p2"', of("base.vmdk"));
    const expected = Buffer.from(rawOf(PLAIN).subarray(0, 160 * 512));
    for (const at of [1, 11]) expected.fill(9, at * GRAIN_BYTES, (at + 1) * GRAIN_BYTES);
    const files = { p1: part, p2: part, "base.vmdk": buildSparse(PLAIN).bytes };
    expect((await contentOf(text, files)).equals(expected)).toBe(true);
  });

  it.each([
    ["VMDK_PARENT_UNNAMED", child(200, "parentCID=12345678", new Map()), {}],
    ["VMDK_PARENT_CHANGED", child(200, of("b", "1"), new Map()), { b: buildSparse(PLAIN).bytes }],
    ["VMDK_PARENT_CHAIN", child(200, of("b"), new Map()), { b: child(200, of("b"), new Map()) }],
    ["FILE_NOT_FOUND", child(200, of("b"), new Map()), {}],
  ])("%s", async (code, bytes, files) => {
    expect(await failure(bytes, files as Files)).toBe(code);
  });

  it("has at most 255 ancestors", async () => {
    const files = Object.fromEntries(
      Array.from({ length: 300 }, (_, i) => [`${i}`, child(8, of(`${i + 1}`), new Map())]),
    );
    expect(await failure(child(8, of("0"), new Map()), files)).toBe("VMDK_PARENT_CHAIN");
  });
});

describe("where the bytes of a VMDK lie", () => {
  async function inFile(bytes: Buffer, check: (source: FileSource) => Promise<void>): Promise<void> {
    const folder = mkdtempSync(join(tmpdir(), "transload-stored-"));
    try {
      writeFileSync(join(folder, "a"), Buffer.concat([Buffer.alloc(1000), bytes]));
      await using source = FileSource.open(join(folder, "a"));
      await check(source);
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  it("is told for compressed grains, also inside another file", async () => {
    await inFile(buildSparse(STREAM).bytes, async (source) => {
      const disk = await openDisk(new Slice(source, 1000, source.size - 1000), memoryContext());
      const data: Extent[] = [];
      for await (const extent of extents(disk, 100)) if (extent.kind === "data") data.push(extent);
      expect(data.map(({ offset, length }) => [offset, length])).toEqual(
        [3, 4, 20].map((at) => [at * GRAIN_BYTES, GRAIN_BYTES]),
      );
      for (const { stored, offset } of data) {
        expect(stored).toMatchObject({ coding: "zlib", skip: 0, size: GRAIN_BYTES });
        const compressed = await source.read(stored?.offset ?? 0, stored?.length ?? 0);
        expect(inflateSync(compressed)).toEqual(Buffer.from(await disk.read(offset, GRAIN_BYTES)));
      }
      expect((await disk.extentAt(4 * GRAIN_BYTES + 5, 100)).stored).toMatchObject({ skip: 5, size: GRAIN_BYTES });
    });
  });

  it("is told for plain grains, neighbours in one", async () => {
    await inFile(buildSparse(PLAIN).bytes, async (source) => {
      const disk = await openDisk(new Slice(source, 1000, source.size - 1000), memoryContext());
      const found = await disk.extentAt(3 * GRAIN_BYTES, disk.size);
      expect(found).toMatchObject({ length: 2 * GRAIN_BYTES, stored: { coding: "identity", length: 2 * GRAIN_BYTES } });
      expect(await source.read(found.stored?.offset ?? 0, 1)).toEqual(Buffer.of(3));
    });
  });

  it("takes no longer for a large disk", async () => {
    const capacity = 2 ** 34;
    const { bytes } = buildSparse({ capacity, grainSize: 128, tableEntries: 512, grains: new Map() });
    const disk = await openDisk(new MemorySource(bytes), memoryContext());
    const start = performance.now();
    expect(await disk.extentAt(0, disk.size)).toEqual({ offset: 0, length: capacity * 512, kind: "zero" });
    expect(performance.now() - start).toBeLessThan(500);
  });
});
