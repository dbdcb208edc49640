import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { contentOf, type Patch, type Writing } from "../../src/bytes/content.ts";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import { writeOutput } from "../../src/bytes/output-file.ts";
import { createContext } from "../../src/context.ts";

async function* writing(parts: readonly string[], patches: readonly Patch[] = [], end?: Error): Writing {
  for (const part of parts) yield Buffer.from(part);
  if (end !== undefined) throw end;
  return patches;
}

describe("an output file", () => {
  const folder = mkdtempSync(join(tmpdir(), "output-"));
  const ctx = createContext();

  it("holds what was written, with its patches", async () => {
    const path = join(folder, "a");
    const patches = [{ offset: 1, bytes: Buffer.from("XY") }];
    expect(await writeOutput(writing(["abc", "def"], patches), path, { force: false }, ctx)).toBe(6);
    expect(readFileSync(path, "utf8")).toBe("aXYdef");
    await expect(writeOutput(writing(["new"]), path, { force: false }, ctx)).rejects.toMatchObject({
      code: "OUTPUT_EXISTS",
      exitCode: 73,
    });
    await writeOutput(writing(["new"]), path, { force: true }, ctx);
    expect(readFileSync(path, "utf8")).toBe("new");
  });

  it("leaves nothing behind when what is written ends in an error, and keeps what was there", async () => {
    const path = join(folder, "b");
    await expect(writeOutput(writing(["x"], [], new Error("no")), path, { force: false }, ctx)).rejects.toThrow("no");
    expect(existsSync(path)).toBe(false);
    writeFileSync(path, "old");
    await expect(writeOutput(writing(["x"], [], new Error("no")), path, { force: true }, ctx)).rejects.toThrow("no");
    expect(readFileSync(path, "utf8")).toBe("old");
    expect(readdirSync(folder).filter((name) => name.startsWith("."))).toEqual([]);
  });
});

it("a source is content with its holes", async () => {
  const content = contentOf(new MemorySource(Buffer.alloc(10, 1), "ten"));
  expect(content).toMatchObject({ name: "ten", size: 10 });
  expect(await all(content.runs())).toEqual([{ length: 10, kind: "data" }]);
  expect(await all(content.pieces())).toMatchObject([{ offset: 0, length: 10 }]);
});

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}
