import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { efiLoader } from "../../src/boot/efi-application.ts";
import { BIOS_LOADER, BUILT_WITH, INIT, UEFI_LOADER } from "../../src/boot/programs.ts";
import { describeWith } from "../support/needs.ts";

const SOURCES = fileURLToPath(new URL("../../src/boot/programs", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "boot-programs-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** The programs in a file as build.sh writes it, and what they were built with. */
function programsIn(path: string) {
  const text = readFileSync(path, "utf8");
  const programs = [...text.matchAll(/fromBase64\(\s*"([^"]+)"/g)].map(([, base64 = ""]) => base64);
  return { programs, builtWith: /BUILT_WITH =\s*"([^"]+)"/.exec(text)?.[1] };
}

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");

describeWith({ tools: ["nasm", "gcc", "ld", "objcopy", "strip"] }, "build.sh", () => {
  it("gives the programs that are embedded, with the same tools", () => {
    const target = join(folder, "programs.ts");
    execFileSync("sh", [join(SOURCES, "build.sh"), target]);
    const { programs, builtWith } = programsIn(target);
    expect(programs).toHaveLength(3);
    if (builtWith === BUILT_WITH) expect(programs).toEqual([BIOS_LOADER, UEFI_LOADER, INIT].map(base64));
  });
});

describe("the programs", () => {
  it("leave room for the table of loads and the partition table", () => {
    expect(BIOS_LOADER).toHaveLength(440);
    expect(BIOS_LOADER.subarray(0x180).every((byte) => byte === 0)).toBe(true);
    expect(BIOS_LOADER[0]).toBe(0xfa);
  });

  it("are an ELF program, and a PE image of one section", () => {
    expect(Buffer.from(INIT.subarray(0, 4)).toString("latin1")).toBe("\x7fELF");
    const pe = Buffer.from(efiLoader());
    expect(pe.toString("latin1", 0, 2)).toBe("MZ");
    expect(pe.toString("latin1", 0x40, 0x44)).toBe("PE\0\0");
    expect(pe.length % 512).toBe(0);
  });
});

describeWith({ tools: ["objdump"] }, "objdump", () => {
  it("reads the PE image as an application for UEFI", () => {
    const path = join(folder, "BOOTX64.EFI");
    execFileSync("tee", [path], { input: efiLoader(), stdio: ["pipe", "ignore", "inherit"] });
    const shown = execFileSync("objdump", ["-x", path], { encoding: "utf8" });
    expect(shown).toContain("file format pei-x86-64");
    expect(shown).toContain("(EFI application)");
    expect(shown).toMatch(/\.text\s+[0-9a-f]+\s+0000000000001000/);
  });
});
