import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { extents } from "../../src/bytes/byte-source.ts";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import { groupFormats } from "../../src/volume/index.ts";
import { format } from "../../src/volume/md/format.ts";
import type { Volume } from "../../src/volume/volume-system.ts";
import { describeWith } from "../support/needs.ts";
import { contentOf, failureOf, hex, openGroups, refusal } from "./groups.ts";
import { dataOf, type MadeMember, memberDisk, sealMember, superblockAt } from "./md-builder.ts";

const SIZE = 256 << 10;
const VERSIONS = ["0.90", "1.0", "1.1", "1.2"] as const;

/** Data in which each sector tells its disk and its place. */
function pattern(disk: number, bytes = SIZE): Buffer {
  const data = Buffer.alloc(bytes);
  for (let at = 0; at < bytes; at += 512) data.fill(Buffer.from([disk, at / 512]), at, at + 512);
  return data;
}

function member(number: number, more: Partial<MadeMember> = {}): MadeMember {
  return { version: "1.2", level: 1, size: SIZE, raidDisks: 2, number, ...more };
}

const disk = (number: number, more: Partial<MadeMember> = {}) => memberDisk(member(number, more), pattern(number));

async function openArray(disks: readonly Uint8Array[]): Promise<{ volume: Volume; codes: readonly string[] }> {
  const { systems, codes } = await openGroups(disks, format);
  const [volume] = systems[0]?.volumes ?? [];
  if (volume === undefined || systems.length !== 1) throw new Error(`${systems.length} arrays`);
  return { volume, codes };
}

describe.each(VERSIONS)("an array with superblocks of version %s", (version) => {
  const { start, end } = dataOf({ version, size: SIZE });
  const length = end - start;

  it("is recognised and named", async () => {
    const name = version === "0.90" ? "3" : "host:3";
    const disks = [disk(0, { version, name }), disk(1, { version, name })];
    expect((await groupFormats.probe(new MemorySource(disks[0] as Buffer)))?.name).toBe("md");
    const { systems } = await openGroups(disks, format);
    expect(systems).toMatchObject([{ scheme: "md", label: name, uuid: "11111111:11111111:11111111:11111111" }]);
    expect(systems[0]?.volumes).toMatchObject([{ id: "md3", type: "raid1", size: length, start: undefined }]);
  });

  it("of mirrors is read from the first member that is up to date", async () => {
    const fresh = await openArray([disk(1, { version }), disk(0, { version })]);
    expect(hex(await contentOf(fresh.volume))).toBe(hex(pattern(0).subarray(0, length)));
    expect(fresh.codes).toEqual([]);
    const stale = await openArray([disk(0, { version, events: 5 }), disk(1, { version })]);
    expect(hex(await contentOf(stale.volume))).toBe(hex(pattern(1).subarray(0, length)));
    expect(stale.codes).toEqual(["MD_MEMBER_STALE"]);
    const alone = await openArray([disk(1, { version })]);
    expect(hex(await contentOf(alone.volume))).toBe(hex(pattern(1).subarray(0, length)));
    const spare = await openArray([disk(0, { version, role: 0xffff }), disk(1, { version })]);
    expect(hex(await contentOf(spare.volume))).toBe(hex(pattern(1).subarray(0, length)));
    expect(await failureOf((await openArray([disk(0, { version, role: 0xfffe })])).volume)).toBe("MD_MEMBER_MISSING");
  });

  it("of members one after another holds them in their order", async () => {
    const disks = [0, 1, 2].map((number) => disk(number, { version, level: -1, raidDisks: 3 }));
    const expected = Buffer.concat([0, 1, 2].map((number) => pattern(number).subarray(0, length)));
    expect((await contentOf((await openArray(disks.toReversed())).volume)).equals(expected)).toBe(true);
    expect(await failureOf((await openArray(disks.slice(1))).volume)).toBe("MD_MEMBER_MISSING");
  });

  it("of stripes deals out chunks", async () => {
    const chunk = 8;
    const disks = [0, 1, 2].map((number) => disk(number, { version, level: 0, raidDisks: 3, chunk }));
    const used = Math.floor(length / (chunk * 512)) * chunk * 512;
    const parts: Buffer[] = [];
    for (let at = 0; at < used; at += chunk * 512) {
      for (const number of [0, 1, 2]) parts.push(pattern(number).subarray(at, at + chunk * 512));
    }
    const { volume } = await openArray(disks.toReversed());
    expect((await contentOf(volume)).equals(Buffer.concat(parts))).toBe(true);
    expect(await failureOf((await openArray(disks.slice(0, 2))).volume)).toBe("MD_MEMBER_MISSING");
  });

  it("with a damaged superblock is refused, or left to the others", async () => {
    const damaged = disk(0, { version });
    damaged.writeUInt8(99, superblockAt(version, SIZE) + (version === "0.90" ? 28 : 72));
    expect(await refusal(() => openGroups([damaged], format))).toBe("MD_UNUSABLE");
    const { volume, codes } = await openArray([damaged, disk(1, { version })]);
    expect(hex(await contentOf(volume))).toBe(hex(pattern(1).subarray(0, length)));
    expect(codes).toEqual(["MD_DAMAGED"]);
  });

  it.each([4, 5, 6, 10, -4])("of level %i is refused by name", async (level) => {
    const { volume } = await openArray([disk(0, { version, level }), disk(1, { version, level })]);
    expect(await failureOf(volume)).toBe("MD_LEVEL_UNSUPPORTED");
  });
});

describe("an array", () => {
  /** What raid0 makes of members of 4, 8 and 8 chunks; the order of the later zone depends on the layout. */
  const zoned = (layout: number) =>
    [0, 1, 2].map((number) => {
      const size = 16384 + (number === 0 ? 4 : 8) * 4096;
      const made = member(number, { level: 0, raidDisks: 3, chunk: 8, layout, size });
      return memberDisk(made, pattern(number));
    });
  const chunkOf = (number: number, index: number) => pattern(number).subarray(index * 4096, (index + 1) * 4096);
  const first = [0, 1, 2, 3].flatMap((index) => [0, 1, 2].map((number) => chunkOf(number, index)));

  it("of stripes over members of several sizes goes on with the larger ones", async () => {
    const later = [4, 5, 6, 7].flatMap((index) => [1, 2].map((number) => chunkOf(number, index)));
    for (const layout of [1, 2]) {
      // Chunk 12 is even, so that both layouts begin the second zone with the first of its two members.
      const { volume } = await openArray(zoned(layout));
      expect((await contentOf(volume)).equals(Buffer.concat([...first, ...later]))).toBe(true);
    }
    expect(await failureOf((await openArray(zoned(0))).volume)).toBe("MD_LEVEL_UNSUPPORTED");
  });

  it("of stripes in the older layout begins a later zone with the member whose turn it is", async () => {
    const disks = [0, 1, 2].map((number) => {
      const size = 16384 + (number === 0 ? 3 : 5) * 4096;
      return memberDisk(member(number, { level: 0, raidDisks: 3, chunk: 8, layout: 1, size }), pattern(number));
    });
    const later = [3, 4].flatMap((index) => [2, 1].map((number) => chunkOf(number, index)));
    const { volume } = await openArray(disks);
    expect((await contentOf(volume)).equals(Buffer.concat([...first.slice(0, 9), ...later]))).toBe(true);
  });

  it("reads the same whatever is asked for, and covers it with extents", async () => {
    const disks = [0, 1, 2].map((number) => disk(number, { level: 0, raidDisks: 3, chunk: 3 }));
    const { volume } = await openArray(disks);
    const whole = await contentOf(volume);
    await fc.assert(
      fc.asyncProperty(fc.nat(volume.size - 1), fc.nat(20_000), async (offset, wish) => {
        const length = Math.min(wish, volume.size - offset);
        expect(Buffer.from(await volume.read(offset, length)).equals(whole.subarray(offset, offset + length))).toBe(
          true,
        );
        let end = offset;
        for await (const extent of extents(volume, offset, length)) {
          expect(extent.offset).toBe(end);
          end += extent.length;
        }
        expect(end).toBe(offset + length);
      }),
      { numRuns: 60 },
    );
  });

  it("is read from no member that is still being filled", async () => {
    const { volume } = await openArray([disk(0, { features: 2 }), disk(1)]);
    expect((await contentOf(volume)).subarray(0, 512)).toEqual(pattern(1).subarray(0, 512));
  });

  it("that is being reshaped is refused by name", async () => {
    expect(await failureOf((await openArray([disk(0, { features: 4 })])).volume)).toBe("MD_LEVEL_UNSUPPORTED");
  });

  it("takes the name of its kind under /dev, and each name once", async () => {
    const named = (uuid: number, name: string) => disk(0, { uuid, name });
    const disks = ["host:0", "other:0", "host:root", "root", "", "5"].map((name, index) => named(index + 1, name));
    const { systems } = await openGroups(disks, format);
    const ids = systems.map(({ volumes }) => volumes[0]?.id);
    expect(ids).toEqual(["md0", "md127", "md/root", "md126", "md125", "md5"]);
  });

  it.each<[string, Partial<MadeMember>]>([
    ["no members", { raidDisks: 0 }],
    ["a size of nothing", { used: 0 }],
    ["more than its members hold", { used: 5000 }],
    ["stripes of nothing", { level: 0, raidDisks: 1 }],
    ["chunks larger than its members", { level: 0, raidDisks: 1, chunk: 1 << 20 }],
  ])("of %s is refused", async (_, more) => {
    expect(await failureOf((await openArray([disk(0, more)])).volume)).toBe("MD_ARRAY");
  });

  it("on a disk that is cut short is refused", async () => {
    const { volume } = await openArray([disk(0).subarray(0, 100 << 10)]);
    expect(await failureOf(volume)).toBe("BYTES_TRUNCATED");
  });

  it("whose superblock stands elsewhere is refused", async () => {
    const moved = disk(0);
    moved.writeUInt32LE(16, 4096 + 144);
    expect(await refusal(() => openGroups([sealMember(moved, "1.2")], format))).toBe("MD_UNUSABLE");
  });
});

describeWith({ tools: ["mdadm"] }, "a member of the tests", () => {
  const folder = mkdtempSync(join(tmpdir(), "transload-mdadm-"));
  afterAll(() => rmSync(folder, { recursive: true }));

  it.each(VERSIONS)("of version %s is sound to mdadm", async (version) => {
    const file = join(folder, version);
    const bytes = disk(0, { version, level: 0, raidDisks: 3, chunk: 8 });
    writeFileSync(file, bytes);
    const found = execFileSync("mdadm", ["--examine", file]).toString();
    expect(found).toMatch(/Checksum : \S+ - correct/);
    expect(found).toMatch(/Raid Level : raid0/);
    const { systems } = await openGroups([bytes], format);
    expect(found).toContain(`UUID : ${systems[0]?.uuid}`);
  });
});
