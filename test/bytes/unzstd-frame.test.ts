import { execFileSync } from "node:child_process";
import { Readable } from "node:stream";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decompress, unzstdFrame } from "../../src/bytes/decompress.ts";
import { ConverterError } from "../../src/errors.ts";
import { describeWith } from "../support/needs.ts";

/** "hello" in a frame with a checksum, as zstd 1.5 makes it from a pipe. */
const HELLO = Buffer.from("28b52ffd04582900006865 6c6c6f".replaceAll(" ", ""), "hex");

function codeOf(work: () => unknown): string {
  try {
    work();
    return "";
  } catch (error) {
    if (error instanceof ConverterError) return error.code;
    throw error;
  }
}

describeWith({ tools: ["zstd"] }, "one zstd frame", () => {
  const content = Buffer.concat(Array.from({ length: 3000 }, (_, n) => Buffer.from(`line ${n * n}\n`)));
  const frame = (bytes: Buffer, ...options: readonly string[]): Buffer =>
    execFileSync("zstd", ["-c", "-q", ...options], { input: bytes });

  it.each([[0], [5], [11], [700], [content.length]])("of %i bytes is found before what follows it", (length) => {
    const plain = content.subarray(0, length);
    for (const options of [["-1"], ["-19", "--no-check"]]) {
      const bytes = Buffer.concat([frame(plain, ...options), Buffer.alloc(700, 0xa5)]);
      expect(Buffer.compare(unzstdFrame(bytes, 1 << 20, "x"), plain)).toBe(0);
    }
  });

  it.each([[0], [1], [5], [11], [700]])("of %i bytes comes out of a stream too", async (length) => {
    const plain = content.subarray(0, length);
    for (const options of [["-1"], ["-19", "--no-check"]]) {
      const packed = [frame(plain, ...options), frame(plain, ...options)];
      const pieces: Uint8Array[] = [];
      for await (const piece of decompress(Readable.from(packed), "zstd", "x")) pieces.push(piece);
      expect(Buffer.compare(Buffer.concat(pieces), Buffer.concat([plain, plain]))).toBe(0);
    }
  });

  it("gives no more than is asked for", () => {
    expect(codeOf(() => unzstdFrame(frame(Buffer.alloc(1 << 20)), (1 << 20) - 1, "x"))).toBe("BYTES_COMPRESSED");
    expect(unzstdFrame(frame(Buffer.alloc(1 << 20)), 1 << 20, "x").length).toBe(1 << 20);
  });

  it("that is damaged or cut off ends with a ConverterError or other bytes", () => {
    const bytes = frame(content, "-19");
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), fc.boolean(), (at, value, cut) => {
        const damaged = Buffer.from(bytes);
        damaged[at] = value;
        codeOf(() => unzstdFrame(cut ? damaged.subarray(0, at) : damaged, content.length, "x"));
      }),
      { numRuns: 300 },
    );
  });
});

describe("what is no zstd frame", () => {
  it.each([
    ["BYTES_COMPRESSED", Buffer.alloc(0)],
    ["BYTES_COMPRESSED", Buffer.alloc(40, 1)],
    ["BYTES_COMPRESSED", HELLO.subarray(0, 7)],
    ["ZSTD_DICTIONARY", Buffer.from("28b52ffd015807 290000".replaceAll(" ", ""), "hex")],
    ["ZSTD_WINDOW", Buffer.from("28b52ffd00f8290000", "hex")],
  ])("ends with %s", (code, bytes) => {
    expect(codeOf(() => unzstdFrame(bytes, 100, "x"))).toBe(code);
  });
});
