import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { contentOf } from "../../src/bytes/content.ts";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import { writeOutput } from "../../src/bytes/output-file.ts";
import { ZeroPadded } from "../../src/bytes/slice.ts";
import { createContext } from "../../src/context.ts";
import { writer } from "../../src/disk/raw/writer.ts";
import { diskWriters } from "../../src/disk/writers.ts";

const folder = mkdtempSync(join(tmpdir(), "transload-raw-"));
afterAll(() => rmSync(folder, { recursive: true }));
const ctx = createContext();

describe("the raw writer", () => {
  it("writes the disk up to a whole sector, with holes for zeros", async () => {
    const data = Buffer.concat([Buffer.alloc(70_000, "a"), Buffer.alloc(20 << 20), Buffer.from("end")]);
    const path = join(folder, "sparse.raw");
    const size = await writeOutput(
      writer.write(contentOf(new MemorySource(data)), {}, ctx),
      path,
      { force: false },
      ctx,
    );
    expect(size).toBe(Math.ceil(data.length / 512) * 512);
    expect(readFileSync(path).equals(Buffer.concat([data, Buffer.alloc(size - data.length)]))).toBe(true);
    expect(statSync(path).blocks * 512).toBeLessThan(4 << 20);
  });

  it("ends with the zeros at the end", async () => {
    const path = join(folder, "tail.raw");
    const source = new ZeroPadded(new MemorySource(Buffer.alloc(512, "x")), (3 << 20) + 512);
    await writeOutput(writer.write(contentOf(source), {}, ctx), path, { force: false }, ctx);
    expect(statSync(path).size).toBe((3 << 20) + 512);
    expect(
      readFileSync(path)
        .subarray(512)
        .every((byte) => byte === 0),
    ).toBe(true);
  });
});

describe("the catalog of disk writers", () => {
  it("loads writers that bear the names of their entries", async () => {
    for (const entry of diskWriters.entries) expect((await entry.load()).name).toBe(entry.name);
  });
});
