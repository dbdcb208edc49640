import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bytesPerUnit, inBytes, parseCount, parseInteger } from "../../src/ovf/units.ts";

describe("bytesPerUnit", () => {
  it.each([
    ["byte", 1n],
    ["bytes", 1n],
    ["B", 1n],
    ["byte * 2^20", 1n << 20n],
    ["byte*2^30", 1n << 30n],
    ["byte * 2 ^ 30", 1n << 30n],
    ["bytes * 2^40", 1n << 40n],
    ["byte*1024*1024", 1n << 20n],
    ["byte * 10^9", 1_000_000_000n],
    ["KB", 1n << 10n],
    ["MB", 1n << 20n],
    ["MegaBytes", 1n << 20n],
    ["megabyte", 1n << 20n],
    ["KiloBytes", 1n << 10n],
    ["GigaBytes", 1n << 30n],
    ["GB", 1n << 30n],
    ["GiB", 1n << 30n],
    ["TeraBytes", 1n << 40n],
    ["KB * 2^10", 1n << 20n],
  ])("reads %s", (units, bytes) => expect(bytesPerUnit(units)).toBe(bytes));

  it.each([
    "",
    "hertz * 10^6",
    "Disk",
    "Processor Cores",
    "byte *",
    "byte * 2^99",
    "byte * -1",
    "byte^2",
    "2^20",
    "megs",
  ])("knows no bytes in %j", (units) => expect(bytesPerUnit(units)).toBeUndefined());

  it("agrees with arithmetic, whatever the blanks", () => {
    const blank = fc.constantFrom("", " ", "  ", "\t");
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 62 }), blank, blank, blank, (exponent, a, b, c) => {
        expect(bytesPerUnit(`byte${a}*${b}2${c}^${exponent}`)).toBe(1n << BigInt(exponent));
      }),
    );
  });

  it("ends quickly for any text", () => {
    fc.assert(fc.property(fc.string(), (text) => void bytesPerUnit(text)));
    expect(bytesPerUnit(`byte${" * 99999999^99".repeat(1000)}`)).toBeUndefined();
  });
});

describe("integers", () => {
  it("are exact up to 2^63-1 and never negative", () => {
    expect(parseInteger(" 9223372036854775807 ")).toBe(2n ** 63n - 1n);
    expect(parseInteger("9223372036854775808")).toBeUndefined();
    for (const text of ["-1", "+1", "1.5", "1e3", "0x10", "", "@@SIZE@@"]) expect(parseInteger(text)).toBeUndefined();
    expect(parseCount("007")).toBe(7);
  });

  it("are undefined as numbers where they would not be exact", () => {
    expect(parseCount("9007199254740991")).toBe(2 ** 53 - 1);
    expect(parseCount("9007199254740993")).toBeUndefined();
    expect(inBytes(8n, 1n << 30n)).toBe(8 * 2 ** 30);
    expect(inBytes(2n ** 40n, 1n << 40n)).toBeUndefined();
  });
});
