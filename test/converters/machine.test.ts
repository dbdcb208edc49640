import { execFileSync } from "node:child_process";
import {
  closeSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { type Machine, type MachineOptions, openGuest, openMachine } from "../../converters/machine/machine.ts";
import { mountMachine } from "../../converters/machine/mounts.ts";
import { findRoot, type RootOptions } from "../../converters/machine/root.ts";
import { allPlaces, describePlace, openStack } from "../../converters/machine/stack.ts";
import type { ByteSource } from "../../src/bytes/byte-source.ts";
import { Slice } from "../../src/bytes/slice.ts";
import { createContext, type Diagnostic } from "../../src/context.ts";
import type { VirtualDisk } from "../../src/disk/virtual-disk.ts";
import { ConverterError } from "../../src/errors.ts";
import { openPackage } from "../../src/ovf/open-package.ts";
import { corpus, describeWith, fixture } from "../support/needs.ts";
import { differences } from "../support/truth.ts";
import { unpacked } from "../support/unpack.ts";

const folder = mkdtempSync(join(tmpdir(), "transload-machine-"));
afterAll(() => rmSync(folder, { recursive: true }));

interface Opened extends Machine {
  readonly codes: readonly string[];
}

async function open(path: string, options: MachineOptions = {}): Promise<Opened> {
  const codes: string[] = [];
  const ctx = createContext({ diagnostic: ({ code }: Diagnostic) => void codes.push(code) });
  const pkg = await openPackage({ kind: "path", path }, ctx);
  return { ...(await openMachine(pkg, options, ctx)), codes };
}

const guestOf = (machine: Machine, options: RootOptions = {}) => openGuest(machine, options, createContext());
const placesOf = ({ stack }: Machine) => [...allPlaces(stack)].map(describePlace);

describe("the hello appliance", () => {
  it("is a machine whose files are those that the kernel lists", async () => {
    const machine = await open(fixture("appliances", "hello", "hello.ova"));
    expect(machine.name).toBe("hello");
    expect(machine.disks.map(({ device, disk, member }) => [device, disk.format, disk.variant, member?.name])).toEqual([
      ["sda", "vmdk", "streamOptimized", "hello-disk001.vmdk"],
    ]);
    expect(placesOf(machine)).toEqual(["sda: a mbr partition table", expect.stringMatching(/^sda1: ext4/)]);
    const guest = await guestOf(machine);
    expect(guest.mounts.map(({ path, place }) => [path, place.device])).toEqual([["", "sda1"]]);
    const { fileSystem } = guest.root;
    const merged = {
      ...fileSystem,
      walk: guest.tree.walk.bind(guest.tree),
      content: guest.tree.content.bind(guest.tree),
    };
    expect(await differences(merged, fixture("appliances", "hello", "truth.ndjson"))).toEqual([]);
    expect(Buffer.from((await guest.tree.readFile("etc/os-release")) ?? []).toString()).toContain("ID=debian");
  });
});

const MIB = 1 << 20;

function run(program: string, parameters: readonly string[], input = ""): void {
  execFileSync(program, parameters, {
    input,
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...process.env, PATH: `${process.env["PATH"]}:/usr/sbin:/sbin` },
  });
}

function blank(name: string, size: number): string {
  const path = join(folder, name);
  writeFileSync(path, "");
  truncateSync(path, size);
  return path;
}

/** A file system whose content is given as paths and texts; a text that begins with "->" is a symlink's target. */
function ext4(
  name: string,
  size: number,
  files: Readonly<Record<string, string>>,
  parameters: readonly string[],
): string {
  const tree = join(folder, `${name}.tree`);
  mkdirSync(tree);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(path.endsWith("/") ? join(tree, path) : dirname(join(tree, path)), { recursive: true });
    if (!path.endsWith("/")) writeFileSync(join(tree, path), text);
  }
  const path = blank(name, size);
  run("mke2fs", ["-q", "-F", "-t", "ext4", "-d", tree, ...parameters, path]);
  return path;
}

/** Puts images into a disk at byte offsets. */
function compose(disk: string, parts: Readonly<Record<number, string>>): void {
  const fd = openSync(disk, "r+");
  for (const [offset, part] of Object.entries(parts)) {
    const bytes = readFileSync(part);
    writeSync(fd, bytes, 0, bytes.length, Number(offset));
  }
  closeSync(fd);
}

const ROOT_UUID = "0e5ad2d4-0000-4000-8000-000000000001";
const BOOT_PARTUUID = "0e5ad2d4-0000-4000-8000-00000000000b";

/** GPT: ESP, /boot, swap, root; a second disk that is one file system; a third one that starts blank. */
function makeAppliance(): string {
  const esp = blank("esp.img", 8 * MIB);
  run("mkfs.vfat", ["-i", "ABCD1234", "-n", "ESP", esp]);
  const loader = join(folder, "loader");
  writeFileSync(loader, "loader");
  run("mmd", ["-i", esp, "::EFI"]);
  run("mcopy", ["-i", esp, loader, "::EFI/grub.cfg"]);
  const boot = ext4("boot.img", 8 * MIB, { vmlinuz: "kernel", "efi/": "", grub: "grub" }, ["-b", "1024"]);
  const swap = blank("swap.img", 4 * MIB);
  run("mkswap", ["-q", swap]);
  const fstab = [
    `UUID=${ROOT_UUID} / ext4 errors=remount-ro 0 1`,
    `PARTUUID=${BOOT_PARTUUID} /boot ext4 defaults 0 2`,
    "UUID=abcd-1234 /boot/efi vfat umask=0077 0 1",
    "LABEL=data /srv/my\\040data ext4 defaults,nofail 0 2",
    "/dev/sda3 none swap sw 0 0",
  ].join("\n");
  const files = {
    "etc/fstab": fstab,
    "etc/os-release": 'ID=test\nPRETTY_NAME="Test 1"\n',
    "bin/sh": "sh",
    "boot/hidden": "hidden",
    "srv/my data/": "",
  };
  const root = ext4("root.img", 16 * MIB, files, ["-U", ROOT_UUID, "-L", "root"]);
  mkdirSync(join(folder, "appliance"));
  const disk = blank("appliance/disk1.img", 48 * MIB);
  const layout = [
    "label: gpt",
    "start=2048, size=16384, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B",
    `start=18432, size=16384, uuid=${BOOT_PARTUUID}, name="boot"`,
    "start=34816, size=8192, type=0657FD6D-A4AB-43C4-84E5-0933C84B4F4F",
    "start=43008, size=32768",
  ];
  run("sfdisk", ["-q", disk], layout.join("\n"));
  compose(disk, { [MIB]: esp, [9 * MIB]: boot, [17 * MIB]: swap, [21 * MIB]: root });
  cpSync(ext4("data.img", 8 * MIB, { file: "content" }, ["-L", "data"]), join(folder, "appliance", "disk2.img"));
  writeFileSync(join(folder, "appliance", "tools.iso"), Buffer.alloc(2048));
  writeFileSync(join(folder, "appliance", "box.ovf"), DESCRIPTOR);
  return join(folder, "appliance");
}

const item = (fields: Readonly<Record<string, string | number>>) =>
  `<Item>${Object.entries(fields)
    .map(([name, value]) => `<rasd:${name}>${value}</rasd:${name}>`)
    .join("")}</Item>`;

/** The second disk is described before the first one, and the bus of the second controller before that of the first. */
const DESCRIPTOR = `<?xml version="1.0"?>
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"
  xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData">
<References><File ovf:id="f2" ovf:href="disk2.img"/><File ovf:id="f1" ovf:href="disk1.img"/><File ovf:id="cd" ovf:href="tools.iso"/></References>
<DiskSection><Info/>
<Disk ovf:diskId="d2" ovf:fileRef="f2" ovf:capacity="${8 * MIB}"/>
<Disk ovf:diskId="d1" ovf:fileRef="f1" ovf:capacity="${40 * MIB}"/>
<Disk ovf:diskId="d3" ovf:capacity="64" ovf:capacityAllocationUnits="byte * 2^20"/>
</DiskSection>
<VirtualSystem ovf:id="box"><Info/><Name>box machine</Name><VirtualHardwareSection><Info/>
${item({ Address: 1, ElementName: "c1", InstanceID: 3, ResourceType: 6 })}
${item({ Address: 0, ElementName: "c0", InstanceID: 4, ResourceType: 6 })}
${item({ AddressOnParent: 0, ElementName: "h", HostResource: "ovf:/disk/d3", InstanceID: 5, Parent: 3, ResourceType: 17 })}
${item({ AddressOnParent: 1, ElementName: "h", HostResource: "ovf:/disk/d2", InstanceID: 6, Parent: 4, ResourceType: 17 })}
${item({ AddressOnParent: 0, ElementName: "h", HostResource: "ovf:/disk/d1", InstanceID: 7, Parent: 4, ResourceType: 17 })}
${item({ AddressOnParent: 2, ElementName: "cd", HostResource: "ovf:/file/cd", InstanceID: 8, Parent: 4, ResourceType: 15 })}
</VirtualHardwareSection></VirtualSystem>
</Envelope>`;

describeWith(
  { tools: ["mke2fs", "sfdisk", "mkfs.vfat", "mmd", "mcopy", "mkswap"] },
  "an appliance of several disks",
  () => {
    it("is read with its disks in the order of their controllers, and with everything mounted", async () => {
      const path = makeAppliance();
      const machine = await open(path);
      expect(machine.name).toBe("box machine");
      expect(placesOf(machine)).toEqual([
        "sda: a gpt partition table",
        'sda1: vfat "ESP"',
        "sda2: ext4",
        expect.stringMatching(/^sda3: .*swap/i),
        'sda4: ext4 "root"',
        'sdb: ext4 "data"',
        "sdc: nothing",
      ]);
      expect(machine.disks.map(({ disk, member }) => [disk.size, member?.name])).toEqual([
        [48 * MIB, "disk1.img"],
        [8 * MIB, "disk2.img"],
        [64 * MIB, undefined],
      ]);
      expect(machine.media.map(({ drive, member }) => [drive.kind, member?.name])).toEqual([["cd", "tools.iso"]]);
      expect(machine.codes).toContain("MACHINE_DISK_BLANK");
      expect(machine.codes).toContain("DISK_CAPACITY");
      const guest = await guestOf(machine);
      expect(guest.mounts.map(({ path, place }) => `${place.device} /${path}`)).toEqual([
        "sda4 /",
        "sda2 /boot",
        "sda1 /boot/efi",
        "sdb /srv/my data",
      ]);
      const paths: string[] = [];
      for await (const entry of guest.tree.walk()) if (!entry.path.includes("lost+found")) paths.push(entry.path);
      expect(paths).toEqual([
        "",
        "bin",
        "bin/sh",
        "boot",
        "boot/efi",
        "boot/efi/EFI",
        "boot/efi/EFI/grub.cfg",
        "boot/grub",
        "boot/vmlinuz",
        "etc",
        "etc/fstab",
        "etc/os-release",
        "srv",
        "srv/my data",
        "srv/my data/file",
      ]);
      const text = async (path: string) => Buffer.from((await guest.tree.readFile(path)) ?? []).toString();
      expect(await text("boot/efi/EFI/grub.cfg")).toBe("loader");
      expect(await text("srv/my data/file")).toBe("content");
      expect((await guestOf(machine, { root: "LABEL=root" })).root.place.device).toBe("sda4");
      await expect(guestOf(machine, { disk: 2 })).rejects.toMatchObject({ code: "MACHINE_ROOT_MISSING" });
    });
  },
);

describe("a package of several machines", () => {
  const write = (name: string, systems: readonly string[]): string => {
    const path = join(folder, name);
    mkdirSync(path);
    const all = systems.map((id) => `<VirtualSystem ovf:id="${id}"><Info/><Name>${id} name</Name></VirtualSystem>`);
    const xml = `<?xml version="1.0"?><Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1">
<VirtualSystemCollection ovf:id="all"><Info/>${all.join("")}</VirtualSystemCollection></Envelope>`;
    writeFileSync(join(path, "p.ovf"), xml);
    return path;
  };

  it("needs to know which one, by id or name", async () => {
    const path = write("two", ["a", "b"]);
    await expect(open(path)).rejects.toMatchObject({
      code: "MACHINE_SYSTEM_AMBIGUOUS",
      exitCode: 2,
      message: expect.stringContaining('"a", "b"'),
      advice: expect.stringContaining("--system"),
    });
    await expect(open(path, { system: "c" })).rejects.toMatchObject({ code: "MACHINE_SYSTEM_UNKNOWN", exitCode: 2 });
    expect((await open(path, { system: "b" })).system?.id).toBe("b");
    const machine = await open(path, { system: "a name" });
    expect(machine.system?.id).toBe("a");
    await expect(guestOf(machine)).rejects.toMatchObject({ code: "MACHINE_ROOT_MISSING" });
  });

  it("is refused when it holds none", async () => {
    await expect(open(write("none", []))).rejects.toMatchObject({ code: "MACHINE_SYSTEM_MISSING", exitCode: 69 });
  });
});

describeWith({ corpus: "disk/made/disks", tools: ["xz"] }, "bare disks that others made", () => {
  const made = async (name: string) =>
    await open(await unpacked(corpus("disk", "made", "disks", `${name}.img.xz`)), { format: "raw" });

  it("are told down to logical partitions and members of groups", async () => {
    const machine = await made("disk-mbr");
    expect(machine.system).toBeUndefined();
    expect(placesOf(machine)).toEqual([
      "sda: a mbr partition table",
      "sda1: ext4",
      expect.stringMatching(/^sda5: .*swap/i),
      "sda6: ext2",
    ]);
    expect(placesOf(await made("disk-lvm"))).toEqual([
      "sda: a gpt partition table",
      "sda1: nothing",
      "sda2: ext3",
      "sda3: a part of lvm2",
      "ubuntu-vg/ubuntu-lv: ext4",
    ]);
  });

  it("ask which root is meant, and take it from the whole disk too", async () => {
    const machine = await made("disk-mbr");
    await expect(guestOf(machine)).rejects.toMatchObject({ code: "MACHINE_ROOT_AMBIGUOUS" });
    const guest = await guestOf(machine, { root: "1:6" });
    expect(guest.root.fileSystem.type).toBe("ext2");
    expect((await guestOf(await made("disk-nopart"))).root.place.device).toBe("sda");
  });
});

/** A disk with single bytes changed. */
class Flipped extends Slice implements VirtualDisk {
  readonly format = "raw";
  readonly variant = undefined;
  readonly sectorSize = 512;
  readonly storedBytes = undefined;
  readonly #flips: ReadonlyMap<number, number>;

  constructor(disk: ByteSource, flips: ReadonlyMap<number, number>) {
    super(disk, 0, disk.size);
    this.#flips = flips;
  }

  override async read(offset: number, length: number): Promise<Uint8Array> {
    const bytes = Uint8Array.from(await super.read(offset, length));
    for (const [at, value] of this.#flips) if (at >= offset && at < offset + length) bytes[at - offset] = value;
    return bytes;
  }
}

describe("a damaged machine", () => {
  it("is read or refused with a typed error", async () => {
    const machine = await open(fixture("appliances", "hello", "hello.ova"));
    const disk = machine.disks[0]?.disk as VirtualDisk;
    const partition = fc.integer({ min: MIB, max: 2 * MIB });
    const superBlock = fc.integer({ min: MIB + 1024, max: MIB + 1400 });
    const table = fc.integer({ min: 440, max: 511 });
    const flip = fc.tuple(fc.oneof(partition, superBlock, table), fc.nat({ max: 255 }));
    await fc.assert(
      fc.asyncProperty(fc.array(flip, { minLength: 1, maxLength: 8 }), async (flips) => {
        const ctx = createContext();
        try {
          await using stack = await openStack([new Flipped(disk, new Map(flips))], ctx);
          const root = await findRoot(stack, {}, ctx);
          const { tree } = await mountMachine(stack, root, ctx);
          for await (const entry of tree.walk()) expect(entry.path.length).toBeLessThan(10_000);
        } catch (error) {
          if (!(error instanceof ConverterError)) throw error;
        }
      }),
      { numRuns: 60 },
    );
  });
});
