import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { extents } from "../../src/bytes/byte-source.ts";
import { FileSource } from "../../src/bytes/file-source.ts";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import { createContext } from "../../src/context.ts";
import { groupFormats } from "../../src/volume/index.ts";
import { format } from "../../src/volume/lvm2/format.ts";
import type { Volume } from "../../src/volume/volume-system.ts";
import { describeWith, fixture } from "../support/needs.ts";
import { contentOf, failureOf, hex, openGroup, openGroups, refusal } from "./groups.ts";
import {
  EXTENTS_AT,
  extentOf,
  extentsOf,
  groupDisks,
  groupOf,
  groupText,
  linear,
  memberDisk,
  memberUuid,
  sealArea,
  sealLabel,
  volume,
} from "./lvm2-builder.ts";

interface LvsSegment {
  readonly vg_uuid: string;
  readonly lv_uuid: string;
  readonly lv_name: string;
  readonly lv_size: string;
  readonly segtype: string;
  readonly stripe_size: string;
  readonly seg_pe_ranges: string;
}

const NAMES = ["one", "two", "three"];
const real = NAMES.map((name) => gunzipSync(readFileSync(fixture("lvm2", "tools", `${name}.img.gz`))));
const lvs = (
  JSON.parse(readFileSync(fixture("lvm2", "tools", "lvs.json"), "utf8")) as {
    readonly report: readonly [{ readonly seg: readonly LvsSegment[] }];
  }
).report[0].seg;

/** What a volume holds, by the ranges that lvs tells, a list of 4 KiB blocks by stripes of as many bytes. */
function lvsContent(name: string): Buffer {
  const parts: Buffer[] = [];
  for (const segment of lvs.filter(({ lv_name }) => lv_name === name || lv_name === `[${name}]`)) {
    const areas = segment.seg_pe_ranges.split(" ").map((range) => {
      const [, where = "", first, last] = /^(.*):([0-9]+)-([0-9]+)$/.exec(range) ?? [];
      const disk = real[NAMES.indexOf(where)];
      const start = disk === undefined ? 0 : 65536;
      return (disk ?? lvsContent(where)).subarray(start + Number(first) * 16384, start + (Number(last) + 1) * 16384);
    });
    const chunk = Number(segment.stripe_size) || areas[0]?.length || 0;
    for (let at = 0; at < (areas[0]?.length ?? 0); at += chunk) {
      for (const area of areas) parts.push(area.subarray(at, at + chunk));
    }
  }
  return Buffer.concat(parts);
}

describe("a volume group that lvm2's tools made", () => {
  const visible = [...new Set(lvs.map(({ lv_name }) => lv_name))].filter((name) => !name.startsWith("["));

  it("is told as lvs tells it", async () => {
    const { systems, codes } = await openGroups(real);
    expect(codes).toEqual([]);
    expect(systems.map(({ scheme, uuid, label }) => ({ scheme, uuid, label }))).toEqual([
      { scheme: "lvm2", uuid: lvs[0]?.vg_uuid, label: "group-1" },
    ]);
    const told = (systems[0]?.volumes ?? []).map(({ id, type, uuid, size }) => ({ id, type, uuid, size }));
    const expected = visible.map((name) => {
      const segment = lvs.find(({ lv_name }) => lv_name === name);
      const size = Number(segment?.lv_size);
      return { id: `group-1/${name}`, type: segment?.segtype, uuid: segment?.lv_uuid, size };
    });
    expect(told.sort((a, b) => (a.id < b.id ? -1 : 1))).toEqual(expected);
  });

  it.each(visible)("holds what lvs says where %s lies, whatever is read", async (name) => {
    const found = (await openGroup(real.toReversed())).get(name) as Volume;
    const expected = lvsContent(name);
    expect(hex(await contentOf(found))).toBe(hex(expected));
    await fc.assert(
      fc.asyncProperty(fc.nat(found.size - 1), fc.nat(found.size), async (offset, wish) => {
        const length = Math.min(wish, found.size - offset);
        expect(Buffer.from(await found.read(offset, length)).equals(expected.subarray(offset, offset + length))).toBe(
          true,
        );
        let end = offset;
        for await (const extent of length === 0 ? [] : extents(found, offset, length)) {
          expect(extent.offset).toBe(end);
          end += extent.length;
        }
        expect(end).toBe(offset + length);
      }),
      { numRuns: 60 },
    );
  });

  it("is read without the disk that none of a volume needs, by name where it needs it", async () => {
    const volumes = await openGroup(real.slice(0, 2));
    expect(hex(await contentOf(volumes.get("striped")))).toBe(hex(lvsContent("striped")));
    for (const name of ["linear", "stripes-3", "raid0"])
      expect(await failureOf(volumes.get(name))).toBe("LVM_PV_MISSING");
  });

  it("is nothing where the one disk has no metadata", async () => {
    expect(await openGroups(real.slice(2))).toEqual({ systems: [], codes: [] });
  });

  it("passes on where the bytes are stored, cut at stripes", async () => {
    const folder = mkdtempSync(join(tmpdir(), "transload-lvm-"));
    const sources = real.map((disk, index) => {
      writeFileSync(join(folder, `${index}`), disk);
      return FileSource.open(join(folder, `${index}`));
    });
    try {
      const [system] = await format.open(sources, createContext());
      const striped = system?.volumes.find(({ id }) => id === "group-1/striped") as Volume;
      const found = [];
      for await (const { length, stored } of extents(striped, 1000, 12000)) found.push([length, stored?.offset]);
      // one:6-9 and two:0-3 with extents of 16 KiB from 64 KiB on.
      expect(found).toEqual([
        [3096, 65536 + 6 * 16384 + 1000],
        [4096, 65536],
        [4096, 65536 + 6 * 16384 + 4096],
        [712, 65536 + 4096],
      ]);
    } finally {
      for (const source of sources) await source[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true });
    }
  });
});

describe("the metadata of a group", () => {
  const made = groupOf(volume(linear(0, 2, 3)));

  it("is found by its label, in any of four sectors", async () => {
    for (const labelSector of [0, 1, 2, 3]) {
      const disk = memberDisk(0, 8, { text: groupText(made), labelSector });
      expect((await groupFormats.probe(new MemorySource(disk)))?.name).toBe("lvm2");
      expect(hex(await contentOf((await openGroup([disk])).get("a")))).toBe(hex(extentsOf([0, 2], [0, 3], [0, 4])));
    }
    expect(await groupFormats.probe(new MemorySource(Buffer.alloc(8192)))).toBeUndefined();
  });

  it("goes on at the start of its ring", async () => {
    const text = groupText(made);
    for (const textOffset of [512, 30_000, 61_440 - 1, 61_440 - 700]) {
      const volumes = await openGroup([memberDisk(0, 8, { text, textOffset })]);
      expect([...volumes.keys()]).toEqual(["a"]);
    }
  });

  it("counts with the highest number, from whichever disk and area", async () => {
    const old = groupText(groupOf(volume(linear(0, 0)), {}, { seqno: 6 }));
    const disks = [memberDisk(0, 8, { text: old }), memberDisk(1, 8, { text: groupText(made), areas: 2 })];
    for (const order of [disks, disks.toReversed()]) {
      expect(hex(await contentOf((await openGroup(order)).get("a")))).toBe(hex(extentsOf([0, 2], [0, 3], [0, 4])));
    }
  });

  it("is left to others by a disk without areas, or with ignored ones", async () => {
    const text = groupText(groupOf(volume(linear(0, 1))));
    const ignored = memberDisk(0, 8, {
      text: groupText(groupOf(volume(linear(0, 0)), {}, { seqno: 99 })),
      ignored: true,
    });
    for (const first of [memberDisk(0, 8, { areas: 0 }), ignored, memberDisk(0, 8)]) {
      expect(await contentOf((await openGroup([first, memberDisk(1, 8, { text })])).get("a"))).toEqual(extentOf(0, 1));
    }
  });

  it("is taken from the good copy where another is damaged", async () => {
    const disks = groupDisks(made);
    disks[0]?.fill(0, 4096 + 600, 4096 + 700);
    const { systems, codes } = await openGroups(disks);
    expect(systems[0]?.volumes).toHaveLength(1);
    expect(codes).toEqual(["LVM_DAMAGED"]);
  });

  it("keeps groups apart, of which one may be damaged", async () => {
    const other = { ...made, name: "other", members: [8] };
    const broken = groupText({ ...other, name: "broken" }).replace("extent_size = 8", "extent_size = 0");
    const disks = [
      ...groupDisks(made),
      memberDisk(0, 8, { uuid: "o".repeat(32), text: groupText(other) }),
      memberDisk(0, 8, { uuid: "b".repeat(32), text: broken }),
    ];
    const { systems, codes } = await openGroups(disks);
    expect(systems.map(({ label }) => label)).toEqual(["vg", "other"]);
    expect(codes).toEqual(["LVM_DAMAGED"]);
  });

  it("leaves out the second disk of one UUID", async () => {
    const { systems, codes } = await openGroups([...groupDisks(made), memberDisk(0, 8)]);
    expect(codes).toEqual(["LVM_DUPLICATE_PV"]);
    expect(systems).toHaveLength(1);
  });

  it("does not trust a disk that was away while the group changed", async () => {
    const volumes = await openGroup(groupDisks({ ...made, missing: [0] }));
    expect(await failureOf(volumes.get("a"))).toBe("LVM_PV_MISSING");
  });

  it("is bounded over all disks together", async () => {
    const sections = (disk: number) => Array.from({ length: 6000 }, (_, index) => `s${disk}.${index}{}`).join("");
    const hostile = Array.from({ length: 35 }, (_, index) =>
      memberDisk(0, 8, { uuid: `hostile${index}`.padEnd(32, "x"), text: sections(index) }),
    );
    const good = groupDisks(made);
    expect((await openGroups([...hostile.slice(0, 10), ...good])).systems).toHaveLength(1);
    expect(await refusal(() => openGroups([...hostile, ...good]))).toBe("LVM_UNUSABLE");
  });

  const disk = (change: (disk: Buffer) => unknown): Buffer => {
    const bytes = memberDisk(0, 8, { text: groupText(made) });
    change(bytes);
    return bytes;
  };
  const label = (change: (disk: Buffer) => unknown) => sealLabel(disk(change));
  const area = (change: (area: Buffer) => unknown) =>
    disk((bytes) => {
      change(bytes.subarray(4096, EXTENTS_AT));
      sealArea(bytes.subarray(4096, EXTENTS_AT));
    });
  const text = (change: (text: string) => string) => memberDisk(0, 8, { text: change(groupText(made)) });
  it.each<[string, Buffer]>([
    ["a label with a wrong checksum", disk((bytes) => bytes.writeUInt8(1, 600))],
    ["a label for another sector", label((bytes) => bytes.writeUInt8(2, 520))],
    ["a header outside its sector", label((bytes) => bytes.writeUInt32LE(500, 532))],
    ["lists without an end", label((bytes) => bytes.fill(1, 584, 1024))],
    ["an area beyond the end", label((bytes) => bytes.writeUInt32LE(0x7fffff00, 616))],
    ["an area without its magic", area((bytes) => bytes.fill(0, 4, 20))],
    ["a header with a wrong checksum", disk((bytes) => bytes.writeUInt8(9, 4096 + 100))],
    ["an area that lies elsewhere", area((bytes) => bytes.writeUInt32LE(512, 24))],
    ["a text that is larger than its area", area((bytes) => bytes.writeUInt32LE(1 << 20, 48))],
    ["a text within the header", area((bytes) => bytes.writeUInt32LE(100, 40))],
    ["a text with a wrong checksum", area((bytes) => bytes.writeUInt32LE(1, 56))],
    ["a text that ends early", text((all) => all.slice(0, 400))],
    ["a text with a string that does not end", text((all) => `${all}"open`)],
    ["a text with a strange sign", text((all) => all.replace("seqno = 7", "seqno = 7 ?"))],
    ["a text with a list that is none", text((all) => all.replace("flags = []", "flags = [,]"))],
    ["a text too deep", text(() => "a { ".repeat(1000))],
    ["no group", text(() => "version = 1")],
    ["a group of an impossible name", text((all) => all.replace("vg {", '"../vg" {'))],
    ["a number that is none", text((all) => all.replace("seqno = 7", "seqno = -7"))],
    ["an id that is none", text((all) => all.replace(/id = "[^"]*"/, "id = 5"))],
    ["no id", text((all) => all.replace(/id = "[^"]*"/, ""))],
    ["segments that overlap", text((all) => all.replace("start_extent = 0", "start_extent = 1"))],
    [
      "more extents than bytes can be counted",
      text((all) => all.replace(/extent_count = 3/, `extent_count = ${2 ** 50}`)),
    ],
  ])("is refused with %s", async (_, bytes) => {
    expect(await refusal(() => openGroups([bytes]))).toBe("LVM_UNUSABLE");
  });
});

describeWith({ tools: ["pvck"] }, "a group of the tests", () => {
  const folder = mkdtempSync(join(tmpdir(), "transload-pvck-"));
  afterAll(() => rmSync(folder, { recursive: true }));

  it("is sound to pvck", () => {
    const text = groupText(groupOf(volume(linear(0, 0))));
    const file = join(folder, "member");
    writeFileSync(file, memberDisk(0, 8, { text, textOffset: 61_440 - 900 }));
    const found = execFileSync("pvck", ["--dump", "metadata", "--config", "devices { use_devicesfile=0 }", file], {
      stdio: ["ignore", "pipe", "ignore"],
    }).toString();
    expect(found).toContain(memberUuid(0).slice(0, 6));
    expect(found).toContain("logical_volumes {");
  });
});
