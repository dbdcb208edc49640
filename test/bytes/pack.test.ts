import { randomBytes } from "node:crypto";
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateSync, gunzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import type { ByteSource, Extent } from "../../src/bytes/byte-source.ts";
import type { Piece } from "../../src/bytes/content.ts";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import { type PackTotals, pack } from "../../src/bytes/pack/pack.ts";
import { createContext } from "../../src/context.ts";

const folder = mkdtempSync(join(tmpdir(), "transload-pack-"));
afterAll(() => rmSync(folder, { recursive: true }));

const UNIT = 65536;

/** A source of zlib units in a file, as a compressed disk has them; unit n is text, noise or a hole. */
function unitSource(kinds: readonly ("text" | "noise" | "hole")[], damage?: (stored: Buffer, unit: number) => Buffer) {
  const units = kinds.map((kind, n) =>
    kind === "hole"
      ? Buffer.alloc(UNIT)
      : kind === "noise"
        ? randomBytes(UNIT)
        : Buffer.alloc(UNIT, `line ${n} of the text\n`),
  );
  const stored = units.map((unit, n) => {
    const deflated = deflateSync(unit, { level: 9 });
    return damage === undefined ? deflated : damage(deflated, n);
  });
  const path = join(folder, `units-${randomBytes(4).toString("hex")}`);
  writeFileSync(path, Buffer.concat(stored));
  const fd = openSync(path, "r");
  const plain = Buffer.concat(units);
  const offsets = stored.map((_, n) => stored.slice(0, n).reduce((sum, each) => sum + each.length, 0));
  const source: ByteSource = {
    name: "units",
    size: plain.length,
    read: (offset, length) => plain.subarray(offset, offset + length),
    extentAt(offset, limit): Extent {
      const unit = Math.floor(offset / UNIT);
      const skip = offset - unit * UNIT;
      const length = Math.min(limit, UNIT - skip, plain.length - offset);
      if (kinds[unit] === "hole") return { offset, length, kind: "zero" };
      const at = { fd, offset: offsets[unit] ?? 0, length: stored[unit]?.length ?? 0 };
      return { offset, length, kind: "data", stored: { ...at, coding: "zlib", skip, size: UNIT } };
    },
    [Symbol.asyncDispose]: async () => closeSync(fd),
  };
  return { source, plain };
}

async function run(pieces: readonly Piece[], options: { coding?: "gzip" | "identity"; threads?: number } = {}) {
  const totals: PackTotals = { plain: 0, coded: 0, reused: 0 };
  const plain: Buffer[] = [];
  const coded: Buffer[] = [];
  const all = { coding: options.coding ?? "gzip", level: 6, threads: options.threads ?? 0 } as const;
  const onPlain = (bytes: Uint8Array) => plain.push(Buffer.from(bytes));
  for await (const chunk of pack(pieces, { ...all, onPlain }, totals, createContext())) coded.push(Buffer.from(chunk));
  return { plain: Buffer.concat(plain), coded: Buffer.concat(coded), totals };
}

describe("pack", () => {
  it.each([0, 2])("reuses whole stored units and compresses the rest (%i threads)", async (threads) => {
    const { source, plain } = unitSource(["text", "noise", "hole", "text", "text", "noise"]);
    const pieces = [
      { bytes: Buffer.from("header") },
      { source, offset: 0, length: plain.length },
      { zeros: 100_000 },
      { source, offset: 1000, length: UNIT * 2 },
    ];
    const expected = Buffer.concat([
      Buffer.from("header"),
      plain,
      Buffer.alloc(100_000),
      plain.subarray(1000, 1000 + UNIT * 2),
    ]);
    const result = await run(pieces, { threads });
    expect(result.plain.equals(expected)).toBe(true);
    expect(gunzipSync(result.coded).equals(expected)).toBe(true);
    // Five whole units as they are, and the second unit once more in the last piece.
    expect(result.totals).toEqual({ plain: expected.length, coded: result.coded.length, reused: UNIT * 6 });
    await source[Symbol.asyncDispose]();
  });

  it("gives the plain bytes with identity", async () => {
    const { source, plain } = unitSource(["text", "noise"]);
    const result = await run([{ source, offset: 0, length: plain.length }], { coding: "identity", threads: 1 });
    expect(result.coded.equals(plain)).toBe(true);
    expect(result.totals.reused).toBe(0);
    await source[Symbol.asyncDispose]();
  });

  it("any mix of pieces comes out in order", async () => {
    const { source, plain } = unitSource(["text", "hole", "noise", "text"]);
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 2000 }).map((bytes) => ({ piece: { bytes }, plain: Buffer.from(bytes) })),
      fc.nat(3_000_000).map((zeros) => ({ piece: { zeros }, plain: Buffer.alloc(zeros) })),
      fc.tuple(fc.nat(plain.length), fc.nat(plain.length)).map(([a, b]) => {
        const [offset, end] = [Math.min(a, b), Math.max(a, b)];
        return { piece: { source, offset, length: end - offset }, plain: plain.subarray(offset, end) };
      }),
      fc.uint8Array({ minLength: 1, maxLength: 4000 }).map((bytes) => ({
        piece: { source: new MemorySource(bytes), offset: 0, length: bytes.length },
        plain: Buffer.from(bytes),
      })),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 12 }), async (parts) => {
        const expected = Buffer.concat(parts.map((part) => part.plain));
        const result = await run(parts.map((part) => part.piece));
        expect(result.plain.equals(expected)).toBe(true);
        expect((expected.length === 0 ? Buffer.alloc(0) : gunzipSync(result.coded)).equals(expected)).toBe(true);
      }),
      { numRuns: 30 },
    );
    await source[Symbol.asyncDispose]();
  });

  it("gives the same bytes whatever the number of threads", async () => {
    const { source, plain } = unitSource(
      Array.from({ length: 60 }, (_, n) => (["text", "noise", "hole"] as const)[n % 3] ?? "text"),
    );
    const pieces = [
      { source, offset: 512, length: plain.length - 512 },
      { bytes: randomBytes(50_000) },
      { source, offset: 0, length: 70_000 },
    ];
    const [none, one, three] = await Promise.all([0, 1, 3].map((threads) => run(pieces, { threads })));
    expect(one?.coded.equals(none?.coded ?? Buffer.alloc(0))).toBe(true);
    expect(three?.coded.equals(none?.coded ?? Buffer.alloc(0))).toBe(true);
    await source[Symbol.asyncDispose]();
  });

  it("compresses afresh what has bytes after the stream", async () => {
    const { source, plain } = unitSource(["text"], (stored) => Buffer.concat([stored, Buffer.from("tail")]));
    const result = await run([{ source, offset: 0, length: plain.length }]);
    expect(gunzipSync(result.coded).equals(plain)).toBe(true);
    expect(result.totals.reused).toBe(0);
    await source[Symbol.asyncDispose]();
  });

  it.each([0, 1])("names the place of damaged data (%i threads)", async (threads) => {
    const flip = (stored: Buffer, unit: number) =>
      unit === 1 ? Buffer.from(stored.map((byte, at) => (at > 20 && at < 90 ? byte ^ 0x55 : byte))) : stored;
    const { source, plain } = unitSource(["text", "noise"], flip);
    const result = run([{ source, offset: 0, length: plain.length }], { threads });
    await expect(result).rejects.toMatchObject({ code: "PACK_DATA_DAMAGED", exitCode: 65, where: { file: "units" } });
    await source[Symbol.asyncDispose]();
  });

  it("says when the file ends inside a unit", async () => {
    const { source, plain } = unitSource(["noise"]);
    const short: ByteSource = {
      ...source,
      extentAt: (offset, limit) => {
        const extent = source.extentAt(offset, limit) as Extent;
        return extent.stored === undefined
          ? extent
          : { ...extent, stored: { ...extent.stored, length: extent.stored.length + 10 } };
      },
    };
    await expect(run([{ source: short, offset: 0, length: plain.length }])).rejects.toMatchObject({
      code: "BYTES_TRUNCATED",
    });
    await source[Symbol.asyncDispose]();
  });

  it("ends its threads when the consumer stops early", async () => {
    const pieces = Array.from({ length: 40 }, () => ({ bytes: randomBytes(1 << 20) }));
    const totals: PackTotals = { plain: 0, coded: 0, reused: 0 };
    for await (const chunk of pack(
      pieces,
      { coding: "gzip", level: 1, threads: 2, onPlain() {} },
      totals,
      createContext(),
    )) {
      expect(chunk.length).toBeGreaterThan(0);
      break;
    }
    expect(totals.plain).toBeLessThan(3 << 20);
  });
});
