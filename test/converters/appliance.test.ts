import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, describe, expect, it } from "vitest";
import { encodeHardware } from "../../converters/guest/hardware-label.ts";
import { HARDWARE_LABEL } from "../../converters/guest/labels.ts";
import { openMachine } from "../../converters/machine/machine.ts";
import {
  type ApplianceRequest,
  type ApplianceSystem,
  applianceForm,
  writeAppliance,
} from "../../converters/oci-to-ovf/appliance.ts";
import { operatingSystemFor } from "../../converters/oci-to-ovf/operating-systems.ts";
import { contentOf } from "../../src/bytes/content.ts";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import { ZeroPadded } from "../../src/bytes/slice.ts";
import { DEFAULT_LIMITS } from "../../src/context.ts";
import { verifyManifest } from "../../src/ovf/manifest.ts";
import { openPackage } from "../../src/ovf/open-package.ts";
import { codeOf, watching } from "../ovf/appliance.ts";
import { describeWith } from "../support/needs.ts";

const scratch = mkdtempSync(join(tmpdir(), "transload-appliance-"));
afterAll(() => rmSync(scratch, { recursive: true }));
const limits = { ...DEFAULT_LIMITS, threads: 0 };
const RAW = Buffer.alloc(3 << 20);
for (let at = 0; at < RAW.length; at += 300_000) RAW.write(`at ${at}`, at);

function machine(name: string, more: Partial<ApplianceSystem> = {}): ApplianceSystem {
  return { name, disks: [contentOf(new MemorySource(RAW, "root"))], identity: `sha256:${name}`, ...more };
}

let count = 0;
async function made(systems: readonly ApplianceSystem[], changes: Partial<ApplianceRequest> = {}) {
  const { ctx, found } = watching({ limits });
  const path = join(scratch, `${count++}`, "web app.ova");
  const request = { systems, form: "ova" as const, path, force: false, options: {}, ...changes };
  await promisify(execFile)("mkdir", ["-p", join(path, "..")]);
  const { size } = await writeAppliance(request, ctx);
  return { path: request.path, size, found };
}

async function opened(path: string) {
  const { ctx, found } = watching({ limits });
  const pkg = await openPackage({ kind: "path", path }, ctx);
  return { pkg, ctx, found };
}

describe("an appliance that was written", () => {
  it("comes back as the machine that was meant, with its disks", async () => {
    const { path } = await made([machine("Wéb 1", { disks: machine("x").disks.concat(machine("y").disks) })]);
    const { pkg, ctx, found } = await opened(path);
    await using back = await openMachine(pkg, {}, ctx);
    expect(back.name).toBe("Wéb 1");
    expect(pkg.members.map(({ name }) => name)).toEqual([
      "web-app.ovf",
      "web-app.mf",
      "web-app-disk1.vmdk",
      "web-app-disk2.vmdk",
    ]);
    for (const { disk } of back.disks) expect(Buffer.from(await disk.read(0, disk.size)).equals(RAW)).toBe(true);
    expect((await verifyManifest(pkg, ctx)).verified).toHaveLength(3);
    expect(found.filter(({ severity }) => severity === "warning")).toEqual([]);
    expect(back.hardware).toMatchObject({ cpus: 1, memory: 1 << 30, firmware: "bios" });
  });

  it("is the same when made again of the same image", async () => {
    const [one, two] = [await made([machine("a")]), await made([machine("a")])];
    expect(readFileSync(one.path).equals(readFileSync(two.path))).toBe(true);
    const other = await made([machine("a", { identity: "sha256:other" })]);
    expect(readFileSync(other.path).equals(readFileSync(one.path))).toBe(false);
  });

  it("has the hardware of the image's label, unless it is told otherwise", async () => {
    const { ctx } = watching();
    const label = encodeHardware(
      {
        cpus: 4,
        memory: 3 * 2 ** 30,
        firmware: "uefi",
        diskBus: "scsi",
        nics: [{ model: "vmxnet3", network: "VM Network" }],
        eulas: ["terms"],
        products: [{ product: "P", properties: [{ key: "k", value: "v" }] }],
        operatingSystem: { id: 80, description: "RHEL" },
      },
      "x",
      ctx,
    );
    const labels = { [HARDWARE_LABEL]: label };
    const { path } = await made([machine("a", { labels, description: "note" })]);
    const first = await opened(path);
    await using kept = await openMachine(first.pkg, {}, first.ctx);
    expect(kept.hardware).toMatchObject({ cpus: 4, memory: 3 * 2 ** 30, firmware: "efi" });
    expect(kept.hardware?.controllers.map(({ kind }) => kind)).toEqual(["scsi"]);
    expect(kept.hardware?.networkAdapters[0]).toMatchObject({ subType: "VmxNet3", connections: ["VM Network"] });
    expect(kept.system).toMatchObject({
      eulas: [{ value: "terms" }],
      annotations: [{ value: "note" }],
      operatingSystem: { id: "80" },
    });
    const options = { cpus: 2, memory: 1, firmware: "bios", diskBus: "ide", nics: [], for: "vmware" } as const;
    const changed = await opened((await made([machine("a", { labels })], { options })).path);
    await using asked = await openMachine(changed.pkg, {}, changed.ctx);
    expect(asked.hardware).toMatchObject({ cpus: 2, memory: 4 << 20, firmware: "bios", networkAdapters: [] });
    expect(asked.hardware?.controllers.map(({ kind }) => kind)).toEqual(["ide"]);
    expect(changed.pkg.envelope?.text).not.toContain("vbox");
  });

  it("replaces remembered hardware that its hypervisors lack, and refuses what was asked for", async () => {
    const { ctx } = watching();
    const hardware = { diskBus: "virtio", nics: [{ model: "virtio", network: "NAT" }] } as const;
    const labels = { [HARDWARE_LABEL]: encodeHardware(hardware, "x", ctx) };
    const { path, found } = await made([machine("a", { labels })]);
    expect(found.map(({ code }) => code)).toEqual(["APPLIANCE_HARDWARE_REPLACED", "APPLIANCE_HARDWARE_REPLACED"]);
    const { pkg } = await opened(path);
    expect(pkg.envelope?.text).toContain("vmware.sata.ahci");
    expect(await codeOf(made([machine("a")], { options: { diskBus: "virtio" } }))).toBe("OVF_BUS");
  });

  it("rounds a disk up to whole MiB, which it tells", async () => {
    const disks = [contentOf(new ZeroPadded(new MemorySource(RAW), RAW.length + 512))];
    const { path, found } = await made([machine("a", { disks })]);
    expect(found.map(({ code }) => code)).toEqual(["APPLIANCE_SIZE_ROUNDED"]);
    const { pkg } = await opened(path);
    expect(pkg.envelope?.disks[0]?.capacity).toBe(4 << 20);
  });

  it("of several machines is a collection, whose machines have names of their own", async () => {
    const { path } = await made([machine("a"), machine("a"), machine("b")]);
    const { pkg, ctx } = await opened(path);
    expect(pkg.envelope?.entities).toMatchObject([{ kind: "collection", id: "web app" }]);
    expect(pkg.envelope?.systems.map(({ id }) => id)).toEqual(["a", "a-2", "b"]);
    await using last = await openMachine(pkg, { system: "b" }, ctx);
    expect(last.disks).toHaveLength(1);
  });

  it("is a folder, beside what is there or made for it", async () => {
    const folder = join(scratch, "folder");
    await made([machine("a")], { form: "ovf", path: folder });
    expect(readdirSync(folder).sort()).toEqual(["folder-disk1.vmdk", "folder.mf", "folder.ovf"]);
    await made([machine("a")], { form: "ovf", path: join(folder, "second.ovf") });
    expect(readdirSync(folder)).toContain("second-disk1.vmdk");
  });

  it("is a Vagrant box for VirtualBox", async () => {
    const path = join(scratch, "web.box");
    await made([machine("a")], { form: "box", path });
    const { pkg } = await opened(path);
    expect([pkg.kind, pkg.provider]).toEqual(["box", "virtualbox"]);
    expect(pkg.members.map(({ name }) => name)).toEqual([
      "box.ovf",
      "metadata.json",
      "Vagrantfile",
      "box-disk001.vmdk",
    ]);
    expect(readFileSync(path, "latin1")).toMatch(/config\.vm\.base_mac = "080027[0-9A-F]{6}"/);
    expect(pkg.envelope?.text).toContain("virtualbox-2.2");
  });
});

describe("the form of an appliance", () => {
  it.each([
    ["ova", "x.ova", "ova"],
    ["ova", "x.BOX", "box"],
    ["ova", "-", "ova"],
    ["ovf", "dir", "ovf"],
    ["vmdk", "x.vmdk", undefined],
  ] as const)("of %s:%s is %s", (transport, details, form) => {
    expect(applianceForm({ side: "machine", transport, details })?.form).toBe(form);
  });
});

describe("the operating system of a descriptor", () => {
  it.each([
    [{ id: "debian", version: "12" }, 96, "debian10_64Guest", "Debian_64"],
    [{ id: "rocky" }, 107, "centos7_64Guest", "RedHat_64"],
    [{ id: "alpine" }, 101, "other3xLinux64Guest", "Linux26_64"],
    [{}, 101, "other3xLinux64Guest", "Linux26_64"],
    [{ id: "debian", architecture: "386" }, 95, "other3xLinuxGuest", "Debian"],
    [{ architecture: "386" }, 36, "other3xLinuxGuest", "Linux26"],
    [{ id: "ubuntu", architecture: "arm64" }, 94, undefined, undefined],
  ])("for %j is %d", (kind, id, vmwareType, virtualBoxType) => {
    const found = operatingSystemFor(kind);
    expect([found.id, found.vmwareType, found.virtualBoxType]).toEqual([id, vmwareType, virtualBoxType]);
  });
});

describeWith({ tools: ["qemu-img", "tar"] }, "an appliance, to others", () => {
  it("holds a disk that qemu-img finds sound", async () => {
    const { path } = await made([machine("a")]);
    const run = promisify(execFile);
    const folder = mkdtempSync(join(scratch, "others-"));
    await run("tar", ["-xf", path, "-C", folder]);
    await run("qemu-img", ["check", join(folder, "web-app-disk1.vmdk")]);
    const lines = readFileSync(join(folder, "web-app.mf"), "utf8").trim().split("\n");
    for (const line of lines) {
      const [, name = "", digest] = /^SHA256\((.+)\)= ([0-9a-f]{64})$/.exec(line) ?? [];
      expect((await run("sha256sum", [name], { cwd: folder })).stdout.slice(0, 64)).toBe(digest);
    }
    expect(lines).toHaveLength(2);
  });
});
