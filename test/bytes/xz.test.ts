import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeLz4 } from "../../src/bytes/lz4.ts";
import { decodeLzma } from "../../src/bytes/lzma.ts";
import { decodeXz, unxz } from "../../src/bytes/xz.ts";
import { ConverterError } from "../../src/errors.ts";
import { describeWith } from "../support/needs.ts";

const PLAIN = Buffer.from(Array.from({ length: 4000 }, (_, index) => `line ${(index * index) % 977}\n`).join(""));

function xz(plain: Uint8Array, ...options: string[]): Buffer {
  const { stdout, status, stderr } = spawnSync("xz", ["-c", ...options], { input: plain, maxBuffer: 64 << 20 });
  if (status !== 0) throw new Error(stderr.toString());
  return stdout;
}

function decoded(packed: Uint8Array, most: number): string | undefined {
  const bytes = decodeXz(packed, new Uint8Array(most), "test");
  return bytes && Buffer.from(bytes).toString("latin1");
}

/** Bytes in which the opcodes of branches are frequent. */
const code = fc
  .array(
    fc.oneof(
      fc.constantFrom([0xe8], [0xe9], [0x00], [0xff], [0xeb], [0x48, 0, 0, 1], [0x40, 0, 0, 9], [0x7f, 0xff, 0xff, 1]),
      fc.constantFrom([0x12, 0xf0, 0x34, 0xf8], [0x22, 0xf7, 0x44, 0xff], [5, 0, 0, 0x94], [5, 0, 0, 0x90]),
      fc.array(fc.nat(255), { maxLength: 6 }),
    ),
    { minLength: 20, maxLength: 400 },
  )
  .map((parts) => Uint8Array.from(parts.flat()));

function streamed(packed: Uint8Array): Buffer {
  const pieces: Buffer[] = [];
  for (const piece of unxz(packed, "test")) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

describeWith({ tools: ["xz"] }, "what xz packs, read in pieces", () => {
  /** Repeats from far back, and more than the decoder's window holds. */
  const large = Buffer.concat(
    Array.from({ length: 300 }, (_, index) => Buffer.concat([PLAIN.subarray(index * 7), Buffer.alloc(999, index)])),
  );

  it.each([["--lzma2=dict=64KiB"], ["--check=crc32", "--lzma2=dict=1MiB,pb=4"], ["--block-size=4000000"], ["-9"]])(
    "is the same with %s",
    (...options) => {
      expect(streamed(xz(large, ...options)).equals(large)).toBe(true);
    },
    60_000,
  );

  it("is refused where it is damaged, filtered or needs too large a dictionary", () => {
    const packed = xz(PLAIN, "--check=crc32");
    fc.assert(
      fc.property(fc.nat(packed.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const damaged = Buffer.from(packed);
        damaged[at] = (damaged[at] ?? 0) ^ flip;
        try {
          // Padding and footer say nothing of the data.
          expect(streamed(damaged).equals(PLAIN)).toBe(true);
        } catch (cause) {
          expect(cause).toBeInstanceOf(ConverterError);
        }
      }),
    );
    expect(() => streamed(packed.subarray(0, -20))).toThrow(expect.objectContaining({ code: "BYTES_COMPRESSED" }));
    expect(() => streamed(xz(PLAIN, "--x86", "--lzma2"))).toThrow(expect.objectContaining({ code: "XZ_FILTER" }));
    expect(() => streamed(xz(PLAIN, "--lzma2=dict=96MiB"))).toThrow(expect.objectContaining({ code: "XZ_DICTIONARY" }));
  });
});

describeWith({ tools: ["xz"] }, "what xz packs", () => {
  it.each(["none", "crc32", "crc64", "sha256"])("is read with the check %s", (check) => {
    expect(decoded(xz(PLAIN, `--check=${check}`), PLAIN.length)).toBe(PLAIN.toString());
  });

  it("is read in several blocks, with any parameters, and if it does not shrink", () => {
    expect(decoded(xz(PLAIN, "--block-size=10000"), PLAIN.length)).toBe(PLAIN.toString());
    const parameters = [
      "--lzma2=lc=0,lp=2,pb=0",
      "--lzma2=lc=4,lp=0,pb=4",
      "--lzma2=preset=9e",
      "--lzma2=mode=fast,mf=hc3",
    ];
    for (const option of parameters) expect(decoded(xz(PLAIN, option), PLAIN.length)).toBe(PLAIN.toString());
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100_000, size: "max" }), (bytes) => {
        expect(decoded(xz(bytes), bytes.length)).toBe(Buffer.from(bytes).toString("latin1"));
      }),
      { numRuns: 10 },
    );
  });

  it.each(["x86", "powerpc", "arm", "armthumb", "sparc", "arm64"])("is read through the filter %s", (filter) => {
    if (filter === "arm64" && !spawnSync("xz", ["--long-help"]).stdout.includes("--arm64")) return;
    fc.assert(
      fc.property(code, (bytes) => {
        const packed = xz(bytes, `--${filter}`, "--lzma2");
        expect(decoded(packed, bytes.length)).toBe(Buffer.from(bytes).toString("latin1"));
      }),
      { numRuns: 40 },
    );
  });

  it.each(["--ia64", "--delta=dist=2"])("is refused with %s", (filter) => {
    expect(() => decoded(xz(PLAIN, filter, "--lzma2"), PLAIN.length)).toThrow(
      expect.objectContaining({ code: "XZ_FILTER" }),
    );
  });

  it("is read in the old form", () => {
    const packed = xz(PLAIN, "--format=lzma");
    expect(Buffer.from(decodeLzma(packed, new Uint8Array(PLAIN.length)) ?? []).equals(PLAIN)).toBe(true);
    expect(decodeLzma(packed.subarray(0, 500), new Uint8Array(PLAIN.length))).toBeUndefined();
  });

  it("is found out where it is damaged, cut off or too long", () => {
    const packed = xz(PLAIN, "--check=crc32");
    expect(decoded(packed, PLAIN.length - 1)).toBeUndefined();
    const headless = Buffer.from(packed);
    headless[12] = 0; // the first block's size, which then reads as the index
    expect(decoded(headless, PLAIN.length)).toBeUndefined();
    fc.assert(
      fc.property(fc.nat(packed.length - 33), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const damaged = Buffer.from(packed);
        damaged[at] = (damaged[at] ?? 0) ^ change;
        expect(decoded(damaged.subarray(0, at + 1), PLAIN.length)).toBeUndefined();
        expect(decoded(damaged, PLAIN.length)).toBeUndefined();
      }),
    );
  });
});

describe("an LZ4 block", () => {
  const decode = (...bytes: number[]) => {
    const found = decodeLz4(Uint8Array.from(bytes), new Uint8Array(64));
    return found && Buffer.from(found).toString();
  };

  it("has literals and matches that may overlap", () => {
    expect(decode(0x14, 0x61, 1, 0, 0x10, 0x62)).toBe("aaaaaaaaab");
    expect(decode(0x00)).toBe("");
  });

  it.each([
    ["ends inside a length", [0xf0, 255]],
    ["ends inside literals", [0x30, 1, 2]],
    ["ends behind a match", [0x14, 0x61, 1, 0]],
    ["matches what is not there", [0x14, 0x61, 2, 0, 0x10, 0x62]],
    ["has a distance of 0", [0x14, 0x61, 0, 0, 0x10, 0x62]],
    ["is too long", [0x1f, 0x61, 1, 0, 100, 0x10, 0x62]],
  ])("is damaged if it %s", (_, bytes) => {
    expect(decode(...bytes)).toBeUndefined();
  });
});
