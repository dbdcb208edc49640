import { randomBytes } from "node:crypto";
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateSync, inflateRawSync, inflateSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import type { ByteSource, Extent } from "../../src/bytes/byte-source.ts";
import type { Piece } from "../../src/bytes/content.ts";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import { packUnits, type UnitCoding, type UnitTotals } from "../../src/bytes/pack/units.ts";
import { createContext, DEFAULT_LIMITS } from "../../src/context.ts";

const folder = mkdtempSync(join(tmpdir(), "transload-units-"));
afterAll(() => rmSync(folder, { recursive: true }));

const UNIT = 64 << 10;

function context(threads: number) {
  return createContext({ limits: { ...DEFAULT_LIMITS, threads } });
}

/** What comes out when every unit is put in its place. */
async function run(pieces: Iterable<Piece>, size: number, coding: UnitCoding, threads = 0) {
  const totals: UnitTotals = { done: 0, reused: 0 };
  const { unitBytes } = coding;
  const plain = Buffer.alloc(Math.ceil(size / unitBytes) * unitBytes);
  const units: { index: number; isCoded: boolean; bytes: Buffer }[] = [];
  for await (const { index, isCoded, bytes } of packUnits(pieces, coding, totals, context(threads))) {
    units.push({ index, isCoded, bytes: Buffer.from(bytes) });
    const inflate = coding.coding === "zlib" ? inflateSync : inflateRawSync;
    plain.set(isCoded ? inflate(bytes) : bytes, index * unitBytes);
  }
  return { plain: plain.subarray(0, size), units, totals };
}

/** A file of zlib units, as the grains of a disk are stored. */
function stored(units: readonly Buffer[], unitBytes: number): ByteSource {
  const deflated = units.map((unit) => deflateSync(unit, { level: 9 }));
  const path = join(folder, randomBytes(8).toString("hex"));
  writeFileSync(path, Buffer.concat(deflated));
  const fd = openSync(path, "r");
  const plain = Buffer.concat(units);
  const offsets = deflated.map((_, n) => deflated.slice(0, n).reduce((sum, each) => sum + each.length, 0));
  return {
    name: "units",
    size: plain.length,
    read: (offset, length) => plain.subarray(offset, offset + length),
    extentAt(offset, limit): Extent {
      const n = Math.floor(offset / unitBytes);
      const skip = offset % unitBytes;
      const at = { fd, offset: offsets[n] ?? 0, length: deflated[n]?.length ?? 0 };
      const length = Math.min(limit, unitBytes - skip);
      return { offset, length, kind: "data", stored: { ...at, coding: "zlib", skip, size: unitBytes } };
    },
    [Symbol.asyncDispose]: async () => closeSync(fd),
  };
}

describe("packUnits", () => {
  const text = Buffer.alloc(UNIT, "some text. ");
  const noise = randomBytes(UNIT);
  const zeros = Buffer.alloc(UNIT);

  it.each([0, 2])("leaves out zeros, and keeps the order (%i threads)", async (threads) => {
    const all = Buffer.concat([zeros, text, zeros, noise, text.subarray(0, 1000)]);
    const source = new MemorySource(all);
    const pieces = [{ source, offset: 0, length: all.length }];
    for (const coding of ["zlib", "deflate", "plain"] as const) {
      const found = await run(pieces, all.length, { coding, unitBytes: UNIT, level: 6 }, threads);
      expect(found.units.map(({ index }) => index)).toEqual([1, 3, 4]);
      expect(found.plain.equals(all), coding).toBe(true);
      expect(found.totals.done).toBe(5 * UNIT);
    }
  });

  it("gives a unit as it is where raw deflate does not make it smaller", async () => {
    const pieces = [{ bytes: noise }, { bytes: text }];
    const { units } = await run(pieces, 2 * UNIT, { coding: "deflate", unitBytes: UNIT, level: 6, windowBits: 12 });
    expect(units.map(({ isCoded }) => isCoded)).toEqual([false, true]);
    expect(inflateRawSync(units[1]?.bytes ?? zeros, { windowBits: 12 }).equals(text)).toBe(true);
  });

  it("takes a stored unit of the same place and size over as it is, and no other", async () => {
    await using source = stored([text, noise, zeros, text], UNIT);
    const coding = { coding: "zlib", unitBytes: UNIT, level: 1 } as const;
    const whole = [{ source, offset: 0, length: source.size }];
    const aligned = await run(whole, source.size, coding);
    expect(aligned.totals.reused).toBe(3 * UNIT);
    expect(aligned.units[0]?.bytes.equals(deflateSync(text, { level: 9 }))).toBe(true);
    expect(aligned.units.map(({ index }) => index)).toEqual([0, 1, 3]);
    const shifted = await run([{ zeros: 512 }, ...whole], source.size + 512, coding);
    expect(shifted.totals.reused).toBe(0);
    expect(shifted.plain.subarray(512).equals(Buffer.concat([text, noise, zeros, text]))).toBe(true);
    const halves = await run(whole, source.size, { ...coding, unitBytes: UNIT / 2 });
    expect(halves.totals.reused).toBe(0);
    expect(halves.plain.equals(Buffer.concat([text, noise, zeros, text]))).toBe(true);
  });

  it("passes holes of terabytes at once", async () => {
    const pieces = [{ bytes: text }, { zeros: 2 ** 42 }, { bytes: text.subarray(0, 10) }];
    const totals: UnitTotals = { done: 0, reused: 0 };
    const indices: number[] = [];
    const coding = { coding: "plain", unitBytes: UNIT, level: 1 } as const;
    for await (const { index } of packUnits(pieces, coding, totals, context(0))) indices.push(index);
    expect(indices).toEqual([0, 1 + 2 ** 42 / UNIT]);
  });

  it("tells where the source is damaged", async () => {
    await using source = stored([text, text], UNIT);
    const damaged: ByteSource = {
      ...source,
      extentAt(offset, limit) {
        const extent = source.extentAt(offset, limit) as Extent & { stored: object };
        return offset < UNIT ? extent : { ...extent, stored: { ...extent.stored, offset: 3 } as never };
      },
    };
    const pieces = [{ source: damaged, offset: 0, length: 2 * UNIT }];
    const coding = { coding: "zlib", unitBytes: UNIT, level: 1 } as const;
    await expect(run(pieces, 2 * UNIT, coding)).rejects.toMatchObject({ code: "PACK_DATA_DAMAGED" });
  });

  it("gives back any pieces", async () => {
    const piece = fc.oneof(
      fc.record({ fill: fc.integer({ min: 1, max: 255 }), length: fc.integer({ min: 1, max: 300_000 }) }),
      fc.record({ fill: fc.constant(0), length: fc.integer({ min: 1, max: 3_000_000 }) }),
    );
    const property = fc.asyncProperty(
      fc.array(piece, { maxLength: 8 }),
      fc.constantFrom(4096, UNIT, 1 << 20),
      fc.constantFrom("zlib", "deflate", "plain"),
      async (parts, unitBytes, coding) => {
        const all = Buffer.concat(parts.map(({ fill, length }) => Buffer.alloc(length, fill)));
        const pieces = parts.map(({ fill, length }, n): Piece => {
          if (fill === 0 && n % 2 === 0) return { zeros: length };
          const bytes = Buffer.alloc(length + n, fill);
          return n % 3 === 0 ? { source: new MemorySource(bytes), offset: n, length } : { bytes: bytes.subarray(n) };
        });
        const { plain, units } = await run(pieces, all.length, { coding, unitBytes, level: 1 });
        expect(plain.equals(all)).toBe(true);
        const indices = units.map(({ index }) => index);
        expect(indices).toEqual([...new Set(indices)].sort((a, b) => a - b));
      },
    );
    await fc.assert(property, { numRuns: 30 });
  });
});
