import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { extents } from "../../src/bytes/byte-source.ts";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import { overlay, type Patch } from "../../src/bytes/overlay.ts";

const BLOCK = 8;

describe("overlay", () => {
  it("reads as the base with its blocks replaced, and its extents cover exactly", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 100 }),
        fc.uniqueArray(fc.record({ block: fc.nat(15), inMemory: fc.boolean() }), { selector: ({ block }) => block }),
        fc.nat(100),
        fc.nat(100),
        async (size, changes, from, to) => {
          const plain = Uint8Array.from({ length: size }, (_, index) => index % 100);
          const log = new MemorySource(Uint8Array.from({ length: 200 }, (_, index) => 100 + (index % 100)));
          const patches = new Map<number, Patch>();
          const expected = Uint8Array.from(plain);
          for (const { block, inMemory } of changes) {
            const bytes = await log.read(block * BLOCK, BLOCK);
            patches.set(block, inMemory ? bytes : { source: log, offset: block * BLOCK });
            for (let at = 0; at < BLOCK && block * BLOCK + at < size; at++)
              expected[block * BLOCK + at] = bytes[at] ?? 0;
          }
          const source = overlay(new MemorySource(plain), BLOCK, patches);
          const start = Math.min(from, to, size);
          const length = Math.min(Math.max(from, to), size) - start;
          expect(Uint8Array.from(await source.read(start, length))).toEqual(expected.subarray(start, start + length));
          let at = start;
          for await (const extent of extents(source, start, length)) {
            expect(extent.offset).toBe(at);
            at += extent.length;
          }
          expect(at).toBe(start + length);
        },
      ),
    );
  });
});
