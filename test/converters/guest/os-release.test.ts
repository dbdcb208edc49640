import { describe, expect, it } from "vitest";
import { readOsRelease } from "../../../converters/guest/os-release.ts";
import { elfPlatform } from "../../../converters/guest/platform.ts";
import { lockPasswords } from "../../../converters/guest/secrets.ts";
import { createContext } from "../../../src/context.ts";
import { type MemoryFiles, memoryTree } from "../../support/memory-tree.ts";
import { elf } from "./machines.ts";

describe("readOsRelease", () => {
  it.each<[MemoryFiles, object]>([
    [
      {
        "etc/os-release":
          'NAME="Rocky Linux"\nID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.3"\nPRETTY_NAME="Rocky Linux 9.3 (Blue Onyx)"\n',
      },
      { id: "rocky", version: "9.3", family: "rhel", prettyName: "Rocky Linux 9.3 (Blue Onyx)" },
    ],
    [
      { "usr/lib/os-release": "ID=opensuse-leap\nVERSION_ID=15.5\nNAME=openSUSE\n" },
      { id: "opensuse-leap", version: "15.5", family: "suse", prettyName: "openSUSE" },
    ],
    [
      { "etc/os-release": "ID=neon\nID_LIKE='ubuntu debian'\n" },
      { id: "neon", version: undefined, family: "debian", prettyName: "neon" },
    ],
    [{ "etc/os-release": "ID=arch\nBUILD_ID=rolling\n" }, { id: "arch", version: "rolling", family: "arch" }],
    [{ "etc/os-release": "ID=constructor\n" }, { id: "constructor", family: "unknown" }],
    [
      { "etc/lsb-release": 'DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=10.04\nDISTRIB_DESCRIPTION="Ubuntu 10.04 LTS"\n' },
      { id: "ubuntu", version: "10.04", family: "debian", prettyName: "Ubuntu 10.04 LTS" },
    ],
    [
      { "etc/debian_version": "6.0.10\n" },
      { id: "debian", version: "6.0.10", prettyName: "debian 6.0.10", family: "debian" },
    ],
    [
      { "etc/redhat-release": "Red Hat Enterprise Linux Server release 5.11 (Tikanga)\n" },
      { id: "rhel", version: "5.11", prettyName: "Red Hat Enterprise Linux Server release 5.11 (Tikanga)" },
    ],
    [{ "Windows/System32/x": "" }, { id: "windows", family: "windows" }],
    [{}, { id: "linux", version: undefined, family: "unknown" }],
  ])("%j", async (files, expected) => {
    expect(await readOsRelease(memoryTree(files), createContext())).toMatchObject(expected);
  });
});

describe("elfPlatform", () => {
  it.each([
    [elf(62), { architecture: "amd64" }],
    [elf(3, 32), { architecture: "386" }],
    [elf(183), { architecture: "arm64", variant: "v8" }],
    [elf(40, 32, false, 0x5000400), { architecture: "arm", variant: "v7" }],
    [elf(40, 32, false, 0x5000200), { architecture: "arm", variant: "v5" }],
    [elf(22, 64, true), { architecture: "s390x" }],
    [elf(21, 64, false), { architecture: "ppc64le" }],
    [elf(243), { architecture: "riscv64" }],
  ])("%#", (head, expected) => {
    expect(elfPlatform(head)).toEqual({ os: "linux", ...expected });
  });

  it("has none for scripts, short files and machines without a name", () => {
    for (const head of [
      Buffer.from("#!/bin/sh\n".repeat(9)),
      elf(62).subarray(0, 30),
      new Uint8Array(0),
      elf(2, 32, true),
    ]) {
      expect(elfPlatform(head)).toBeUndefined();
    }
  });
});

describe("lockPasswords", () => {
  it.each([
    ["a:$6$x:1::\n", "a:!:1::\n", 1],
    ["a:!$6$x:1::\n", "a:!:1::\n", 1],
    ["a::1::\n", "a:!:1::\n", 0],
    ["a:*:1\nb:!:1\nc:!!:1\nd:!*:1\n", "a:*:1\nb:!:1\nc:!!:1\nd:!*:1\n", 0],
    ["no colon\n", "no colon\n", 0],
  ])("%j", (text, locked, hashes) => {
    expect(lockPasswords(text)).toEqual({ text: locked, hashes });
  });
});
