import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { findDevice } from "../../converters/machine/devices.ts";
import { mountMachine } from "../../converters/machine/mounts.ts";
import { findRoot } from "../../converters/machine/root.ts";
import { allPlaces, describePlace, openStack, type StorageStack } from "../../converters/machine/stack.ts";
import { bytePath } from "../../src/bytes/byte-path.ts";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import { createContext, type Diagnostic } from "../../src/context.ts";
import { asDisk } from "../../src/disk/as-disk.ts";
import { describeWith } from "../support/needs.ts";
import {
  EXTENTS_AT,
  groupText,
  groupUuid,
  hyphenated,
  linear,
  type MadeGroup,
  memberUuid,
  putPhysicalVolume,
  volume,
} from "../volume/lvm2-builder.ts";
import { dataOf, memberDisk } from "../volume/md-builder.ts";
import { mbrEntry, putRecord } from "../volume/tables.ts";

const MIB = 1 << 20;
const EXTENTS = 1 << 8;

async function open(disks: readonly Uint8Array[]): Promise<{ stack: StorageStack; codes: string[]; places: string[] }> {
  const codes: string[] = [];
  const ctx = createContext({ diagnostic: ({ code }: Diagnostic) => void codes.push(code) });
  const facts = { format: "raw", variant: undefined, sectorSize: 512, storedBytes: undefined };
  const stack = await openStack(
    disks.map((disk, index) => asDisk(new MemorySource(disk, `disk ${index}`), facts)),
    ctx,
  );
  return { stack, codes, places: [...allPlaces(stack)].map(describePlace) };
}

/** A disk with one partition from its second MiB to its end. */
function partitioned(content: Uint8Array, type: number): Buffer {
  const disk = Buffer.alloc(MIB + content.length);
  disk.set(content, MIB);
  return putRecord(disk, 0, [mbrEntry(type, MIB / 512, content.length / 512)]);
}

describeWith({ tools: ["mke2fs"] }, "a machine whose files lie on groups", () => {
  const folder = mkdtempSync(join(tmpdir(), "transload-groups-"));
  afterAll(() => rmSync(folder, { recursive: true }));

  function ext4(uuid: number, files: Readonly<Record<string, string>>, mebibytes = 1): Buffer {
    const tree = join(folder, `${uuid}`);
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(path.endsWith("/") ? join(tree, path) : dirname(join(tree, path)), { recursive: true });
      if (!path.endsWith("/")) writeFileSync(join(tree, path), text);
    }
    const image = join(folder, `${uuid}.img`);
    const id = `00000000-0000-4000-8000-00000000000${uuid}`;
    const options = ["-q", "-F", "-t", "ext4", "-O", "^has_journal", "-U", id, "-d", tree, image, `${mebibytes}M`];
    execFileSync("mke2fs", options, { env: { ...process.env, PATH: `${process.env["PATH"]}:/usr/sbin:/sbin` } });
    return readFileSync(image);
  }

  /** The group of the machine: root in two pieces on both members, var in stripes, home mirrored, srv linear. */
  const made: MadeGroup = {
    name: "vg-0",
    members: [6 * EXTENTS, 6 * EXTENTS],
    volumes: {
      root: { segments: [linear(0, 0, EXTENTS), linear(1, 0, EXTENTS)] },
      "var-1": volume({
        count: EXTENTS,
        type: "striped",
        fields: `stripe_size = 8\nstripes = ["pv0", ${EXTENTS}, "pv1", ${EXTENTS}]`,
      }),
      home: volume({ count: EXTENTS, type: "mirror", fields: 'mirrors = ["image", 0]' }),
      image: volume(linear(1, 2 * EXTENTS, EXTENTS), true),
      srv: volume(linear(0, 2 * EXTENTS, EXTENTS)),
    },
  };
  const srvUuid = "LogicalVolume4".padEnd(32, "y");

  function machine(): Buffer[] {
    const fstab = `UUID=00000000-0000-4000-8000-000000000001 / ext4 defaults 0 1
UUID=00000000-0000-4000-8000-000000000005 /boot ext4 defaults 0 2
/dev/mapper/vg--0-var--1 /var ext4 defaults 0 2
/dev/vg-0/home /home ext4 defaults 0 2
/dev/disk/by-id/dm-uuid-LVM-${groupUuid("vg-0")}${srvUuid} /srv ext4 defaults 0 2
`;
    const tree = {
      "etc/fstab": fstab,
      "etc/os-release": 'ID=test\nPRETTY_NAME="Test 1"\n',
      "bin/": "",
      big: "x".repeat(1_500_000),
    };
    const root = ext4(1, { ...tree, "boot/": "", "var/": "", "home/": "", "srv/": "" }, 2);
    const parts = [ext4(2, { where: "var" }), ext4(3, { where: "home" }), ext4(4, { where: "srv" })];
    const [variable, home, service] = parts as [Buffer, Buffer, Buffer];
    const text = groupText(made);
    const members = [0, 1].map((number) => {
      const disk = Buffer.alloc(EXTENTS_AT + 6 * MIB);
      return putPhysicalVolume(disk, { uuid: memberUuid(number), ...(number === 1 ? { text } : { areas: 0 }) });
    }) as [Buffer, Buffer];
    members[0].set(root.subarray(0, MIB), EXTENTS_AT);
    members[1].set(root.subarray(MIB), EXTENTS_AT);
    for (let at = 0; at < MIB; at += 8192) {
      members[0].set(variable.subarray(at, at + 4096), EXTENTS_AT + MIB + at / 2);
      members[1].set(variable.subarray(at + 4096, at + 8192), EXTENTS_AT + MIB + at / 2);
    }
    members[1].set(home, EXTENTS_AT + 2 * MIB);
    members[0].set(service, EXTENTS_AT + 2 * MIB);
    // The first physical volume stands on a mirror of two partitions, the second on a whole disk.
    const array = { version: "1.2", level: 1, size: 7 * MIB, raidDisks: 2, name: "host:pv" } as const;
    const legs = [0, 1].map((number) => memberDisk({ ...array, number }, members[0]));
    const mirror = legs.map((leg) => partitioned(leg, 0xfd));
    return [...mirror, members[1], partitioned(ext4(5, { where: "boot" }), 0x83)];
  }

  it("is mounted by every name that a volume has", async () => {
    const { stack, codes, places } = await open(machine());
    expect(codes).toEqual([]);
    expect(places).toEqual([
      "sda: a mbr partition table",
      "sda1: a part of md",
      "sdb: a mbr partition table",
      "sdb1: a part of md",
      "sdc: a part of lvm2",
      "sdd: a mbr partition table",
      "sdd1: ext4",
      "md/pv: a part of lvm2",
      "vg-0/root: ext4",
      "vg-0/var-1: ext4",
      "vg-0/home: ext4",
      "vg-0/srv: ext4",
    ]);
    const ctx = createContext();
    const root = await findRoot(stack, {}, ctx);
    expect(root.place.device).toBe("vg-0/root");
    const { tree, mounts } = await mountMachine(stack, root, ctx);
    expect(mounts.map(({ path, place }) => [path, place.device])).toEqual([
      ["", "vg-0/root"],
      ["boot", "sdd1"],
      ["var", "vg-0/var-1"],
      ["home", "vg-0/home"],
      ["srv", "vg-0/srv"],
    ]);
    for (const where of ["boot", "var", "home", "srv"]) {
      expect(Buffer.from((await tree.readFile(`${where}/where`)) ?? []).toString()).toBe(where);
    }
    expect((await tree.readFile("big", 2 * MIB))?.every((byte) => byte === 0x78)).toBe(true);
    await stack[Symbol.asyncDispose]();
  });

  it("cannot be read without a disk of the group, and says which volume needs it", async () => {
    const { stack, places } = await open(machine().slice(2));
    expect(places.slice(-4).map((place) => place.replace(/ \(.*/, ""))).toEqual([
      "vg-0/root: something that cannot be read",
      "vg-0/var-1: something that cannot be read",
      "vg-0/home: ext4",
      "vg-0/srv: something that cannot be read",
    ]);
    await expect(findRoot(stack, {}, createContext())).rejects.toMatchObject({
      code: "LVM_PV_MISSING",
      message: `volume vg-0/root needs the physical volume ${hyphenated(memberUuid(0))}, which is on no disk`,
    });
  });
});

describe("an array", () => {
  const SIZE = 4 * MIB;
  const array = { version: "1.2", level: 1, size: SIZE, raidDisks: 2, name: "host:0" } as const;

  it("may hold partitions, which have names of their own", async () => {
    const { start, end } = dataOf(array);
    const content = putRecord(Buffer.alloc(end - start), 0, [mbrEntry(0x83, 2048, 100), mbrEntry(0x83, 4096, 100)]);
    const { stack, places } = await open([0, 1].map((number) => memberDisk({ ...array, number }, content)));
    expect(places).toEqual([
      "sda: a part of md",
      "sdb: a part of md",
      "md0: a mbr partition table",
      "md0p1: nothing",
      "md0p2: nothing",
    ]);
    const found = (name: string) => findDevice(stack, bytePath(name))?.device;
    expect(found("/dev/md0p2")).toBe("md0p2");
    expect(found("/dev/md0")).toBe("md0");
    expect(found("/dev/md/0")).toBe("md0");
    expect(found("/dev/md1")).toBeUndefined();
    expect(found("/dev/disk/by-id/md-name-host:0")).toBe("md0");
    expect(found("/dev/disk/by-id/md-uuid-11111111:11111111:11111111:11111111")).toBe("md0");
    expect(found("/dev/disk/by-id/md-uuid-22222222:11111111:11111111:11111111")).toBeUndefined();
  });

  it("that cannot be read keeps its place, with the error", async () => {
    const { places } = await open([memberDisk({ ...array, level: 5, number: 0 }, Buffer.alloc(0))]);
    expect(places[1]).toBe("md0: something that cannot be read (array md0 is a raid5 array, which is not read)");
  });
});
