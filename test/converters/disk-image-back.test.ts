import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { convert, planConversion } from "../../converters/convert.ts";
import { type Machine, openMachine } from "../../converters/machine/machine.ts";
import { isDiskImage } from "../../converters/oci-to-ovf/disk-kind.ts";
import { putImage } from "../../converters/ovf-to-oci/put-image.ts";
import { bytePath } from "../../src/bytes/byte-path.ts";
import { chunks } from "../../src/bytes/byte-source.ts";
import { type Entry, NO_XATTRS } from "../../src/bytes/entry.ts";
import { FileSource } from "../../src/bytes/file-source.ts";
import { createContext } from "../../src/context.ts";
import { openDisk } from "../../src/disk/index.ts";
import type { VirtualDisk } from "../../src/disk/virtual-disk.ts";
import { LayerWriter } from "../../src/oci/layer-writer.ts";
import { openPackage } from "../../src/ovf/open-package.ts";
import { transports } from "../../src/transport/index.ts";
import type { OpenImage } from "../../src/transport/open-image.ts";
import { memoryContext } from "../disk/images.ts";
import { describeWith, fixture } from "../support/needs.ts";

const folder = mkdtempSync(join(tmpdir(), "transload-disk-back-"));
afterAll(() => rmSync(folder, { recursive: true }));

const HELLO = fixture("appliances", "hello", "hello.ova");
const IMAGE = `oci:${join(folder, "layout")}:hello`;
const ctx = createContext({ tmp: folder });

async function open(path: string): Promise<Machine> {
  return await openMachine(await openPackage({ kind: "path", path }, ctx), {}, ctx);
}

async function rawBytes(source: VirtualDisk): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks(source))
    parts.push(chunk.kind === "zero" ? Buffer.alloc(chunk.length) : Buffer.from(chunk.bytes));
  return Buffer.concat(parts);
}

let original: Buffer = Buffer.alloc(0);
beforeAll(async () => {
  await convert({ source: HELLO, destination: IMAGE, as: "disk" }, ctx);
  await using machine = await open(HELLO);
  original = await rawBytes(machine.disks[0]?.disk as VirtualDisk);
});

describe("a disk image", () => {
  it.each(["qcow2", "raw", "vmdk"])("becomes a %s file with the same disk in it", async (format) => {
    const path = join(folder, `back.${format}`);
    const result = await convert({ source: IMAGE, destination: path }, ctx);
    expect(result.target).toMatchObject({ mode: "disk" });
    expect(result.source).toMatchObject({ vm: "hello", disks: [{ file: "hello.qcow2", format: "qcow2" }] });
    await using source = FileSource.open(path);
    expect(source.size).toBe(result.target?.size);
    await using disk = await openDisk(source, memoryContext());
    expect(disk.format).toBe(format);
    expect((await rawBytes(disk)).equals(original)).toBe(true);
    await expect(convert({ source: IMAGE, destination: path }, ctx)).rejects.toMatchObject({ code: "OUTPUT_EXISTS" });
  });

  it("gives a file of its own format back as it is", async () => {
    const path = join(folder, "same.qcow2");
    const made = await convert({ source: HELLO, destination: `${IMAGE}2`, as: "disk" }, ctx);
    await convert({ source: `${IMAGE}2`, destination: path }, ctx);
    const [layer] = made.target?.layers ?? [];
    const tar = readFileSync(join(folder, "layout", "blobs", ...(layer?.digest ?? "").split(":")));
    const file = readFileSync(path);
    expect(tar.indexOf(file)).toBeGreaterThan(0);
    expect(made.stats?.tempBytes).toBe(file.length);
  });

  it("becomes an appliance with the hardware that it remembers", async () => {
    const path = join(folder, "back.ova");
    await convert({ source: IMAGE, destination: path }, ctx);
    await using machine = await open(path);
    expect(machine.name).toBe("hello");
    expect(machine.hardware).toMatchObject({ cpus: 2, memory: 512 << 20 });
    expect((await rawBytes(machine.disks[0]?.disk as VirtualDisk)).equals(original)).toBe(true);
  });

  it("plans, and refuses what it cannot become", async () => {
    const plan = await planConversion({ source: IMAGE, destination: join(folder, "no.ova") }, ctx);
    expect(plan).toMatchObject({ form: "disk", uses: [expect.stringContaining("/disk")] });
    const request = { source: IMAGE, destination: `vhdx:${join(folder, "no.vhdx")}` };
    await expect(convert(request, ctx)).rejects.toMatchObject({ code: "DISK_TARGET" });
  });

  it("has one file in /disk", async () => {
    const place = join(folder, "two");
    const layer = new LayerWriter(["disk/a.raw", "disk/b.raw"].map(fileEntry), { kind: "gzip", level: 1 }, ctx);
    const transport = await transports.byName("oci")?.load();
    await using destination = await transport?.openDestination(`${place}:x`, { force: false }, ctx);
    if (destination === undefined) throw new Error("no transport");
    const blob = await destination.putBlob(layer.bytes(), { mediaType: layer.mediaType });
    const image = {
      layers: [{ layer: blob, diffId: layer.diffIdOf(blob.digest) }],
      platform: { os: "linux", architecture: "amd64" },
      execution: { labels: { "io.transload.form": "disk" } },
      annotations: {},
      comment: "two",
    };
    await putImage(destination, image, ctx);
    await destination.commit();
    const request = { source: `oci:${place}:x`, destination: join(folder, "two.raw") };
    await expect(convert(request, ctx)).rejects.toMatchObject({ code: "DISK_IMAGE_FILES" });
  });
});

function fileEntry(path: string, index: number) {
  const times = { mtime: { seconds: 0, nanoseconds: 0 }, xattrs: NO_XATTRS };
  const common = { ...times, links: 1, uid: 107, gid: 107, mode: 0o644, inode: index + 1 };
  const entry: Entry = { ...common, type: "file", path: bytePath(path), size: 512 };
  return { entry, content: new Uint8Array(512) };
}

describe("isDiskImage", () => {
  const image = (execution: object, createdBy: string): OpenImage =>
    ({ config: { execution, history: [{ createdBy }] }, manifest: { layers: [{}] } }) as never;

  it.each([
    ["ADD disk.img /disk/ # buildkit", true],
    ["/bin/sh -c #(nop) ADD file:abc in /disk ", true],
    ["COPY --chown=107:107 fedora.qcow2 /disk/fedora.qcow2 # buildkit", true],
    ["ADD rootfs.tar.xz / # buildkit", false],
    ["RUN mkdir /diskless", false],
  ])("tells by %s", (createdBy, expected) => {
    expect(isDiskImage(image({}, createdBy))).toBe(expected);
    expect(isDiskImage(image({ cmd: ["sh"] }, createdBy))).toBe(false);
    expect(isDiskImage(image({ cmd: ["sh"], labels: { "io.transload.form": "disk" } }, createdBy))).toBe(true);
  });

  it("is not fooled by an artifact", () => {
    expect(isDiskImage({ ...image({}, ""), config: undefined })).toBe(false);
  });
});

describeWith({ tools: ["umoci", "qemu-img"] }, "a disk image of other tools", () => {
  it("is read through its layers", async () => {
    const layout = join(folder, "foreign");
    const umoci = (...args: readonly string[]) => execFileSync("umoci", args, { stdio: "pipe" });
    umoci("init", "--layout", layout);
    umoci("new", "--image", `${layout}:x`);
    const old = join(folder, "old.img");
    execFileSync("qemu-img", ["create", "-q", "-f", "raw", old, "1M"]);
    umoci("insert", "--rootless", "--image", `${layout}:x`, old, "/disk/old.img");
    const file = join(folder, "foreign.qcow2");
    await convert({ source: IMAGE, destination: file }, ctx);
    umoci("insert", "--rootless", "--image", `${layout}:x`, "--whiteout", "/disk/old.img");
    umoci("insert", "--rootless", "--image", `${layout}:x`, file, "/disk/new.qcow2");
    umoci("config", "--image", `${layout}:x`, "--history.created_by", "ADD new.qcow2 /disk/");
    umoci("tag", "--image", `${layout}:x`, "unknown");
    umoci("config", "--image", `${layout}:unknown`, "--clear=config.labels", "--config.cmd", "x");
    const forced = { source: `oci:${layout}:unknown`, destination: join(folder, "forced.raw") };
    await expect(convert(forced, ctx)).rejects.toMatchObject({ code: "APPLIANCE_FORM" });
    await convert({ ...forced, as: "disk" }, ctx);
    expect(readFileSync(forced.destination).equals(original)).toBe(true);
    const path = join(folder, "foreign.raw");
    const result = await convert({ source: `oci:${layout}:x`, destination: path }, ctx);
    expect(result.source.vm).toBe("new");
    expect(readFileSync(path).equals(original)).toBe(true);
  });
});
