import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { describeWhere, NotFoundError, UsageError } from "../src/errors.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

function texts(folder: string): string {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(ts|md)$/.test(entry.name))
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), "utf8"))
    .join("\n");
}

const THROWN =
  /new (?:Corrupt|Unsupported|Usage|NotFound|Output|InputOutput|Temporary|Authorisation)Error\(\s*"([A-Z0-9_]+)"/g;
const code = [
  ...new Set([...`${texts("src")}\n${texts("converters")}`.matchAll(THROWN)].map(([, name = ""]) => name)),
].sort();

describe("error codes", () => {
  it("are documented, each of them", () => {
    const documented = new Set(
      [...readFileSync(join(ROOT, "docs", "errors.md"), "utf8").matchAll(/^\| ([A-Z0-9_]+) +\|/gm)].map(
        ([, name]) => name,
      ),
    );
    expect(code.length).toBeGreaterThan(80);
    expect(code.filter((name) => !documented.has(name))).toEqual([]);
  });

  it("are triggered by a test, each of them", () => {
    const tests = texts("test");
    expect(code.filter((name) => !tests.includes(name))).toEqual([]);
  });
});

describe("an error", () => {
  it("says what, where and what to do", () => {
    const error = new NotFoundError("SOME_CODE", "nothing is here", {
      where: { file: "a.ova", offset: 28 },
      advice: "look elsewhere",
    });
    expect(error).toMatchObject({
      message: "nothing is here, a.ova at 0x1c",
      exitCode: 66,
      advice: "look elsewhere",
      name: "NotFoundError",
    });
    expect(new UsageError("X", "no").message).toBe("no");
    expect(describeWhere({ path: "etc/a\nb", file: "d.vmdk" })).toBe('"etc/a\\nb" in d.vmdk');
  });
});
