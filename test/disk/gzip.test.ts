import { readdirSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import { openDisk } from "../../src/disk/index.ts";
import { fixtureImage } from "./fixture-images.ts";
import { codeOf, memoryContext } from "./images.ts";
import { pattern } from "./pattern.ts";

const VDI = fixtureImage("vdi/dynamic").input;
const CHAIN = fixtureImage("qcow2/chain");

/** A temporary file has no name: only this shows it. */
function openFiles(): number {
  return readdirSync("/proc/self/fd").length;
}

describe("gzip around a disk", () => {
  it.each([[{}], [{ format: "vdi" }]])("is undone once, and told (declared: %o)", async (declared) => {
    const before = openFiles();
    const ctx = memoryContext();
    const disk = await openDisk(new MemorySource(gzipSync(VDI), "disk.vdi.gz"), ctx, declared);
    expect([disk.name, disk.format, disk.variant]).toEqual(["disk.vdi", "vdi", "dynamic"]);
    expect(Buffer.compare(await disk.read(0, disk.size), pattern(4109))).toBe(0);
    expect(ctx.diagnostics.map(({ code, severity }) => [code, severity])).toEqual([["DISK_WRAPPING", "info"]]);
    expect(openFiles()).toBe(before + 1);
    await disk[Symbol.asyncDispose]();
    expect(openFiles()).toBe(before);
  });

  it("is undone for a base too", async () => {
    const before = openFiles();
    const files = Object.entries(CHAIN.beside).map(
      ([name, bytes]) => [name, new MemorySource(gzipSync(bytes))] as const,
    );
    const disk = await openDisk(new MemorySource(CHAIN.input), memoryContext(Object.fromEntries(files)));
    expect(Buffer.compare(await disk.read(0, disk.size), pattern(4109))).toBe(0);
    await disk[Symbol.asyncDispose]();
    expect(openFiles()).toBe(before);
  });

  it.each([
    ["DISK_WRAPPED_TWICE", gzipSync(gzipSync(VDI))],
    ["BYTES_COMPRESSED", gzipSync(VDI).subarray(0, -9)],
    ["VDI_BLOCK_OUT_OF_RANGE", gzipSync(VDI.subarray(0, -(1 << 20)))],
    ["DISK_EMPTY", gzipSync("")],
  ])("ends with %s, and leaves nothing open", async (code, bytes) => {
    const before = openFiles();
    expect(await codeOf(openDisk(new MemorySource(bytes), memoryContext()))).toBe(code);
    expect(openFiles()).toBe(before);
  });
});
