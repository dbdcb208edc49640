import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { compose } from "../../src/bytes/regions.ts";
import { createContext } from "../../src/context.ts";
import { BACKUP_SECTORS, FIRST_USABLE_SECTOR, PARTITION_TYPE, writeGpt } from "../../src/volume/gpt-writer.ts";
import { openVolumes } from "../../src/volume/index.ts";
import { describeWith } from "../support/needs.ts";

const SIZE = 64 << 20;
const partitions = [
  {
    type: PARTITION_TYPE.BIOS_BOOT,
    uuid: "11111111-2222-4333-8444-555555555501",
    label: "BIOS boot",
    first: 64,
    last: 2047,
  },
  {
    type: PARTITION_TYPE.EFI_SYSTEM,
    uuid: "11111111-2222-4333-8444-555555555502",
    label: "Übung",
    first: 2048,
    last: SIZE / 512 - BACKUP_SECTORS - 1,
  },
];
const table = writeGpt({
  diskUuid: "abcdef01-2345-4789-8abc-def012345678",
  size: SIZE,
  bootCode: new Uint8Array(440).fill(0x90),
  partitions,
});

describe("a written GPT", () => {
  const disk = compose("disk", SIZE, [
    { offset: 0, length: table.head.length, content: table.head },
    { offset: SIZE - table.tail.length, length: table.tail.length, content: table.tail },
  ]);

  it.each(["head", "tail"])("is read back when only its %s is whole", async (part) => {
    const damaged = compose("disk", SIZE, [
      { offset: 0, length: 512, content: table.head.subarray(0, 512) },
      ...(part === "head" ? [{ offset: 512, length: 33 * 512, content: table.head.subarray(512) }] : []),
      ...(part === "tail"
        ? [{ offset: SIZE - table.tail.length, length: table.tail.length, content: table.tail }]
        : []),
    ]);
    const system = await openVolumes(damaged, createContext());
    expect(system?.uuid).toBe("abcdef01-2345-4789-8abc-def012345678");
    expect(system?.volumes.map(({ type, uuid, label, size }) => ({ type, uuid, label, size }))).toEqual(
      partitions.map(({ type, uuid, label, first, last }) => ({ type, uuid, label, size: (last - first + 1) * 512 })),
    );
  });

  it("begins with an active protective entry and the boot code", async () => {
    const mbr = Buffer.from(await disk.read(0, 512));
    expect(mbr[0]).toBe(0x90);
    expect(mbr.toString("hex", 446, 462)).toBe(`80000200eeffffff01000000${"ffff0100"}`);
    expect(mbr.readUInt16BE(510)).toBe(0x55aa);
    expect(FIRST_USABLE_SECTOR).toBe(34);
  });
});

describeWith({ tools: ["sgdisk"] }, "sgdisk", () => {
  const folder = mkdtempSync(join(tmpdir(), "gpt-"));
  afterAll(() => rmSync(folder, { recursive: true }));

  it("finds nothing wrong with a written GPT", () => {
    const path = join(folder, "disk");
    writeFileSync(path, table.head);
    truncateSync(path, SIZE - table.tail.length);
    writeFileSync(path, table.tail, { flag: "a" });
    expect(execFileSync("sgdisk", ["-v", path], { encoding: "utf8" })).toContain("No problems found");
    const shown = execFileSync("sgdisk", ["-p", path], { encoding: "utf8" });
    expect(shown).toMatch(/EF02\s+BIOS boot/);
    expect(shown).toMatch(/EF00\s+Übung/);
  });
});
