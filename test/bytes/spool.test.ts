import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { extents, readAll } from "../../src/bytes/byte-source.ts";
import { gunzip, isGzip } from "../../src/bytes/gunzip.ts";
import { spool, spoolWriting } from "../../src/bytes/spool.ts";
import { type Context, createContext, type ProgressEvent } from "../../src/context.ts";
import { CorruptError, InputOutputError } from "../../src/errors.ts";

vi.mock("node:fs", async (original) => {
  const real = await original<typeof fs>();
  return { ...real, writeSync: vi.fn(real.writeSync), ftruncateSync: vi.fn(real.ftruncateSync) };
});

async function* from(...parts: Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* parts;
}

let tmp = "";
let ctx: Context = createContext();
beforeAll(() => {
  tmp = mkdtempSync(join(tmpdir(), "transload-spool-"));
  ctx = createContext({ tmp });
});
afterAll(() => rmSync(tmp, { recursive: true, force: true }));

function openSpools(): number {
  return readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return fs.readlinkSync(`/proc/self/fd/${fd}`).includes(".spool");
    } catch {
      return false;
    }
  }).length;
}

describe("spoolWriting", () => {
  it("applies the patches, also inside a hole", async () => {
    const parts = [Buffer.alloc(1 << 20), Buffer.from("middle"), Buffer.alloc(1 << 20)];
    async function* writing() {
      yield* parts;
      return [
        { offset: 0, bytes: Buffer.from("head") },
        { offset: 500_000, bytes: Buffer.from("within") },
        { offset: (1 << 20) + 2, bytes: Buffer.from("DD") },
      ];
    }
    const expected = Buffer.concat(parts);
    expected.write("head", 0);
    expected.write("within", 500_000);
    expected.write("miDDle", 1 << 20);
    await using source = await spoolWriting(writing(), "test", ctx);
    expect(Buffer.compare(await readAll(source, 1 << 24), expected)).toBe(0);
    let at = 0;
    for await (const { kind, offset, length } of extents(source)) {
      expect(offset).toBe(at);
      at += length;
      if (kind === "zero") expect(expected.subarray(offset, at).every((byte) => byte === 0)).toBe(true);
    }
    expect(at).toBe(expected.length);
  });

  it("ends the writing when it cannot go on", async () => {
    let ended = false;
    async function* writing() {
      try {
        yield Buffer.from("x");
        yield Buffer.from("y");
      } finally {
        ended = true;
      }
      return [];
    }
    const stop = new AbortController();
    stop.abort(new Error("stop"));
    await expect(spoolWriting(writing(), "test", { ...ctx, signal: stop.signal })).rejects.toThrow("stop");
    expect(ended).toBe(true);
    expect(openSpools()).toBe(0);
  });
});

describe("spool", () => {
  it("gives back what came in, with its holes, whatever the chunks", async () => {
    const run = fc.tuple(fc.integer({ min: 1, max: 200_000 }), fc.constantFrom(0, 0, 7));
    await fc.assert(
      fc.asyncProperty(fc.array(run, { maxLength: 6 }), fc.integer({ min: 1000, max: 90_000 }), async (runs, step) => {
        const whole = Buffer.concat(runs.map(([length, value]) => Buffer.alloc(length, value)));
        const parts: Buffer[] = [];
        for (let at = 0; at < whole.length; at += step) parts.push(whole.subarray(at, at + step));
        await using source = await spool(from(...parts), "pipe", ctx);
        expect(whole.equals(await readAll(source, whole.length))).toBe(true);
        let at = 0;
        for await (const extent of extents(source)) {
          expect(extent.offset).toBe(at);
          at += extent.length;
          if (extent.kind === "data") continue;
          const zeros = whole.subarray(extent.offset, at);
          expect(zeros.every((byte) => byte === 0)).toBe(true);
        }
        expect(at).toBe(whole.length);
      }),
      { numRuns: 60 },
    );
    expect(readdirSync(tmp)).toEqual([]);
    expect(openSpools()).toBe(0);
  });

  it("takes no room for zeros", async () => {
    const zeros = Buffer.alloc(1 << 20);
    await using source = await spool(from(Buffer.from("x"), ...Array.from({ length: 64 }, () => zeros)), "pipe", ctx);
    const extent = await source.extentAt(0, 10);
    expect(source.size).toBe((64 << 20) + 1);
    expect(fs.fstatSync(extent.stored?.fd ?? -1).blocks * 512).toBeLessThan(64 << 10);
    expect(await source.extentAt(8192, source.size)).toEqual({
      offset: 8192,
      length: source.size - 8192,
      kind: "zero",
    });
  });

  it("reports its progress in bytes", async () => {
    const events: ProgressEvent[] = [];
    const part = Buffer.alloc(3 << 20, 1);
    const watched = createContext({ tmp, progress: (event) => events.push(event) });
    await using _source = await spool(from(part, part, part), "stdin", watched);
    expect(events.map(({ stage, item, done, total }) => [stage, item, done >> 20, total])).toEqual([
      ["spool", "stdin", 6, undefined],
      ["spool", "stdin", 9, 9 << 20],
    ]);
  });

  it.each(["ENOSPC", "EDQUOT", "EFBIG"])("says where more room could be found: %s", async (code) => {
    vi.mocked(fs.writeSync).mockImplementationOnce(() => {
      throw Object.assign(new Error("full"), { code });
    });
    const failure = await spool(from(Buffer.from("x")), "pipe", ctx).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(InputOutputError);
    expect(failure).toMatchObject({ code: "SPOOL_NO_ROOM", exitCode: 74, advice: expect.stringContaining("--tmpdir") });
    expect(openSpools()).toBe(0);
  });

  it("keeps other faults of the disk apart", async () => {
    vi.mocked(fs.ftruncateSync).mockImplementationOnce(() => {
      throw Object.assign(new Error("broken"), { code: "EIO" });
    });
    await expect(spool(from(Buffer.from("x")), "pipe", ctx)).rejects.toMatchObject({ code: "FILE_INPUT_OUTPUT" });
    const nowhere = createContext({ tmp: join(tmp, "nowhere") });
    await expect(spool(from(), "pipe", nowhere)).rejects.toMatchObject({ code: "SPOOL_CREATE", exitCode: 74 });
  });

  it("leaves nothing behind when the input fails or the work is aborted", async () => {
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield Buffer.from("x");
      throw new CorruptError("TEST_BROKEN", "broken");
    }
    await expect(spool(failing(), "pipe", ctx)).rejects.toMatchObject({ code: "TEST_BROKEN" });
    const aborted = createContext({ tmp, signal: AbortSignal.abort() });
    await expect(spool(from(Buffer.from("x")), "pipe", aborted)).rejects.toThrow("aborted");
    expect(openSpools()).toBe(0);
    expect(readdirSync(tmp)).toEqual([]);
  });
});

describe("gunzip", () => {
  const plain = Buffer.from("some text ".repeat(1000));
  const packed = gzipSync(plain);

  async function inflated(...parts: Uint8Array[]): Promise<Buffer> {
    const found: Uint8Array[] = [];
    for await (const part of gunzip(from(...parts), "a.gz")) found.push(part);
    return Buffer.concat(found);
  }

  it("joins members, as gzip does", async () => {
    expect(isGzip(packed)).toBe(true);
    expect(await inflated(packed, packed)).toEqual(Buffer.concat([plain, plain]));
    expect(execFileSync("gzip", ["-dc"], { input: Buffer.concat([packed, packed]) }).length).toBe(20_000);
  });

  it("tells a cut from damage", async () => {
    await expect(inflated(packed.subarray(0, 40))).rejects.toMatchObject({ code: "BYTES_COMPRESSED", exitCode: 65 });
    await expect(inflated(packed.subarray(0, 40))).rejects.toThrow("cut off");
    const damaged = Buffer.from(packed);
    damaged.fill(0xff, 20, 30);
    await expect(inflated(damaged)).rejects.toThrow("damaged");
  });

  it("closes its input when nobody reads on", async () => {
    let closed = false;
    async function* endless(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield packed;
      } finally {
        closed = true;
      }
    }
    for await (const _part of gunzip(endless(), "a.gz")) break;
    expect(closed).toBe(true);
  });
});
