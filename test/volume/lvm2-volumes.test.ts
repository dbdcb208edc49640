import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chunks, extents } from "../../src/bytes/byte-source.ts";
import type { Volume } from "../../src/volume/volume-system.ts";
import { contentOf, failureOf, hex, openGroup, refusal } from "./groups.ts";
import {
  EXTENTS_AT,
  extentOf,
  extentsOf,
  groupDisks,
  groupOf,
  linear,
  type MadeGroup,
  type MadeLogicalVolume,
  raidSuperblock,
  volume,
} from "./lvm2-builder.ts";
import { sealThinBlock, thinMetadata } from "./thin-builder.ts";

const EXTENT = 4096;

const open = async (made: MadeGroup) => await openGroup(groupDisks(made));

describe("a logical volume", () => {
  it("is made of its segments in order", async () => {
    const volumes = await open(groupOf({ segments: [linear(1, 5, 2), { type: "zero" }, linear(0, 0)] }));
    const a = volumes.get("a") as Volume;
    expect(hex(await contentOf(a))).toBe(
      hex(Buffer.concat([extentsOf([1, 5], [1, 6]), Buffer.alloc(EXTENT), extentOf(0, 0)])),
    );
    const kinds = [];
    for await (const { kind, length } of extents(a)) kinds.push([kind, length]);
    expect(kinds).toEqual([
      ["data", 2 * EXTENT],
      ["zero", EXTENT],
      ["data", EXTENT],
    ]);
    expect(a).toMatchObject({ id: "vg/a", type: "linear", typeName: "LVM linear", start: undefined, bootable: false });
  });

  it("fails only where its error segment is", async () => {
    const a = (await open(groupOf({ segments: [linear(0, 1), { type: "error" }] }))).get("a") as Volume;
    expect(Buffer.from(await a.read(0, EXTENT))).toEqual(extentOf(0, 1));
    expect(await refusal(() => a.read(EXTENT - 1, 2))).toBe("LVM_ERROR_SEGMENT");
    expect(await refusal(() => a.extentAt(EXTENT, 1))).toBe("LVM_ERROR_SEGMENT");
  });

  it("of stripes over other volumes, and of raid0 with metadata, is dealt out", async () => {
    const made = groupOf(
      volume({
        count: 4,
        type: "raid0_meta",
        fields: 'stripe_count = 2\nstripe_size = 4\nraids = ["m0", "i0", "m1", "i1"]',
      }),
      {
        m0: volume(linear(0, 0), true),
        m1: volume(linear(1, 0), true),
        i0: volume(linear(0, 1, 2), true),
        i1: volume(linear(1, 1, 2), true),
      },
    );
    const volumes = await open(made);
    expect([...volumes.keys()]).toEqual(["a"]);
    const [zero, one] = [extentsOf([0, 1], [0, 2]), extentsOf([1, 1], [1, 2])];
    const expected = [0, 1, 2, 3].flatMap((index) =>
      [zero, one].map((part) => part.subarray(index * 2048, index * 2048 + 2048)),
    );
    expect(hex(await contentOf(volumes.get("a")))).toBe(hex(Buffer.concat(expected)));
  });

  const mirror = groupOf(volume({ type: "mirror", fields: 'mirrors = ["i0", 0, "i1", 0]' }), {
    i0: volume(linear(0, 3), true),
    i1: volume(linear(1, 4), true),
  });

  it("with mirrors is read from the first that is there", async () => {
    const disks = groupDisks(mirror);
    expect(hex(await contentOf((await openGroup(disks)).get("a")))).toBe(hex(extentOf(0, 3)));
    expect(await contentOf((await openGroup(disks.slice(1))).get("a"))).toEqual(extentOf(1, 4));
    expect(await failureOf((await open({ ...mirror, missing: [0, 1] })).get("a"))).toBe("LVM_PV_MISSING");
  });

  const raid1 = groupOf(volume({ type: "raid1", fields: 'raids = ["m0", "i0", "m1", "i1"]' }), {
    m0: volume(linear(0, 0), true),
    m1: volume(linear(1, 0), true),
    i0: volume(linear(0, 3), true),
    i1: volume(linear(1, 4), true),
  });
  it.each([
    ["the first leg", raidSuperblock(5), raidSuperblock(5), 0],
    ["the leg with the latest events", raidSuperblock(4), raidSuperblock(5), 1],
    ["the leg that did not fail", raidSuperblock(5), raidSuperblock(5, 0b01), 1],
    ["the leg that is not being filled", raidSuperblock(5, 0, 100), raidSuperblock(5), 1],
    ["the first leg of a volume that was never started", Buffer.alloc(512), Buffer.alloc(512), 0],
    ["some leg where all are being filled", raidSuperblock(5, 0, 1), raidSuperblock(5, 0, 1), 0],
  ])("of raid1 is read from %s", async (_, first, second, leg) => {
    const disks = groupDisks(raid1);
    for (const [index, superblock] of [first, second].entries()) disks[index]?.set(superblock, EXTENTS_AT);
    expect(hex(await contentOf((await openGroup(disks)).get("a")))).toBe(
      hex(leg === 0 ? extentOf(0, 3) : extentOf(1, 4)),
    );
  });

  it("of raid1 is read from the leg that is there", async () => {
    const disks = groupDisks(raid1);
    expect(await contentOf((await openGroup(disks.slice(1))).get("a"))).toEqual(extentOf(1, 4));
    expect(await failureOf((await open({ ...raid1, missing: [0, 1] })).get("a"))).toBe("LVM_PV_MISSING");
  });

  it("with a snapshot reads as it is; the snapshot is refused by name", async () => {
    const made = groupOf(volume(linear(0, 3)), {
      snap: volume(linear(1, 0), true),
      snapshot0: volume({ type: "snapshot", fields: 'chunk_size = 8\norigin = "a"\ncow_store = "snap"' }),
    });
    const volumes = await open(made);
    expect([...volumes.keys()]).toEqual(["a", "snap"]);
    expect(hex(await contentOf(volumes.get("a")))).toBe(hex(extentOf(0, 3)));
    expect(await failureOf(volumes.get("snap"))).toBe("LVM_SEGMENT_UNSUPPORTED");
  });

  it("into which a snapshot is about to be merged is refused", async () => {
    const old = volume({ type: "snapshot", fields: 'origin = "a"\nmerging_store = "snap"' });
    const thin = volume({ type: "thin", fields: 'thin_pool = "p"\ndevice_id = 1\nmerge = "a"' });
    for (const snapshot0 of [old, thin]) {
      const volumes = await open(groupOf(volume(linear(0, 3)), { snapshot0 }));
      expect(await failureOf(volumes.get("a"))).toBe("LVM_MERGE_PENDING");
    }
  });

  it.each([
    "cache",
    "cache+CACHE_USES_CACHEVOL",
    "writecache",
    "vdo",
    "raid5",
    "raid6_zr",
    "raid10",
    "integrity",
    "new",
  ])("of type %s is refused by name, the others are read", async (type) => {
    const volumes = await open(
      groupOf(volume({ type }), {
        b: volume(linear(1, 1)),
        on: volume({ type: "mirror", fields: 'mirrors = ["a", 0]' }),
      }),
    );
    expect(await failureOf(volumes.get("a"))).toBe("LVM_SEGMENT_UNSUPPORTED");
    expect(await failureOf(volumes.get("on"))).toBe("LVM_SEGMENT_UNSUPPORTED");
    expect(hex(await contentOf(volumes.get("b")))).toBe(hex(extentOf(1, 1)));
  });

  const stripes = (areas: string, more = "") =>
    volume({ count: 2, type: "striped", fields: `stripes = [${areas}]\n${more}` });
  it.each<[string, MadeLogicalVolume]>([
    ["made of itself", stripes('"a", 0')],
    ["made of a volume that is not there", stripes('"nothing", 0')],
    ["beyond the extents of its disk", stripes('"pv0", 7')],
    ["without areas", stripes("")],
    ["with areas that are none", stripes('"pv0", "pv1"')],
    ["with half an area", stripes('"pv0"')],
    ["with an odd number of extents for its stripes", stripes('"pv0", 0, "pv0", 2, "pv0", 4', "stripe_size = 8")],
    ["with stripes that do not fill extents", stripes('"pv0", 0, "pv0", 2', "stripe_size = 7")],
    ["with stripes of nothing", stripes('"pv0", 0, "pv0", 2', "stripe_size = 0")],
    ["without a stripe size", stripes('"pv0", 0, "pv0", 2')],
    ["of raid1 without legs", volume({ type: "raid1", fields: "raids = []" })],
    ["of mirrors without images", volume({ type: "mirror", fields: "mirrors = []" })],
    ["of a thin pool that is none", volume({ type: "thin", fields: 'thin_pool = "b"\ndevice_id = 1' })],
  ])("%s is refused", async (_, a) => {
    const volumes = await open(groupOf(a, { b: volume(linear(1, 1)) }));
    expect(await failureOf(volumes.get("a"))).toBe("LVM_GROUP");
    expect(hex(await contentOf(volumes.get("b")))).toBe(hex(extentOf(1, 1)));
  });

  it("of layers without end is refused, and soon", async () => {
    const layer = (below: string) => volume({ type: "mirror", fields: `mirrors = ["${below}", 0, "${below}", 0]` });
    const layers = Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`l${index}`, layer(`l${index + 1}`)]));
    const volumes = await open(groupOf(layer("l0"), layers));
    expect(await failureOf(volumes.get("a"))).toBe("LVM_GROUP");
  });

  it("on a disk that is cut short is refused", async () => {
    const disks = groupDisks(groupOf(volume(linear(0, 7)), { b: volume(linear(0, 1)) }));
    const volumes = await openGroup(disks.map((disk) => disk.subarray(0, -1)));
    expect(await failureOf(volumes.get("a"))).toBe("BYTES_TRUNCATED");
    expect(hex(await contentOf(volumes.get("b")))).toBe(hex(extentOf(0, 1)));
  });
});

describe("a thin volume", () => {
  const UNIT = 64 << 10;
  const made: MadeGroup = {
    members: [64, 64, 16],
    volumes: {
      pool: volume({ count: 64, type: "thin-pool", fields: 'metadata = "tmeta"\npool = "tdata"\nchunk_size = 128' }),
      tmeta: volume(linear(0, 0, 64), true),
      tdata: volume(linear(1, 0, 64), true),
      external: volume(linear(2, 0, 16)),
      a: volume({ count: 480, type: "thin", fields: 'thin_pool = "pool"\ndevice_id = 1' }),
      b: volume({ count: 32, type: "thin", fields: 'thin_pool = "pool"\ndevice_id = 7' }),
      c: volume({ count: 33, type: "thin", fields: 'thin_pool = "pool"\ndevice_id = 9\nexternal_origin = "external"' }),
      d: volume({ count: 1, type: "thin", fields: 'thin_pool = "pool"\ndevice_id = 8' }),
    },
  };
  const mapped = [
    [2, 3],
    [3, 0],
    [5, 1],
    [6, 2],
    [7, 3],
    [20, 1],
    [21, 0],
    [28, 2],
  ] as const;
  const disksWith = (metadata: Buffer): Buffer[] => {
    const disks = groupDisks(made);
    disks[0]?.set(metadata, EXTENTS_AT);
    return disks;
  };
  const metadata = (options = {}) => thinMetadata({ 1: mapped, 7: [[1, 2]], 9: [] }, options);
  const data = (unit: number): Buffer =>
    extentsOf(...Array.from({ length: 16 }, (_, index) => [1, unit * 16 + index] as const));
  const expected = Buffer.alloc(30 * UNIT);
  for (const [block, unit] of mapped) data(unit).copy(expected, block * UNIT);

  it.each([2, 3, 250])("is read through trees of %i entries a node", async (perNode) => {
    const volumes = await openGroup(disksWith(metadata({ perNode })));
    expect([...volumes.keys()]).toEqual(["external", "a", "b", "c", "d"]);
    const a = volumes.get("a") as Volume;
    expect((await contentOf(a)).equals(expected)).toBe(true);
    const lengths: number[] = [];
    for await (const chunk of chunks(a)) lengths.push(chunk.kind === "data" ? chunk.bytes.length : -chunk.length);
    expect(lengths.filter((length) => length > 0).reduce((sum, length) => sum + length, 0)).toBe(mapped.length * UNIT);
    expect(hex(await contentOf(volumes.get("b")))).toBe(hex(Buffer.concat([Buffer.alloc(UNIT), data(2)])));
  });

  it("reads the same whatever is asked for", async () => {
    const a = (await openGroup(disksWith(metadata()))).get("a") as Volume;
    await fc.assert(
      fc.asyncProperty(fc.nat(a.size - 1), fc.nat(5 * UNIT), async (offset, wish) => {
        const length = Math.min(wish, a.size - offset);
        expect(Buffer.from(await a.read(offset, length)).equals(expected.subarray(offset, offset + length))).toBe(true);
      }),
      { numRuns: 80 },
    );
  });

  it("shows its origin where nothing was written, and zeros beyond it", async () => {
    const volumes = await openGroup(disksWith(metadata()));
    const external = await contentOf(volumes.get("external"));
    expect(hex(await contentOf(volumes.get("c")))).toBe(
      hex(Buffer.concat([external, Buffer.alloc(33 * EXTENT - UNIT)])),
    );
  });

  it("that its pool does not have is refused", async () => {
    const volumes = await openGroup(disksWith(metadata()));
    expect(await failureOf(volumes.get("d"))).toBe("LVM_THIN_METADATA");
  });

  const words = (bytes: Buffer, ...changes: readonly (readonly [at: number, value: number])[]) => {
    for (const [at, value] of changes) bytes.writeUInt32LE(value, at);
  };
  const changed = (block: number, change: (bytes: Buffer) => unknown, seal = true): Buffer => {
    const bytes = metadata();
    change(bytes.subarray(block * 4096, (block + 1) * 4096));
    return seal ? sealThinBlock(bytes, block) : bytes;
  };
  const top = Number(metadata().readBigUInt64LE(320));
  it.each<[string, Buffer]>([
    ["no superblock", Buffer.alloc(4096)],
    ["a superblock with a wrong checksum", changed(0, (bytes) => bytes.writeUInt8(9, 60), false)],
    ["a strange version", changed(0, (bytes) => bytes.writeUInt32LE(3, 40))],
    ["blocks of a strange size", changed(0, (bytes) => bytes.writeUInt32LE(100, 336))],
    ["a root beyond its end", changed(0, (bytes) => bytes.writeUInt32LE(64, 320))],
    ["a node with a wrong checksum", changed(top, (bytes) => bytes.writeUInt8(9, 100), false)],
    ["a node of another place", changed(top, (bytes) => bytes.writeUInt32LE(63, 8))],
    ["a node of too many entries", changed(top, (bytes) => bytes.writeUInt32LE(5000, 20))],
    ["a node with keys that descend", changed(top, (bytes) => bytes.writeUInt32LE(50, 32))],
    ["an inner node that leads to itself", changed(top, (bytes) => words(bytes, [4, 1], [32 + 252 * 8, top]))],
    ["an inner node of nothing", changed(top, (bytes) => words(bytes, [4, 1], [16, 0]))],
  ])("of a pool with %s is refused", async (_, bytes) => {
    const disks = groupDisks(made);
    disks[0]?.fill(0, EXTENTS_AT, EXTENTS_AT + 64 * EXTENT).set(bytes, EXTENTS_AT);
    expect(await failureOf((await openGroup(disks)).get("a"))).toBe("LVM_THIN_METADATA");
  });

  it("with a block beyond the pool's data fails there", async () => {
    const a = (await openGroup(disksWith(thinMetadata({ 1: [[0, 4]] })))).get("a") as Volume;
    expect(await refusal(() => a.read(0, 1))).toBe("LVM_THIN_METADATA");
    expect(Buffer.from(await a.read(UNIT, 4))).toEqual(Buffer.alloc(4));
  });
});
