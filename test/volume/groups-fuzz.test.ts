import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import { createContext } from "../../src/context.ts";
import { ConverterError } from "../../src/errors.ts";
import { groupFormats } from "../../src/volume/index.ts";
import { fuzz, WORDS } from "../support/fuzz.ts";
import { fixture } from "../support/needs.ts";
import { openGroups, refusal } from "./groups.ts";
import {
  EXTENTS_AT,
  groupDisks,
  linear,
  raidSuperblock,
  sealArea,
  sealLabel,
  sealText,
  volume,
} from "./lvm2-builder.ts";
import { type MadeMember, memberDisk, sealMember, superblockAt } from "./md-builder.ts";
import { sealThinBlock, thinMetadata } from "./thin-builder.ts";

/** Where to write, from the start of what is damaged, and what. */
const changes = fc.array(fc.tuple(fc.nat(4096), WORDS), { minLength: 1, maxLength: 4 });

/** A group with everything that is read: stripes, legs with metadata, thin volumes, layers. */
function everything(): Buffer[] {
  const disks = groupDisks({
    members: [64, 64],
    volumes: {
      lin: { segments: [linear(0, 50, 2), { type: "zero" }, linear(1, 50), { type: "error" }] },
      str: volume({ count: 4, type: "striped", fields: 'stripe_size = 4\nstripes = ["pv0", 40, "pv1", 40]' }),
      r1: volume({ type: "raid1", fields: 'raids = ["m0", "i0", "m1", "i1"]' }),
      m0: volume(linear(0, 42), true),
      i0: volume(linear(0, 43), true),
      m1: volume(linear(1, 42), true),
      i1: volume(linear(1, 43), true),
      pool: volume({ count: 32, type: "thin-pool", fields: 'metadata = "tmeta"\npool = "tdata"' }),
      tmeta: volume(linear(0, 0, 16), true),
      tdata: volume(linear(1, 0, 32), true),
      thin: volume({ count: 128, type: "thin", fields: 'thin_pool = "pool"\ndevice_id = 1\nexternal_origin = "lin"' }),
    },
  });
  const metadata = thinMetadata(
    {
      1: [
        [0, 1],
        [1, 0],
        [4, 1],
        [5, 0],
        [6, 1],
      ],
      2: [[0, 0]],
    },
    { blocks: 16, perNode: 2 },
  );
  disks[0]?.set(metadata, EXTENTS_AT);
  for (const [index, disk] of disks.entries()) disk.set(raidSuperblock(5 + index), EXTENTS_AT + 42 * 4096);
  return disks;
}

/** Opens all groups and reads a little of everything, as far as it goes. */
async function use(disks: readonly Uint8Array[]): Promise<void> {
  const ctx = createContext();
  const sources = disks.map((disk) => new MemorySource(disk));
  for (const entry of groupFormats.entries) {
    const members = [];
    for (const source of sources) if ((await groupFormats.probe(source)) === entry) members.push(source);
    try {
      for (const { volumes } of await (await entry.load()).open(members, ctx)) {
        for (const one of volumes)
          await tryReads(
            one.size,
            (at, length) => one.read(at, length),
            (at) => one.extentAt(at, 4096),
          );
      }
    } catch (error) {
      if (!(error instanceof ConverterError)) throw error;
    }
  }
}

async function tryReads(
  size: number,
  read: (at: number, length: number) => unknown,
  extent: (at: number) => unknown,
): Promise<void> {
  for (const at of [0, Math.floor(size / 3), size - 1]) {
    for (const action of [() => read(at, Math.min(100_000, size - at)), () => extent(at)]) {
      try {
        await action();
      } catch (error) {
        if (!(error instanceof ConverterError)) throw error;
      }
    }
  }
}

function changed(area: Buffer, list: readonly (readonly [number, number])[]): void {
  for (const [at, value] of list) if (at + 4 <= area.length) area.writeUInt32LE(value, at);
}

describe("damaged groups give a result or a ConverterError, soon", () => {
  const whole = everything();
  const copies = () => whole.map((disk) => Buffer.from(disk)) as [Buffer, Buffer];

  it("which are whole before", async () => {
    const [group] = (await openGroups(whole)).systems;
    const codes = [];
    for (const one of group?.volumes ?? []) codes.push([one.id, await refusal(() => one.read(one.size - 1, 1))]);
    expect(codes).toEqual([
      ["vg/lin", "LVM_ERROR_SEGMENT"],
      ["vg/str", undefined],
      ["vg/r1", undefined],
      ["vg/thin", undefined],
    ]);
  });

  it("where labels, headers or texts have other bytes", async () => {
    const real = ["one", "two", "three"].map((name) =>
      gunzipSync(readFileSync(fixture("lvm2", "tools", `${name}.img.gz`))),
    );
    const damaged = fc
      .tuple(fc.boolean(), fc.boolean(), changes, fc.option(fc.nat(1 << 20), { freq: 10 }))
      .map(([made, seal, list, cut]) => {
        const disks = made ? copies() : real.map((disk) => Buffer.from(disk));
        const [first] = disks as [Buffer];
        changed(first.subarray(512), list);
        if (seal) {
          sealLabel(first);
          sealArea(first.subarray(4096, EXTENTS_AT));
        }
        return [cut === null ? first : first.subarray(0, cut), ...disks.slice(1)];
      });
    await fuzz("lvm2, labels and headers and texts", 600, damaged, use);
  });

  it("where the text says something else", async () => {
    const scraps = fc.constantFrom(
      "0",
      "1",
      "-1",
      "99999999999999999999",
      "1.5",
      '"',
      "[",
      "]",
      "{",
      "}",
      "=",
      '"thin"',
      '"pv0"',
      '"tmeta"',
      "raids",
      "#",
      "\\",
    );
    const damaged = fc.array(fc.tuple(fc.nat(), scraps), { minLength: 1, maxLength: 5 }).map((list) => {
      const disks = copies();
      for (const disk of disks) {
        const area = disk.subarray(4096, EXTENTS_AT);
        const length = Number(area.readBigUInt64LE(48));
        for (const [at, scrap] of list) area.write(scrap, 512 + (at % (length - 20)), "latin1");
        sealText(area);
      }
      return disks;
    });
    await fuzz("lvm2, what its text says", 1200, damaged, use);
  });

  it("where words of the text change places", async () => {
    const damaged = fc.array(fc.tuple(fc.nat(), fc.nat()), { minLength: 1, maxLength: 3 }).map((list) => {
      const disks = copies();
      for (const disk of disks) {
        const area = disk.subarray(4096, EXTENTS_AT);
        const length = Number(area.readBigUInt64LE(48));
        const words = area.toString("latin1", 512, 512 + length - 1).split(/( |\n)/);
        const content = words.flatMap((text, index) => (/\w/.test(text) ? [index] : []));
        for (const [from, to] of list) {
          words[content[to % content.length] as number] = words[content[from % content.length] as number] as string;
        }
        const text = Buffer.from(`${words.join("")}\0`, "latin1");
        area.set(text, 512);
        area.writeBigUInt64LE(BigInt(text.length), 48);
        sealText(area);
      }
      return disks;
    });
    await fuzz("lvm2, the order of its text", 1200, damaged, use);
  });

  it("where the metadata of thin pools or legs is another", async () => {
    const damaged = fc.tuple(fc.nat(10), changes, fc.boolean()).map(([block, list, seal]) => {
      const disks = copies();
      const metadata = disks[0].subarray(EXTENTS_AT, EXTENTS_AT + 16 * 4096);
      changed(
        metadata.subarray(block * 4096),
        list.map(([at, value]) => [at % (at % 2 === 0 ? 60 : 3000), value]),
      );
      if (seal) for (let index = 0; index < 10; index++) sealThinBlock(metadata, index);
      changed(
        disks[1].subarray(EXTENTS_AT + 42 * 4096),
        list.map(([at, value]) => [at % 60, value]),
      );
      return disks;
    });
    await fuzz("lvm2, metadata of thin pools and legs", 800, damaged, use);
  });

  it("where superblocks of arrays are others", async () => {
    const versions = fc.constantFrom("0.90", "1.0", "1.1", "1.2") as fc.Arbitrary<MadeMember["version"]>;
    const kinds = fc.constantFrom(-1, 0, 1, 5);
    const damaged = fc.tuple(versions, kinds, changes, fc.boolean()).map(([version, level, list, seal]) => {
      const disks = [0, 1].map((number) =>
        memberDisk({ version, level, size: 256 << 10, raidDisks: 2, number, chunk: 8 }, new Uint8Array(0)),
      );
      const [first] = disks as [Buffer];
      const at = superblockAt(version, first.length);
      changed(
        first.subarray(at),
        list.map(([place, value]) => [(place % 280) & ~3, value]),
      );
      // The number of roles may be another now: then the sum cannot be right.
      if (seal) sealMember(first, version);
      return disks;
    });
    await fuzz("md, superblocks", 1500, damaged, use);
  });
});
