import { execFileSync } from "node:child_process";
import { createCipheriv } from "node:crypto";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { extents } from "../../src/bytes/byte-source.ts";
import type { Content, Piece } from "../../src/bytes/content.ts";
import { FileSource } from "../../src/bytes/file-source.ts";
import { writeOutput } from "../../src/bytes/output-file.ts";
import { createContext, DEFAULT_LIMITS } from "../../src/context.ts";
import { openDisk } from "../../src/disk/index.ts";
import { writer } from "../../src/disk/qcow2/writer.ts";
import { writer as rawWriter } from "../../src/disk/raw/writer.ts";
import { describeWith } from "../support/needs.ts";
import { memoryContext } from "./images.ts";

const folder = mkdtempSync(join(tmpdir(), "transload-qcow2-"));
afterAll(() => rmSync(folder, { recursive: true }));

const CLUSTER = 64 << 10;
let count = 0;

interface Part {
  readonly kind: "text" | "noise" | "zeros" | "hole";
  readonly length: number;
}

/** Incompressible, the same at each run. */
function noise(length: number, seed: number): Buffer {
  const cipher = createCipheriv("aes-128-ctr", Buffer.alloc(16, "key"), Buffer.alloc(16, seed));
  return cipher.update(Buffer.alloc(length));
}

function bytesOf({ kind, length }: Part, seed: number): Buffer {
  if (kind === "noise") return noise(length, seed);
  return kind === "text" ? Buffer.alloc(length, `part ${seed} `) : Buffer.alloc(length);
}

function disk(parts: readonly Part[]): Content {
  return {
    name: "disk",
    size: parts.reduce((sum, { length }) => sum + length, 0),
    async *runs() {
      for (const { kind, length } of parts) yield { length, kind: kind === "hole" ? "zero" : "data" };
    },
    async *pieces(): AsyncGenerator<Piece> {
      for (const [n, part] of parts.entries()) {
        yield part.kind === "hole" ? { zeros: part.length } : { bytes: bytesOf(part, n) };
      }
    },
  };
}

async function write(content: Content, level?: number, threads = 0): Promise<string> {
  const path = join(folder, `${count++}.qcow2`);
  const ctx = createContext({ limits: { ...DEFAULT_LIMITS, threads } });
  await writeOutput(writer.write(content, level === undefined ? {} : { level }, ctx), path, { force: false }, ctx);
  return path;
}

const sector = fc.integer({ min: 1, max: 700 }).map((sectors) => sectors * 512);
const part = fc.oneof(
  fc.record({ kind: fc.constantFrom("text", "noise", "zeros"), length: sector }),
  fc.record({ kind: fc.constant("hole"), length: fc.oneof(sector, fc.constantFrom(CLUSTER, 600 << 20)) }),
);

describe("the QCOW2 writer", () => {
  it("writes what our reader gives back", async () => {
    const property = fc.asyncProperty(fc.array(part, { minLength: 1, maxLength: 10 }), async (parts) => {
      const content = disk(parts as Part[]);
      const path = await write(content);
      await using source = FileSource.open(path);
      await using opened = await openDisk(source, memoryContext());
      expect(opened.size).toBe(content.size);
      let at = 0;
      for (const [n, each] of (parts as Part[]).entries()) {
        if (each.kind === "hole") {
          const length = Math.min(each.length, 4096);
          expect((await opened.read(at, length)).every((byte) => byte === 0)).toBe(true);
        } else {
          expect(Buffer.compare(await opened.read(at, each.length), bytesOf(each, n))).toBe(0);
        }
        at += each.length;
      }
      rmSync(path);
    });
    await fc.assert(property, { numRuns: 40 });
  });

  it("stores no cluster of zeros, and packs the others without gaps", async () => {
    const path = await write(
      disk([
        { kind: "zeros", length: 64 * CLUSTER },
        { kind: "text", length: 200 * CLUSTER },
        { kind: "hole", length: 2 ** 40 },
      ]),
    );
    // The header, the texts together, an L2 table, L1 table, one block and table of reference counts.
    expect(statSync(path).size).toBe(7 * CLUSTER);
    await using source = FileSource.open(path);
    await using opened = await openDisk(source, memoryContext());
    const kinds: string[] = [];
    for await (const { kind } of extents(opened)) if (kinds.at(-1) !== kind) kinds.push(kind);
    expect(kinds).toEqual(["zero", "data", "zero"]);
  });

  it("gives the same bytes whatever the number of threads", async () => {
    const content = disk([
      { kind: "text", length: 5 * CLUSTER },
      { kind: "noise", length: 40 * CLUSTER },
    ]);
    const [one, two] = [await write(content, 6, 0), await write(content, 6, 2)];
    await using first = FileSource.open(one);
    await using second = FileSource.open(two);
    expect(Buffer.compare(await first.read(0, first.size), await second.read(0, second.size))).toBe(0);
  });

  it("refuses a disk that QEMU could not open", async () => {
    const content = { ...disk([]), size: 2 ** 51 + 512 };
    await expect(write(content)).rejects.toMatchObject({ code: "QCOW2_TOO_LARGE" });
  });
});

describeWith({ tools: ["qemu-img"] }, "qemu-img on images of the QCOW2 writer", () => {
  const cases: Readonly<Record<string, readonly Part[]>> = {
    empty: [{ kind: "hole", length: 512 }],
    "one sector": [{ kind: "text", length: 512 }],
    mixed: [
      { kind: "noise", length: 3 * CLUSTER + 512 },
      { kind: "hole", length: 1200 << 20 },
      { kind: "text", length: 40 * CLUSTER },
      { kind: "zeros", length: 7 * CLUSTER + 1024 },
      { kind: "text", length: 1536 },
      { kind: "noise", length: CLUSTER },
    ],
    text: [{ kind: "text", length: 70 << 20 }],
    noise: [{ kind: "noise", length: 20 << 20 }],
  };

  it.each(Object.keys(cases))("finds %s clean and identical", async (name) => {
    const content = disk(cases[name] ?? []);
    const path = await write(content);
    const raw = join(folder, `${name}.raw`);
    const ctx = createContext();
    await writeOutput(rawWriter.write(content, {}, ctx), raw, { force: true }, ctx);
    expect(JSON.parse(qemu("check", "--output=json", path))).not.toHaveProperty("corruptions");
    expect(JSON.parse(qemu("check", "--output=json", path))).not.toHaveProperty("leaks");
    expect(qemu("compare", "-f", "qcow2", "-F", "raw", path, raw)).toContain("identical");
    const info = JSON.parse(qemu("info", "--output=json", path));
    expect(info).toMatchObject({ format: "qcow2", "virtual-size": content.size, "cluster-size": CLUSTER });
    expect(info).toMatchObject({ "format-specific": { data: { compat: "1.1", "refcount-bits": 16, corrupt: false } } });
  });

  it("finds any image clean and identical", async () => {
    const property = fc.asyncProperty(fc.array(part, { minLength: 1, maxLength: 8 }), async (parts) => {
      const content = disk(parts as Part[]);
      const path = await write(content);
      const raw = join(folder, "any.raw");
      const ctx = createContext();
      await writeOutput(rawWriter.write(content, {}, ctx), raw, { force: true }, ctx);
      expect(qemu("check", path)).toContain("No errors were found");
      expect(qemu("compare", "-f", "qcow2", "-F", "raw", path, raw)).toContain("identical");
      rmSync(path);
    });
    await fc.assert(property, { numRuns: 12 });
  });
});

function qemu(...args: readonly string[]): string {
  return execFileSync("qemu-img", args, { encoding: "utf8" });
}
