import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type TarFile, writeTar } from "../../src/archive/tar.ts";
import { indexTar, memberContent } from "../../src/archive/tar-index.ts";
import { readAll } from "../../src/bytes/byte-source.ts";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import { createContext, DEFAULT_LIMITS, type Diagnostic } from "../../src/context.ts";
import { ConverterError } from "../../src/errors.ts";

const ctx = createContext();

function file(name: string, content: string | Uint8Array): TarFile {
  const bytes = Buffer.from(content as string);
  return { name, size: bytes.length, content: [bytes] };
}

async function collect(parts: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const found: Uint8Array[] = [];
  for await (const part of parts) found.push(part);
  return Buffer.concat(found);
}

async function indexOf(bytes: Uint8Array, context = ctx) {
  return await indexTar(new MemorySource(bytes, "a.tar"), context);
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "none";
  } catch (error) {
    if (error instanceof ConverterError) return error.code;
    throw error;
  }
}

/** A header block of our own making: fields by offset, checksum at the end. */
function header(fields: Readonly<Record<number, string | Uint8Array>>): Buffer {
  const block = Buffer.alloc(512);
  for (const [at, value] of Object.entries(fields)) block.set(Buffer.from(value as string), Number(at));
  block.fill(0x20, 0x94, 0x9c);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 0x94);
  return block;
}

const USTAR = { 257: "ustar\x0000" };
const END = Buffer.alloc(1024);

describe("writeTar", () => {
  it("is read back with names, sizes and content, and is the same every time", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.string({ minLength: 1, maxLength: 100, unit: "grapheme-ascii" }), { maxLength: 5 }),
        fc.array(fc.uint8Array({ maxLength: 3000 }), { minLength: 5, maxLength: 5 }),
        async (names, contents) => {
          const files = names.map((name, index) => file(name, contents[index] ?? new Uint8Array()));
          const bytes = await collect(writeTar(files));
          const source = new MemorySource(bytes);
          const { members, end } = await indexTar(source, ctx);
          expect(members.map(({ name }) => name)).toEqual(names);
          for (const [index, member] of members.entries()) {
            expect(Uint8Array.from(await readAll(memberContent(source, member, "m"), 4000))).toEqual(contents[index]);
          }
          expect(bytes.length).toBe(end + 1024);
          expect(await collect(writeTar(files))).toEqual(bytes);
        },
      ),
      { numRuns: 50 },
    );
  });

  it("streams: a file is asked for only when it is read", async () => {
    let asked = 0;
    async function* files(): AsyncGenerator<TarFile> {
      for (;;) {
        asked++;
        yield { name: `f${asked}`, size: 1 << 20, content: Array.from({ length: 16 }, () => Buffer.alloc(1 << 16)) };
      }
    }
    let size = 0;
    for await (const part of writeTar(files())) {
      size += part.length;
      if (size > 3 << 20) break;
    }
    expect(asked).toBeLessThan(6);
  });

  it("writes sizes above 8 GiB without an extended header", async () => {
    const size = 9 * 2 ** 30;
    for await (const part of writeTar([{ name: "huge", size, content: [Buffer.alloc(1000)] }])) {
      const head = Buffer.concat([part, END]);
      expect(await codeOf(indexOf(head))).toBe("ARCHIVE_TRUNCATED");
      await expect(indexOf(head)).rejects.toThrow(`${size - 1024} of the ${size} bytes of "huge" are missing`);
      break;
    }
  });

  it("refuses content that is not as long as announced, and names that need extended headers", async () => {
    const short = { name: "x", size: 5, content: [Buffer.from("four")] };
    expect(await codeOf(collect(writeTar([short])))).toBe("ARCHIVE_CONTENT_SIZE");
    expect(await codeOf(collect(writeTar([{ ...short, size: 3 }])))).toBe("ARCHIVE_CONTENT_SIZE");
    expect(await codeOf(collect(writeTar([file("ä", "")])))).toBe("ARCHIVE_NAME_UNSAFE");
    expect(await codeOf(collect(writeTar([file("a".repeat(101), "")])))).toBe("ARCHIVE_NAME_UNSAFE");
  });

  it("hands on what the content throws", async () => {
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield Buffer.from("a");
      throw new Error("the source broke");
    }
    await expect(collect(writeTar([{ name: "x", size: 5, content: broken() }]))).rejects.toThrow("the source broke");
  });
});

describe("indexTar", () => {
  it("reads a POSIX prefix, but not where GNU keeps times", async () => {
    const body = { 0: "name", 124: "00000000000\0", 156: "0", 345: "folder" };
    const posix = await indexOf(header({ ...USTAR, ...body }));
    const gnu = await indexOf(header({ 257: "ustar  \0", ...body }));
    const old = await indexOf(header(body));
    expect([posix, gnu, old].map(({ members }) => members[0]?.name)).toEqual(["folder/name", "name", "name"]);
  });

  it.each([
    ["octal with blanks", "   12 \0", 10],
    ["empty", "", 0],
    ["base-256", Buffer.from([0x80, 0, 0, 0, 0, 0x98, 0x96, 0x80]), 10_000_000],
    ["negative base-256", Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe]), -2],
  ])("reads a number: %s", async (_title, uid, value) => {
    const { members } = await indexOf(header({ ...USTAR, 0: "x", 108: uid, 156: "0" }));
    expect(members[0]?.uid).toBe(value);
  });

  it.each([
    ["no number", { 108: "12x" }],
    ["a number above 2^53", { 124: Buffer.from([0x80, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]) }],
    ["a negative size", { 124: Buffer.alloc(12, 0xff) }],
  ])("refuses %s", async (_title, fields) => {
    expect(await codeOf(indexOf(header({ ...USTAR, 0: "x", 156: "0", ...fields })))).toBe("ARCHIVE_NUMBER");
  });

  it("takes the checksum as signed too", async () => {
    const block = header({ ...USTAR, 0: "n\u00e4me", 156: "0" });
    const signed = new Int8Array(block.buffer, block.byteOffset, 512);
    block.fill(0x20, 0x94, 0x9c);
    const sum = signed.reduce((total, byte) => total + byte, 0);
    block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 0x94);
    expect((await indexOf(block)).members).toHaveLength(1);
    block[3] = 0;
    expect(await codeOf(indexOf(block))).toBe("ARCHIVE_CHECKSUM");
  });

  it("tells what is no tar from a damaged one", async () => {
    expect(await codeOf(indexOf(Buffer.from("<html>".repeat(200))))).toBe("ARCHIVE_NOT_TAR");
    expect(await codeOf(indexOf(Buffer.from("short")))).toBe("ARCHIVE_NOT_TAR");
    const bytes = await collect(writeTar([file("a", "1"), file("b", "2")]));
    bytes[1024 + 2] = 0x41;
    expect(await codeOf(indexOf(bytes))).toBe("ARCHIVE_CHECKSUM");
  });

  it.each([
    ["a length that leaves the header", "99 path=x\n"],
    ["no length", "path=x\n"],
    ["no end of line", "10 path=xx"],
    ["no key", "6 =ab\n"],
    ["no blank", "123456789012345678901234567890"],
  ])("refuses a pax header with %s", async (_title, text) => {
    const size = `${text.length.toString(8).padStart(11, "0")}\0`;
    const pax = Buffer.concat([
      header({ ...USTAR, 0: "p", 124: size, 156: "x" }),
      Buffer.from(text),
      Buffer.alloc(512),
    ]);
    expect(await codeOf(indexOf(pax))).toBe("ARCHIVE_PAX_RECORD");
  });

  it("keeps pax values as bytes, lets members override globals and refuses a size that is none", async () => {
    const pax = (flag: string, ...records: (readonly [string, string])[]): Buffer => {
      const text = records
        .map(([key, value]) => {
          const rest = ` ${key}=${value}\n`;
          return `${rest.length + String(rest.length + 2).length}${rest}`;
        })
        .join("");
      const body = Buffer.from(text, "latin1");
      const size = `${body.length.toString(8).padStart(11, "0")}\0`;
      return Buffer.concat([header({ ...USTAR, 0: "p", 124: size, 156: flag }), body, Buffer.alloc(512 - body.length)]);
    };
    const member = header({ ...USTAR, 0: "x", 156: "0" });
    const { members } = await indexOf(
      Buffer.concat([
        pax("g", ["comment", "for all"], ["uid", "70000"]),
        pax("x", ["SCHILY.xattr.user.a", "\xff\n\0="], ["comment", ""], ["mtime", "-1.5"], ["path", "new"]),
        member,
        member,
      ]),
    );
    expect(members.map(({ name, uid, mtime }) => ({ name, uid, mtime }))).toEqual([
      { name: "new", uid: 70_000, mtime: { seconds: -2, nanoseconds: 500_000_000 } },
      { name: "x", uid: 70_000, mtime: { seconds: 0, nanoseconds: 0 } },
    ]);
    expect([...(members[0]?.records ?? [])]).toContainEqual(["SCHILY.xattr.user.a", "\xff\n\0="]);
    expect(members.map(({ records }) => records.get("comment"))).toEqual([undefined, "for all"]);
    expect(await codeOf(indexOf(Buffer.concat([pax("x", ["size", "-1"]), member])))).toBe("ARCHIVE_NUMBER");
  });

  it("stops at a lone zero block with a warning, and at the end of the file without", async () => {
    const found: Diagnostic[] = [];
    const context = createContext({ diagnostic: (diagnostic) => found.push(diagnostic) });
    const one = (await collect(writeTar([file("a", "1")]))).subarray(0, 1024);
    expect((await indexOf(one, context)).members).toHaveLength(1);
    expect((await indexOf(one.subarray(0, 513), context)).members).toHaveLength(1);
    expect(found).toEqual([]);
    const lone = Buffer.concat([one, Buffer.alloc(512), one]);
    expect((await indexOf(lone, context)).members).toHaveLength(1);
    expect(found.map(({ code }) => code)).toEqual(["ARCHIVE_LONE_ZERO_BLOCK"]);
  });

  it("bounds the memory that headers may ask for", async () => {
    const context = createContext({ limits: { ...DEFAULT_LIMITS, tableBytes: 2000 } });
    const many = await collect(writeTar(["a", "b", "c", "d"].map((name) => file(name, ""))));
    expect(await codeOf(indexOf(many, context))).toBe("ARCHIVE_INDEX_TOO_LARGE");
    const long = header({ 257: "ustar  \0", 0: "long", 124: "00077777777\0", 156: "L" });
    expect(await codeOf(indexOf(long, context))).toBe("ARCHIVE_INDEX_TOO_LARGE");
  });

  it("gives a result or a typed error for every truncation and for mutations", async () => {
    const bytes = await collect(writeTar([file("a.ovf", "<x/>".repeat(300)), file("d.vmdk", "12")]));
    const codes: string[] = [];
    for (let end = 0; end <= bytes.length; end += 512) codes.push(await codeOf(indexOf(bytes.subarray(0, end))));
    const cut = "ARCHIVE_TRUNCATED";
    expect(codes).toEqual(["none", cut, cut, cut, "none", cut, "none", "none", "none"]);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }),
        async (changes) => {
          const mutated = Buffer.from(bytes);
          for (const [at, value] of changes) mutated[at] = value;
          for (const at of [0, 2048]) {
            const fixed = header({ 0: mutated.subarray(at, at + 512) });
            mutated.set(fixed, at);
          }
          await codeOf(indexOf(mutated));
        },
      ),
      { numRuns: 500 },
    );
  });

  it("stops when it is told to", async () => {
    const bytes = await collect(writeTar([file("a", "1")]));
    await expect(indexOf(bytes, createContext({ signal: AbortSignal.abort() }))).rejects.toThrow("aborted");
  });
});
