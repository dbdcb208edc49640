import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { readReports } from "../../src/batch/report.ts";
import { fixture } from "../support/needs.ts";

const PROGRAM = fileURLToPath(new URL("../../bin/transload.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "batch-"));

function run(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, ...args], { cwd: folder, encoding: "utf8" });
  return { status, stdout, stderr };
}

describe("transload batch", { timeout: 120_000 }, () => {
  const hello = fixture("appliances", "hello", "hello.ova");
  mkdirSync(join(folder, "in"));
  for (const name of ["a", "b"]) copyFileSync(hello, join(folder, "in", `${name}.ova`));
  writeFileSync(join(folder, "in", "cut.ova"), readFileSync(hello).subarray(0, 20_000));
  writeFileSync(join(folder, "in", "not.ova"), "text");
  const batch = [
    "batch",
    "in",
    "--to",
    "oci:images:{stem}",
    "--label",
    "night=1",
    "--label",
    "x=y",
    "--profile",
    "full",
  ];

  it("converts what it can, reports what it cannot, and goes on from there", () => {
    const first = run(...batch, "--jobs", "2", "--junit", "results.xml");
    expect(first.status).toBe(3);
    expect(first.stdout).toContain("4 items: 2 done, 0 skipped, 2 failed");
    const lines = readReports([join(folder, "report.jsonl")]);
    expect(Object.fromEntries(lines.map((line) => [line.source.ref, line.error?.exit ?? line.status]))).toEqual({
      "in/a.ova": "ok",
      "in/b.ova": "ok",
      "in/cut.ova": 65,
      "in/not.ova": 65,
    });
    expect(lines.find(({ status }) => status === "ok")?.config?.labels).toMatchObject({ night: "1", x: "y" });
    expect(run("verify", "oci:images:b").status).toBe(0);
    expect(readFileSync(join(folder, "results.xml"), "utf8")).toContain('tests="4" failures="2"');

    expect(run(...batch)).toMatchObject({ status: 73, stderr: expect.stringContaining("BATCH_REPORT_EXISTS") });
    const two = [
      "batch",
      "in/a.ova",
      "in/b.ova",
      "--to",
      "oci:twice:{stem}",
      "--jobs",
      "2",
      "--force",
      "--report",
      "x",
    ];
    const again = (...more: string[]) => run(...two, ...more).stdout;
    expect(again()).toContain("2 items: 2 done, 0 skipped, 0 failed");
    const source = join(folder, "in", "a.ova");
    const changed = readFileSync(source);
    // Padding behind the archive is no other machine.
    writeFileSync(source, Buffer.concat([changed, Buffer.alloc(512)]));
    expect(again()).toContain("2 items: 0 done, 2 skipped, 0 failed");
    changed[changed.indexOf("A machine with one program")] = 0x61;
    writeFileSync(source, changed);
    expect(again("--no-verify")).toContain("2 items: 1 done, 1 skipped, 0 failed");
    expect(again("--user", "1000", "--no-verify")).toContain("2 items: 2 done, 0 skipped, 0 failed");
    copyFileSync(hello, source);
  });

  it("shares a list out, and tells what it would do", () => {
    const shares = ["0/2", "1/2"].map((shard) =>
      run(...batch, "--dry-run", "--shard", shard)
        .stdout.trim()
        .split("\n"),
    );
    expect(shares.flat().sort()).toEqual(["a", "b", "cut", "not"].map((name) => `in/${name}.ova\toci:images:${name}`));
    expect(run("batch", "in", "--dry-run")).toMatchObject({ status: 2, stderr: expect.stringContaining("--to") });
    expect(run(...batch, "--timeout", "soon", "--force")).toMatchObject({ status: 2 });
  });
});
