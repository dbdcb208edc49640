import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { crc32c } from "../../src/bytes/crc32c.ts";

function bitByBit(seed: number, bytes: Uint8Array): number {
  let crc = seed;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return crc >>> 0;
}

describe("crc32c", () => {
  it.each([
    ["32 zeros", new Uint8Array(32), 0x8a9136aa],
    ["32 ones", new Uint8Array(32).fill(0xff), 0x62a8ab43],
    ["ascending", Uint8Array.from({ length: 32 }, (_, index) => index), 0x46dd794e],
    ["123456789", Buffer.from("123456789"), 0xe3069283],
  ])("gives the value of RFC 3720 for %s", (_, bytes, expected) => {
    expect(~crc32c(0xffffffff, bytes) >>> 0).toBe(expected);
  });

  it("equals the definition for any length and any cut", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(100), fc.nat(0xffffffff), (bytes, cut, seed) => {
        expect(crc32c(seed, bytes)).toBe(bitByBit(seed, bytes));
        expect(crc32c(crc32c(seed, bytes.subarray(0, cut)), bytes.subarray(cut))).toBe(crc32c(seed, bytes));
      }),
    );
  });
});
