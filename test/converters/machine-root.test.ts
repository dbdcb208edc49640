import { describe, expect, it } from "vitest";
import { findDevice, mapperName } from "../../converters/machine/devices.ts";
import { mountMachine } from "../../converters/machine/mounts.ts";
import { findRoot, type RootOptions } from "../../converters/machine/root.ts";
import type { Content, StorageStack } from "../../converters/machine/stack.ts";
import { createContext, type Diagnostic } from "../../src/context.ts";
import { CorruptError } from "../../src/errors.ts";
import type { Recognised } from "../../src/filesystem/recognised.ts";
import { InMemoryFileSystem, type Node } from "./in-memory-file-system.ts";
import { fileSystemContent, type MadeSystem, madeStack } from "./made-stack.ts";

const ESP = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B";
const HOME = "933AC7E1-2EB4-4F13-B844-0E14E2AEF915";

const system = (fstab: string, more: Record<string, Node> = {}) => ({
  "etc/fstab": fstab,
  "etc/os-release": 'NAME=x\nPRETTY_NAME="Test Linux 1"\n',
  bin: { target: "usr/bin" },
  "boot/efi": null,
  home: null,
  var: null,
  data: null,
  ...more,
});

async function mounted(stack: StorageStack, options: RootOptions = {}) {
  const diagnostics: Diagnostic[] = [];
  const ctx = createContext({ diagnostic: (found) => diagnostics.push(found) });
  const root = await findRoot(stack, options, ctx);
  const machine = await mountMachine(stack, root, ctx);
  const mounts = machine.mounts.map(({ path, place }) => `${place.device} /${path}`);
  return { ...machine, mounts, codes: diagnostics.map(({ code, severity }) => `${code} ${severity}`) };
}

const vfat = (nodes: Record<string, Node> = { "EFI/BOOT/BOOTX64.EFI": "" }, uuid = "ABCD-1234") =>
  new InMemoryFileSystem(nodes, { type: "vfat", uuid, label: "EFI" });
const ext4 = (nodes: Record<string, Node>, uuid?: string, label?: string) =>
  new InMemoryFileSystem(nodes, { ...(uuid && { uuid }), ...(label && { label }) });
const damaged: Content = { kind: "damaged", type: "ext4", error: new CorruptError("EXT_TEST", "broken") };
const recognised = (name: string, kind: Recognised["kind"], title: string): Content => ({
  kind: "recognised",
  recognised: { name, kind, title, uuid: undefined, label: undefined, advice: "" },
});

describe("device names", () => {
  const plain = ext4({}, "11111111-aaaa-4000-8000-000000000001", "Daten ä");
  const stack = madeStack(
    [
      {
        scheme: "mbr",
        volumes: [
          { id: "1", uuid: "cafebabe-01", content: plain },
          { id: "5", uuid: "cafebabe-05" },
        ],
      },
      {
        scheme: "gpt",
        volumes: [{ id: "2", uuid: "22222222-bbbb-4000-8000-000000000002", label: "EFI system", content: vfat() }],
      },
      ext4({}, "33333333-0000-4000-8000-000000000003"),
    ],
    [
      {
        scheme: "lvm2",
        uuid: "abcdef-ghij-klmn-opqr-stuv-wxyz-012345",
        label: "vg-0",
        volumes: [{ id: "vg-0/root", uuid: "ABCDEF-ghij-klmn-opqr-stuv-wxyz-678901" }],
      },
      { scheme: "md", volumes: [{ id: "md0" }] },
    ],
  );

  it.each([
    ["UUID=11111111-AAAA-4000-8000-000000000001", "sda1"],
    ['UUID="abcd-1234"', "sdb2"],
    ["UUID='ABCD-1234'", "sdb2"],
    ["LABEL=EFI", "sdb2"],
    ["LABEL=Daten \xc3\xa4", "sda1"],
    ["PARTUUID=CAFEBABE-05", "sda5"],
    ["PARTUUID=22222222-bbbb-4000-8000-000000000002", "sdb2"],
    ['PARTLABEL="EFI system"', "sdb2"],
    ["/dev/disk/by-uuid/ABCD-1234", "sdb2"],
    ["/dev/disk/by-label/Daten\\x20\xc3\xa4", "sda1"],
    ["/dev/disk/by-partlabel/EFI\\x20system", "sdb2"],
    ["/dev/disk/by-partuuid/cafebabe-01", "sda1"],
    ["/dev/disk/by-id/dm-uuid-LVM-abcdefghijklmnopqrstuvwxyz012345ABCDEFghijklmnopqrstuvwxyz678901", "vg-0/root"],
    ["/dev/disk/by-id/dm-name-vg--0-root", "vg-0/root"],
    ["/dev/mapper/vg--0-root", "vg-0/root"],
    ["/dev/vg-0/root", "vg-0/root"],
    ["/dev/md0", "md0"],
    ["/dev/sda1", "sda1"],
    ["/dev/hda5", "sda5"],
    ["/dev/vdb2", "sdb2"],
    ["/dev/xvdc", "sdc"],
    ["/dev/nvme1n1p2", "sdb2"],
    ["/dev/mmcblk0p1", "sda1"],
    ["/dev/sdc1", undefined],
    ["/dev/sdd", undefined],
    ["/dev/sdaa1", undefined],
    ["/dev/1", undefined],
    ["UUID=", undefined],
    ["LABEL=", undefined],
    ["/dev/disk/by-path/pci-0000:00:1f.2-ata-1-part1", undefined],
    ["tmpfs", undefined],
  ])("%s is %s", (spec, device) => {
    expect(findDevice(stack, spec)?.device).toBe(device);
  });

  it("takes a name by hardware for the only disk", () => {
    const one = madeStack([{ scheme: "mbr", volumes: [{ id: "1" }] }]);
    expect(findDevice(one, "/dev/disk/by-id/ata-VBOX_HARDDISK_VB0-1-part1")?.device).toBe("sda1");
    expect(findDevice(one, "/dev/disk/by-path/pci-0000:00:1f.2-ata-1")?.device).toBe("sda");
    expect(mapperName("a-b", "c--d")).toBe("a--b-c----d");
  });
});

describe("the root", () => {
  it("is the volume with a system, which ranks by os-release, then fstab", async () => {
    const plain = ext4({ "etc/hosts": "", "bin/sh": "" });
    const old = ext4({ "etc/fstab": "", "bin/sh": "" });
    const { mounts } = await mounted(madeStack([plain, vfat(), old, ext4(system(""))]));
    expect(mounts).toEqual(["sdd /"]);
    expect((await mounted(madeStack([plain, old]))).mounts).toEqual(["sdb /"]);
    expect((await mounted(madeStack([plain, ext4({ "etc/hosts": "" })]))).mounts).toEqual(["sda /"]);
    const core = ext4({ "etc/coreos/update.conf": "", root: null, home: null, usr: null });
    expect((await mounted(madeStack([core]))).mounts).toEqual(["sda /"]);
  });

  it("is asked for when there are several, and can be named", async () => {
    const table: MadeSystem = {
      scheme: "gpt",
      volumes: [
        { id: "1", content: vfat() },
        { id: "2", uuid: "aa-02", content: ext4(system(""), "u-1", "one") },
      ],
    };
    const stack = madeStack([table, ext4(system(""), "u-2", "twö")]);
    await expect(mounted(stack)).rejects.toMatchObject({
      code: "MACHINE_ROOT_AMBIGUOUS",
      exitCode: 2,
      message:
        '2 volumes look like the root of a system: sda2: ext4 "one", Test Linux 1; sdb: ext4 "twö", Test Linux 1',
      advice: "choose one, for example with --root /dev/sda2",
    });
    for (const root of ["1:2", "/dev/sda2", "sda2", "UUID=u-1", "LABEL=one", "PARTUUID=AA-02"]) {
      expect((await mounted(stack, { root })).mounts).toEqual(["sda2 /"]);
    }
    for (const root of ["2", "LABEL=twö", "/dev/sdb"])
      expect((await mounted(stack, { root })).mounts).toEqual(["sdb /"]);
    expect((await mounted(stack, { disk: 2 })).mounts).toEqual(["sdb /"]);
    for (const root of ["3:1", "1:9", "2:1", "LABEL=x", "nonsense"]) {
      await expect(mounted(stack, { root })).rejects.toMatchObject({ code: "MACHINE_ROOT_UNKNOWN", exitCode: 2 });
    }
    await expect(mounted(stack, { disk: 3 })).rejects.toMatchObject({ code: "MACHINE_DISK_NUMBER", exitCode: 2 });
    await expect(mounted(stack, { root: "1" })).rejects.toMatchObject({
      code: "MACHINE_ROOT_UNREADABLE",
      exitCode: 69,
    });
    await expect(mounted(madeStack([damaged]), { root: "1" })).rejects.toMatchObject({ code: "EXT_TEST" });
  });

  it("may lie in a subvolume", async () => {
    const top = new InMemoryFileSystem({ "@": null, "@home": null }, { type: "btrfs", uuid: "b" });
    const root = ext4(
      system("UUID=b / btrfs subvol=@ 0 0\nUUID=b /home btrfs subvol=/@home\nUUID=b /data btrfs subvolid=300"),
    );
    const subvolumes = { "@": root, "@home": ext4({ "user/.profile": "" }), "300": ext4({ big: "" }) };
    const { tree, mounts } = await mounted(madeStack([fileSystemContent(top, subvolumes)]));
    expect(mounts).toEqual(["sda /", "sda /home", "sda /data"]);
    expect(await tree.lookup("home/user/.profile")).toBeDefined();
    expect(await tree.lookup("data/big")).toBeDefined();
  });

  it("is missing with the most telling reason", async () => {
    const luks = recognised("luks2", "encrypted", "LUKS2 encrypted volume");
    const ntfs = (nodes: Record<string, Node>) => new InMemoryFileSystem(nodes, { type: "ntfs" });
    await expect(
      mounted(
        madeStack([
          {
            scheme: "gpt",
            volumes: [
              { id: "1", content: vfat() },
              { id: "3", content: luks },
            ],
          },
        ]),
      ),
    ).rejects.toMatchObject({
      code: "MACHINE_ROOT_ENCRYPTED",
      exitCode: 69,
      message:
        'the files of the machine are encrypted (sda3); found are: sda1: vfat "EFI"; sda3: LUKS2 encrypted volume',
    });
    const reserved = { scheme: "gpt", volumes: [{ id: "2", type: "E3C9E316-0B5C-4DB8-817D-F92DF00215AE" }] };
    for (const disk of [reserved, vfat({ "EFI/Microsoft/Boot/BCD": "" })]) {
      await expect(mounted(madeStack([disk]))).rejects.toMatchObject({ code: "MACHINE_ROOT_WINDOWS" });
    }
    const bitlocker = recognised("bitlocker", "encrypted", "BitLocker encrypted volume");
    await expect(mounted(madeStack([bitlocker]))).rejects.toMatchObject({ code: "MACHINE_ROOT_WINDOWS" });
    for (const nodes of [{ "Windows/System32/x": "" }, { bootmgr: "", "Boot/BCD": "" }]) {
      await expect(mounted(madeStack([ntfs(nodes), vfat()]))).rejects.toMatchObject({
        code: "MACHINE_ROOT_WINDOWS",
        exitCode: 69,
      });
    }
    const data = madeStack([ntfs({ "Pictures/x": "" })]);
    await expect(mounted(data)).rejects.toMatchObject({ code: "MACHINE_ROOT_MISSING" });
    await expect(mounted(madeStack([vfat({}), { kind: "empty" }]))).rejects.toMatchObject({
      code: "MACHINE_ROOT_MISSING",
      exitCode: 69,
      message: 'no volume looks like the root of a Linux system; found are: sda: vfat "EFI"; sdb: nothing',
      advice: expect.stringContaining("--as disk"),
    });
    await expect(mounted(madeStack([vfat(), damaged]))).rejects.toMatchObject({ code: "EXT_TEST", exitCode: 65 });
    await expect(mounted(madeStack([]))).rejects.toMatchObject({ code: "MACHINE_ROOT_MISSING" });
  });
});

describe("mounts", () => {
  it("nest by depth, through symlinks, and leave out what is not of the machine's disks", async () => {
    const fstab = [
      "UUID=r / ext4 defaults 0 1",
      "UUID=abcd-1234 /boot/efi vfat umask=0077 0 1",
      "/dev/sda2 /boot ext4 defaults 0 2",
      "LABEL=data /srv/link ext4 defaults",
      "tmpfs /tmp tmpfs size=1g 0 0",
      "/dev/sda1 none swap sw 0 0",
      "UUID=gone /home ext4 defaults",
      "UUID=gone2 /var ext4 nofail",
    ].join("\n");
    const root = ext4(system(fstab, { "srv/link": { target: "/data" } }), "r");
    const table = (volumes: MadeSystem["volumes"]) => ({ scheme: "mbr", volumes });
    const stack = madeStack([
      table([
        { id: "1", content: root },
        { id: "2", content: ext4({ efi: null, vmlinuz: "" }) },
        { id: "3", content: vfat() },
      ]),
      table([{ id: "1", content: ext4({ file: "content" }, "d", "data") }]),
    ]);
    const { tree, mounts, skipped, codes } = await mounted(stack);
    expect(mounts).toEqual(["sda1 /", "sda2 /boot", "sda3 /boot/efi", "sdb1 /data"]);
    expect(Buffer.from((await tree.readFile("srv/link/file")) ?? []).toString()).toBe("content");
    expect(await tree.lookup("boot/efi/EFI/BOOT/BOOTX64.EFI")).toBeDefined();
    expect(skipped.map(({ line }) => line.line)).toEqual([5, 6, 7, 8]);
    expect(codes).toEqual(["FSTAB_DEVICE_MISSING warning", "FSTAB_DEVICE_MISSING info"]);
  });

  it("need a directory to lie on", async () => {
    const fstab = "/dev/sdb /nowhere ext4\n/dev/sdb /etc/fstab ext4\n/dev/sdb /slash ext4";
    const { mounts, codes } = await mounted(madeStack([ext4(system(fstab, { slash: { target: "/" } })), ext4({})]));
    expect(mounts).toEqual(["sda /"]);
    expect(codes).toEqual(Array(3).fill("MACHINE_MOUNT_POINT warning"));
  });

  it("throw for a volume that is needed and cannot be read, and go on without one that is not", async () => {
    const luks = recognised("luks2", "encrypted", "LUKS2 encrypted volume");
    const on = (line: string, content: Content) => mounted(madeStack([ext4(system(line)), content]));
    await expect(on("/dev/sdb /var ext4", damaged)).rejects.toMatchObject({ code: "EXT_TEST" });
    await expect(on("/dev/sdb /var ext4", luks)).rejects.toMatchObject({
      code: "MACHINE_MOUNT_UNREADABLE",
      exitCode: 69,
    });
    for (const line of ["/dev/sdb /var ext4 nofail", "/dev/sdb /boot/efi vfat"]) {
      for (const content of [damaged, luks]) {
        expect((await on(line, content)).codes).toEqual(["MACHINE_MOUNT_UNREADABLE warning"]);
      }
    }
  });

  it("follow the types of GPT partitions where fstab names no root", async () => {
    const table = (fstab: string): MadeSystem => ({
      scheme: "gpt",
      volumes: [
        { id: "1", type: ESP, content: vfat() },
        { id: "2", content: ext4(system(fstab)) },
        { id: "3", type: HOME, content: ext4({ user: null }) },
      ],
    });
    // What the root has in /boot itself would be hidden by the EFI partition, which systemd does not do either.
    expect((await mounted(madeStack([table("")]))).mounts).toEqual(["sda2 /", "sda3 /home"]);
    expect((await mounted(madeStack([table("/dev/sda2 / ext4")]))).mounts).toEqual(["sda2 /"]);
  });
});
