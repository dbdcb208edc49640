import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { arMembers, isAr } from "../../src/archive/ar.ts";
import { type CpioFile, readCpio, writeCpio } from "../../src/archive/cpio.ts";
import { ByteReader } from "../../src/bytes/byte-reader.ts";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import { ConverterError } from "../../src/errors.ts";
import { describeWith } from "../support/needs.ts";

const folder = mkdtempSync(join(tmpdir(), "packages-"));
afterAll(() => rmSync(folder, { recursive: true }));

async function* inPieces(bytes: Uint8Array, size = 7): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function membersOf(bytes: Uint8Array): Promise<[string, number, string][]> {
  const found: [string, number, string][] = [];
  for await (const { path, mode, content } of readCpio(new ByteReader(inPieces(bytes)), "a.cpio")) {
    const pieces: Uint8Array[] = [];
    for await (const piece of content()) pieces.push(piece.slice());
    found.push([path, mode, Buffer.concat(pieces).toString("latin1")]);
  }
  return found;
}

const files: readonly CpioFile[] = [
  { path: "dev", mode: 0o040755 },
  { path: "dev/console", mode: 0o020600, device: [5, 1] },
  { path: "init", mode: 0o100755, bytes: Buffer.from("#!/bin/sh") },
  { path: "empty", mode: 0o100644 },
];

describe("cpio", () => {
  it("reads what it wrote, whatever is taken of it", async () => {
    expect(await membersOf(writeCpio(files))).toEqual(
      files.map(({ path, mode, bytes = new Uint8Array(0) }) => [path, mode, Buffer.from(bytes).toString("latin1")]),
    );
    const paths: string[] = [];
    for await (const { path } of readCpio(new ByteReader(inPieces(writeCpio(files))), "a.cpio")) paths.push(path);
    expect(paths).toEqual(files.map(({ path }) => path));
  });

  it("tells damage with ARCHIVE_CPIO, and never fails otherwise", async () => {
    const whole = writeCpio(files);
    await expect(membersOf(whole.subarray(0, whole.length - 140))).rejects.toMatchObject({ code: "ARCHIVE_CPIO" });
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(255), async (at, value) => {
        const damaged = Buffer.from(whole);
        damaged[at] = value;
        await membersOf(damaged).catch((cause) => expect(cause).toBeInstanceOf(ConverterError));
      }),
    );
  });
});

describeWith({ tools: ["cpio"] }, "the program cpio", () => {
  it("reads a written archive, and writes one that is read", async () => {
    const listing = execFileSync("cpio", ["-itv", "--quiet"], { input: writeCpio(files), encoding: "utf8" });
    expect(listing).toMatch(/^crw------- .* 5, +1 .* dev\/console$/m);
    expect(listing).toMatch(/^-rwxr-xr-x .* 9 .* init$/m);
    mkdirSync(join(folder, "tree"));
    writeFileSync(join(folder, "tree", "module.ko"), "x".repeat(1001));
    const made = execFileSync("cpio", ["-o", "-H", "newc", "--quiet"], {
      cwd: join(folder, "tree"),
      input: "module.ko\n",
    });
    expect(await membersOf(made)).toEqual([["module.ko", 0o100644, "x".repeat(1001)]]);
  });
});

describeWith({ tools: ["ar"] }, "the program ar", () => {
  it("writes an archive whose members are found, and whose damage is told with ARCHIVE_AR", async () => {
    for (const [name, text] of [
      ["debian-binary", "2.0\n"],
      ["data.tar.xz", "odd"],
    ] as const)
      writeFileSync(join(folder, name), text);
    execFileSync("ar", ["rc", "package.deb", "debian-binary", "data.tar.xz"], { cwd: folder });
    const bytes = execFileSync("cat", [join(folder, "package.deb")]);
    expect(isAr(bytes)).toBe(true);
    const members = await arMembers(new MemorySource(bytes, "package.deb"));
    expect([...members].map(([name, { size }]) => [name, size])).toEqual([
      ["debian-binary", 4],
      ["data.tar.xz", 3],
    ]);
    const cut = new MemorySource(bytes.subarray(0, bytes.length - 3), "package.deb");
    await expect(arMembers(cut)).rejects.toMatchObject({ code: "ARCHIVE_AR" });
    const garbled = Buffer.from(bytes);
    garbled[8 + 58] = 0;
    await expect(arMembers(new MemorySource(garbled, "package.deb"))).rejects.toMatchObject({ code: "ARCHIVE_AR" });
  });
});
