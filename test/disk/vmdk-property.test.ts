import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ByteSource, extents, isPromise } from "../../src/bytes/byte-source.ts";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import { openDisk } from "../../src/disk/index.ts";
import { memoryContext } from "./images.ts";
import { buildSparse, rawOf, type SparseOptions } from "./vmdk-builder.ts";

/** Answers everything with promises, as a source that is far away. */
function faraway(source: ByteSource): ByteSource {
  return {
    name: source.name,
    size: source.size,
    read: async (offset, length) => await source.read(offset, length),
    extentAt: async (offset, limit) => await source.extentAt(offset, limit),
    [Symbol.asyncDispose]: async () => {},
  };
}

const GRAIN = 8;

const content = fc.oneof(
  fc.integer({ min: 0, max: 255 }).map((byte) => new Uint8Array(GRAIN * 512).fill(byte)),
  fc.integer({ min: 1, max: 1e9 }).map((seed) => {
    let state = seed;
    return Uint8Array.from({ length: GRAIN * 512 }, () => {
      state = (state * 48271) % 0x7fffffff;
      return state & 0xff;
    });
  }),
);

const shape = fc.constantFrom(
  {},
  { redundant: true },
  { compressed: true },
  { compressed: true, directoryAtEnd: true },
  { compressed: true, unmarked: "bare" as const },
  { compressed: true, unmarked: "length" as const },
);

const images: fc.Arbitrary<SparseOptions> = fc
  .record({
    capacity: fc.integer({ min: 1, max: 700 }),
    tableEntries: fc.constantFrom(1, 4, 16),
    grains: fc.array(fc.tuple(fc.nat(90), fc.option(content, { freq: 6 })), { maxLength: 30 }),
    shape,
  })
  .map(({ capacity, tableEntries, grains, shape: rest }) => ({
    capacity,
    tableEntries,
    grains: new Map(
      grains
        .filter(([grain]) => grain * GRAIN < capacity)
        .map(([grain, bytes]) => [grain, bytes ?? ("zeroed" as const)]),
    ),
    ...rest,
  }));

describe("any sparse VMDK", () => {
  it("reads as its raw bytes at any place, at once or later", async () => {
    await fc.assert(
      fc.asyncProperty(images, fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 8 }), async (options, places) => {
        const raw = rawOf(options);
        const near = await openDisk(new MemorySource(buildSparse(options).bytes), memoryContext());
        const far = await openDisk(faraway(new MemorySource(buildSparse(options).bytes)), memoryContext());
        expect(near.size).toBe(raw.length);
        for (const [from, much] of [[0, raw.length] as const, ...places]) {
          const offset = from % raw.length;
          const length = Math.min(much, raw.length - offset);
          const found = near.read(offset, length);
          if (isPromise(found)) throw new Error("a read that needs no waiting gave a promise");
          expect(Buffer.compare(found, raw.subarray(offset, offset + length))).toBe(0);
          expect(Buffer.compare(await far.read(offset, length), raw.subarray(offset, offset + length))).toBe(0);
        }
      }),
      { numRuns: 150 },
    );
  });

  it("is covered exactly by extents, and its holes are zeros", async () => {
    await fc.assert(
      fc.asyncProperty(images, fc.nat(), fc.nat(), async (options, from, much) => {
        const raw = rawOf(options);
        for (const source of [
          new MemorySource(buildSparse(options).bytes),
          faraway(new MemorySource(buildSparse(options).bytes)),
        ]) {
          const disk = await openDisk(source, memoryContext());
          const offset = from % raw.length;
          const length = much % (raw.length - offset);
          let at = offset;
          for await (const extent of extents(disk, offset, length)) {
            expect(extent.offset).toBe(at);
            expect(extent.length).toBeGreaterThan(0);
            at += extent.length;
            if (extent.kind === "zero") expect(raw.subarray(extent.offset, at).every((byte) => byte === 0)).toBe(true);
          }
          expect(at).toBe(offset + length);
        }
      }),
      { numRuns: 150 },
    );
  });
});
