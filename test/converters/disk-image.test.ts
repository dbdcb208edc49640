import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import type { ConvertRequest } from "../../converters/conversion.ts";
import { convert, planConversion } from "../../converters/convert.ts";
import { type Machine, openMachine } from "../../converters/machine/machine.ts";
import { disk } from "../../converters/ovf-to-oci/disk.ts";
import { layerLarge } from "../../converters/ovf-to-oci/disk-errors.ts";
import { kubeVirtManifest } from "../../converters/ovf-to-oci/kubevirt.ts";
import { yamlText } from "../../converters/ovf-to-oci/yaml-text.ts";
import { indexTar } from "../../src/archive/tar-index.ts";
import { chunks } from "../../src/bytes/byte-source.ts";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import { Slice } from "../../src/bytes/slice.ts";
import { createContext } from "../../src/context.ts";
import { openDisk } from "../../src/disk/index.ts";
import type { VirtualDisk } from "../../src/disk/virtual-disk.ts";
import { openPackage } from "../../src/ovf/open-package.ts";
import { memoryContext } from "../disk/images.ts";
import { describeWith, fixture } from "../support/needs.ts";

const folder = mkdtempSync(join(tmpdir(), "transload-disk-image-"));
afterAll(() => rmSync(folder, { recursive: true }));

const HELLO = fixture("appliances", "hello", "hello.ova");
const ctx = createContext({ tmp: folder });

async function hello(): Promise<Machine> {
  return await openMachine(await openPackage({ kind: "path", path: HELLO }, ctx), {}, ctx);
}

async function rawBytes(source: VirtualDisk): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks(source))
    parts.push(chunk.kind === "zero" ? Buffer.alloc(chunk.length) : Buffer.from(chunk.bytes));
  return Buffer.concat(parts);
}

interface Image {
  readonly config: { architecture: string; os: string; config: { Labels: Record<string, string> } };
  readonly tar: Buffer;
  readonly layerType: string;
  readonly result: Awaited<ReturnType<typeof convert>>;
}

async function image(tag: string, options: Partial<ConvertRequest> = {}): Promise<Image> {
  const layout = join(folder, "layout");
  const request = { source: HELLO, destination: `oci:${layout}:${tag}`, as: "disk", ...options };
  const result = await convert(request, ctx);
  const blob = (digest: string) => readFileSync(join(layout, "blobs", ...digest.split(":")));
  const manifest = JSON.parse(blob(result.target?.digest ?? "").toString());
  expect(manifest.layers).toHaveLength(1);
  const [layer] = manifest.layers;
  const packed = blob(layer.digest);
  const tar = layer.mediaType.endsWith("gzip") ? gunzipSync(packed) : packed;
  const config = JSON.parse(blob(manifest.config.digest).toString());
  expect(config.rootfs.diff_ids).toEqual([`sha256:${createHash("sha256").update(tar).digest("hex")}`]);
  return { config, tar, layerType: layer.mediaType, result };
}

/** The members of a layer, by CDI's and KubeVirt's rules one directory and one file. */
async function onlyFile({ tar }: Image) {
  const source = new MemorySource(tar);
  const { members } = await indexTar(source, ctx);
  expect(members.map(({ name }) => name.replace(/\/$/, ""))).toEqual(["disk", expect.stringMatching(/^disk\/[^/]+$/)]);
  const file = members[1] ?? { name: "", offset: 0, size: 0 };
  return { name: file.name, source: new Slice(source, file.offset, file.size) };
}

describe("convert --as disk", () => {
  it("puts the disk as compressed QCOW2 into an image that holds nothing else", async () => {
    const made = await image("web:1");
    expect(made.layerType).toBe("application/vnd.oci.image.layer.v1.tar");
    expect(made.config).toMatchObject({ architecture: "amd64", os: "linux" });
    const { name, source } = await onlyFile(made);
    expect(name).toBe("disk/hello.qcow2");
    await using machine = await hello();
    await using opened = await openDisk(source, memoryContext());
    expect(opened.format).toBe("qcow2");
    const [original] = machine.disks;
    expect((await rawBytes(opened)).equals(await rawBytes(original?.disk as VirtualDisk))).toBe(true);
    expect(made.result.target?.mode).toBe("disk");
    expect(made.result.stats?.tempBytes).toBe(source.size);
  });

  it("says in labels what else is known of the machine, and takes those that are asked for", async () => {
    const { config } = await image("labels:1", { labels: ["io.transload.memory=1", "own=x"] });
    expect(config.config.Labels).toMatchObject({
      "io.transload.form": "disk",
      "io.transload.cpus": "2",
      "io.transload.memory": "1",
      "io.transload.firmware": "bios",
      "io.transload.disk.capacity": String(64 << 20),
      "io.transload.disk.bus": "sata",
      "io.transload.nics": "E1000",
      "io.transload.os.id": "debian",
      own: "x",
    });
    expect(config.config.Labels).not.toHaveProperty(["io.transload.profile"]);
  });

  it("takes a raw disk over with the grains' own compression", async () => {
    const made = await image("raw:1", { diskFormat: "raw" });
    expect(made.layerType).toBe("application/vnd.oci.image.layer.v1.tar+gzip");
    expect(made.result.stats?.bytesReused).toBeGreaterThan(0);
    expect(made.result.stats?.tempBytes).toBe(0);
    const { name, source } = await onlyFile(made);
    expect(name).toBe("disk/hello.raw");
    await using machine = await hello();
    const bytes = Buffer.from(await source.read(0, source.size));
    expect(bytes.equals(await rawBytes(machine.disks[0]?.disk as VirtualDisk))).toBe(true);
  });

  it("wants to know which disk of several, and names them", async () => {
    await using machine = await hello();
    const [one] = machine.disks;
    const several: Machine = { ...machine, disks: [one, { ...one, device: "sdb" }] as never };
    await expect(disk.plan(several, {}, ctx)).rejects.toMatchObject({
      code: "DISK_AMBIGUOUS",
      advice: expect.stringContaining("--disk 2 (hello-disk001.vmdk"),
    });
    expect((await disk.plan(several, { disk: 2 }, ctx)).uses[0]).toMatch(/^disk 2 of 2/);
    await expect(disk.plan(several, { disk: 3 }, ctx)).rejects.toMatchObject({ code: "MACHINE_DISK_NUMBER" });
  });

  it("plans without writing, and refuses what it does not know", async () => {
    const request = { source: HELLO, destination: `oci:${join(folder, "no")}:x`, as: "disk" };
    expect(await planConversion(request, ctx)).toMatchObject({
      form: "disk",
      uses: [expect.stringContaining("as /disk/hello.qcow2"), "platform linux/amd64"],
    });
    await expect(convert({ ...request, diskFormat: "vmdk" }, ctx)).rejects.toMatchObject({ code: "DISK_FORMAT" });
    await expect(convert({ ...request, emit: "helm" }, ctx)).rejects.toMatchObject({ code: "DISK_EMIT" });
  });

  it("says how large a layer is that registries refuse", () => {
    const large = layerLarge("a.vmdk", 12e9, ["ghcr.io"]);
    expect(large).toMatchObject({ code: "DISK_LAYER_LARGE", severity: "warning" });
    expect(large.message).toContain("12000000000 bytes");
  });

  it("prints a VirtualMachine that runs the image", async () => {
    const { result } = await image("kube:1", { emit: "kubevirt-yaml", tag: "registry.example/vms/hello:1" });
    const manifest = parse(result.emitted ?? "");
    expect(manifest).toMatchObject({
      apiVersion: "kubevirt.io/v1",
      kind: "VirtualMachine",
      metadata: { name: "hello" },
    });
    const { domain, volumes, networks } = manifest.spec.template.spec;
    expect(domain).toMatchObject({
      cpu: { sockets: 2, cores: 1 },
      memory: { guest: "512Mi" },
      firmware: { bootloader: { bios: {} } },
      devices: { disks: [{ disk: { bus: "sata" } }], interfaces: [{ model: "e1000" }] },
    });
    const containerDisk = { image: "registry.example/vms/hello:1", path: "/disk/hello.qcow2" };
    expect(volumes).toEqual([{ name: "disk1", containerDisk }]);
    expect(networks).toEqual([{ name: "nic1", pod: {} }]);
  });
});

describe("the manifest for KubeVirt", () => {
  it("knows UEFI with Secure Boot, sockets, and adapters that a plain cluster has no network for", async () => {
    await using machine = await hello();
    const [nic] = machine.hardware?.networkAdapters ?? [];
    const hardware = {
      ...(machine.hardware as NonNullable<Machine["hardware"]>),
      firmware: "efi" as const,
      secureBoot: true,
      cpus: 8,
      coresPerSocket: 4,
      networkAdapters: [{ ...nic, subType: "VmxNet3" }, nic] as never,
    };
    const platform = { os: "linux", architecture: "arm64" };
    const text = kubeVirtManifest({
      name: "Web 01: x\n",
      hardware,
      platform,
      bus: "scsi",
      image: "true",
      path: "/disk/a",
      notes: ["a\nb: c"],
    });
    expect(text).toMatch(/^# a b: c\n# the machine has 1 more network adapter: /);
    const { metadata, spec } = parse(text);
    expect(metadata.name).toBe("web-01-x");
    expect(spec.template.spec.architecture).toBe("arm64");
    expect(spec.template.spec.volumes[0].containerDisk.image).toBe("true");
    expect(spec.template.spec.domain).toMatchObject({
      cpu: { sockets: 2, cores: 4 },
      features: { smm: { enabled: true } },
      firmware: { bootloader: { efi: { secureBoot: true } } },
      devices: { interfaces: [{ model: "e1000e" }] },
    });
  });

  it("is YAML whatever the texts are", () => {
    const value = {
      a: ["yes", "1.5", "x: y", "#", "", "é\n\t\"'", "- a", "0x10", "~", "ok"],
      b: [],
      c: {},
      d: [{ e: [1, true] }],
    };
    expect(parse(yamlText(value))).toEqual(value);
  });
});

describeWith({ tools: ["tar"] }, "tar on the layer of a disk image", () => {
  it("finds an owner and a mode that QEMU in KubeVirt can read with", async () => {
    const { tar } = await image("tar:1");
    const list = execFileSync("tar", ["-tv", "--numeric-owner", "-f", "-"], { input: tar, encoding: "utf8" });
    expect(list.trim().split("\n")).toEqual([
      expect.stringMatching(/^drwxr-xr-x 107\/107 .* disk\/$/),
      expect.stringMatching(/^-r--r--r-- 107\/107 .* disk\/hello\.qcow2$/),
    ]);
  });
});

describeWith({ tools: ["qemu-img"] }, "qemu-img on disk images", () => {
  it.each(["qcow2", "raw"])("finds the %s file clean and the same disk", async (format) => {
    const { source } = await onlyFile(await image(`qemu-${format}:1`, { diskFormat: format }));
    const file = join(folder, `disk.${format}`);
    writeFileSync(file, Buffer.from(await source.read(0, source.size)));
    if (format === "qcow2") execFileSync("qemu-img", ["check", "-q", file]);
    const info = JSON.parse(execFileSync("qemu-img", ["info", "--output=json", file], { encoding: "utf8" }));
    expect(info.format).toBe(format);
    expect(info).not.toHaveProperty("backing-filename");
    await using machine = await hello();
    const original = join(folder, "original.raw");
    writeFileSync(original, await rawBytes(machine.disks[0]?.disk as VirtualDisk));
    const compared = execFileSync("qemu-img", ["compare", "-f", format, "-F", "raw", file, original]);
    expect(compared.toString()).toContain("identical");
  });
});
