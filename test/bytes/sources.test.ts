import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { type ByteSource, chunks, extents, readAll } from "../../src/bytes/byte-source.ts";
import { FileSource } from "../../src/bytes/file-source.ts";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import { compose, concat } from "../../src/bytes/regions.ts";
import { Slice, ZeroPadded } from "../../src/bytes/slice.ts";
import { LittleEndianView } from "../../src/bytes/view.ts";

const folder = mkdtempSync(join(tmpdir(), "transload-sources-"));
afterAll(() => rmSync(folder, { recursive: true }));

const FILE = Buffer.from(Array.from({ length: 200_000 }, (_, at) => (at * 7 + (at >> 8)) & 0xff));
writeFileSync(join(folder, "file"), FILE);
const file = FileSource.open(join(folder, "file"));

/** A source with what it must hold. */
interface Pair {
  readonly source: ByteSource;
  readonly bytes: Buffer;
}

const leaf: fc.Arbitrary<Pair> = fc.oneof(
  fc.constant({ source: file, bytes: FILE }),
  fc.uint8Array({ maxLength: 5000 }).map((bytes) => ({ source: new MemorySource(bytes), bytes: Buffer.from(bytes) })),
);

const { source: anySource } = fc.letrec<{ source: Pair }>((tie) => ({
  source: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    leaf,
    fc.tuple(tie("source"), fc.nat(), fc.nat()).map(([{ source, bytes }, a, b]) => {
      const offset = a % (bytes.length + 1);
      const size = b % (bytes.length - offset + 1);
      return { source: new Slice(source, offset, size), bytes: bytes.subarray(offset, offset + size) };
    }),
    fc.tuple(tie("source"), fc.nat(9000)).map(([{ source, bytes }, more]) => ({
      source: new ZeroPadded(source, bytes.length + more),
      bytes: Buffer.concat([bytes, Buffer.alloc(more)]),
    })),
    fc.array(tie("source"), { maxLength: 4 }).map((pairs) => ({
      source: concat(
        "joined",
        pairs.map(({ source }) => source),
      ),
      bytes: Buffer.concat(pairs.map(({ bytes }) => bytes)),
    })),
    fc.tuple(tie("source"), fc.nat(500), fc.nat(500)).map(([{ source, bytes }, before, after]) => ({
      source: compose("laid out", before + bytes.length + after, [
        { offset: before, length: bytes.length, content: source },
      ]),
      bytes: Buffer.concat([Buffer.alloc(before), bytes, Buffer.alloc(after)]),
    })),
  ),
}));

describe("sources of any make", () => {
  it("read any range as it is, and cover it exactly with extents", async () => {
    await fc.assert(
      fc.asyncProperty(anySource, fc.nat(), fc.nat(), async ({ source, bytes }, a, b) => {
        expect(source.size).toBe(bytes.length);
        const offset = a % (bytes.length + 1);
        const length = b % (bytes.length - offset + 1);
        expect(Buffer.from(await source.read(offset, length)).equals(bytes.subarray(offset, offset + length))).toBe(
          true,
        );
        let at = offset;
        for await (const extent of extents(source, offset, length)) {
          expect(extent.offset).toBe(at);
          expect(extent.length).toBeGreaterThan(0);
          if (extent.kind === "zero")
            expect(bytes.subarray(at, at + extent.length).every((byte) => byte === 0)).toBe(true);
          if (extent.stored !== undefined) {
            expect(
              FILE.subarray(extent.stored.offset, extent.stored.offset + extent.length).equals(
                bytes.subarray(at, at + extent.length),
              ),
            ).toBe(true);
          }
          at += extent.length;
        }
        expect(at).toBe(offset + length);
      }),
      { numRuns: 300 },
    );
  });

  it("give their content in chunks", async () => {
    const parts: Buffer[] = [];
    for await (const chunk of chunks(new ZeroPadded(file, FILE.length + 10), 5, FILE.length, 4096)) {
      parts.push(chunk.kind === "data" ? Buffer.from(chunk.bytes) : Buffer.alloc(chunk.length));
    }
    expect(Buffer.concat(parts).equals(Buffer.concat([FILE.subarray(5), Buffer.alloc(5)]))).toBe(true);
  });

  it("refuse what lies beyond their end", async () => {
    for (const [offset, length] of [
      [FILE.length, 1],
      [-1, 1],
      [0, FILE.length + 1],
      [FILE.length - 1, 2],
    ] as const) {
      expect(() => file.read(offset, length)).toThrow(
        expect.objectContaining({ code: "BYTES_TRUNCATED", exitCode: 65 }),
      );
    }
    await expect(readAll(file, 10)).rejects.toMatchObject({ code: "BYTES_TOO_LARGE" });
  });
});

describe("a file", () => {
  it("that is none is refused", () => {
    expect(() => FileSource.open("/dev/null")).toThrow(expect.objectContaining({ code: "FILE_NOT_REGULAR" }));
    expect(() => FileSource.open(join(folder, "nowhere"))).toThrow(expect.objectContaining({ code: "FILE_NOT_FOUND" }));
  });

  it("says when it has become shorter", () => {
    const path = join(folder, "shrinking");
    writeFileSync(path, Buffer.alloc(10_000));
    const source = FileSource.open(path);
    writeFileSync(path, Buffer.alloc(5000));
    expect(() => source.read(0, 10_000)).toThrow(expect.objectContaining({ code: "BYTES_TRUNCATED" }));
  });
});

describe("a record", () => {
  class Record extends LittleEndianView {
    constructor(bytes: Uint8Array, offset: number) {
      super(bytes, offset, 16);
    }
  }

  it("must lie inside its block, and its numbers below 2^53", () => {
    expect(() => new Record(new Uint8Array(20), 5)).toThrow(
      expect.objectContaining({ code: "BYTES_RECORD_TRUNCATED" }),
    );
    const record = new Record(new Uint8Array(20).fill(0xff), 4);
    expect(() => record.u64(0)).toThrow(expect.objectContaining({ code: "BYTES_NUMBER_TOO_LARGE" }));
    record.setU64(8, 2 ** 40 + 5);
    expect(record.u64(8)).toBe(2 ** 40 + 5);
  });
});
