import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { FileSource } from "../../src/bytes/file-source.ts";
import { corpus, describeWith } from "../support/needs.ts";
import { unpacked } from "../support/unpack.ts";
import { busyParts, codeOf, firstDifference, openImage } from "./images.ts";

describeWith({ corpus: "disk/made/containers/disk-mbr" }, "images made of one disk", () => {
  let raw: FileSource;
  let busy: ReadonlySet<number>;

  beforeAll(async () => {
    raw = FileSource.open(await unpacked(corpus("disk/made/disks/disk-mbr.img.xz")));
    busy = await busyParts(raw);
  });

  it.each(["dynamic.vdi", "v3-zstd.qcow2"])("%s holds its bytes, and nothing is odd", async (name) => {
    const { disk, diagnostics } = await openImage(corpus("disk/made/containers/disk-mbr", `${name}.xz`));
    expect(await firstDifference(disk, raw, busy)).toBeUndefined();
    expect(diagnostics).toEqual([]);
  });
});

describeWith({ corpus: "disk", tools: ["qemu-img"] }, "images of other projects", () => {
  const work = mkdtempSync(join(tmpdir(), "transload-images-"));
  afterAll(() => rmSync(work, { recursive: true }));

  it.each([
    ["vdi", "container/dissect/basic.vdi.gz"],
    ["qcow2", "container/dissect/basic.qcow2.gz"],
    ["qcow2", "misc/dfvfs/ext2.qcow2.gz"],
    ["qcow2", "misc/plaso/image.qcow2.gz"],
    ["vhdx", "container/dissect/dynamic.vhdx.gz"],
    ["vpc", "container/dissect/fixed.vhd.gz"],
    ["vpc", "misc/dfvfs/ext2.vhd.gz"],
    ["vpc", "misc/plaso/image.vhd.gz"],
    ["vpc", "misc/sleuthkit/image.vhd.gz"],
  ])("read as in qemu-img: %s %s", async (format, path) => {
    const file = await unpacked(corpus("disk", path));
    execFileSync("qemu-img", ["convert", "-f", format, "-O", "raw", file, join(work, "raw")]);
    await using raw = FileSource.open(join(work, "raw"));
    const { disk, diagnostics } = await openImage(corpus("disk", path));
    expect(await firstDifference(disk, raw, await busyParts(raw))).toBeUndefined();
    expect(diagnostics).toEqual([]);
  });

  it.each([
    ["container/cdi/cirros-snapshot1.qcow2.gz", "FILE_NOT_FOUND"],
    ["container/cdi/cirros-snapshot2.qcow2.gz", "FILE_NOT_FOUND"],
    ["container/dissect/backing-chain-1.qcow2.gz", "FILE_NOT_FOUND"],
    ["container/dissect/differencing.avhdx.gz", "DISK_PARENT_MISSING"],
    ["container/dissect/expanding.hdd.0.{5fbaabe3-6958-40ff-92a7-860e329aab41}.hds.gz", "DISK_FORMAT_UNSUPPORTED"],
    ["container/qemu-iotests/parallels-with-bitmap.bz2", "DISK_FORMAT_UNSUPPORTED"],
    ["container/qemu-iotests/afl5.img.bz2", "VHD_TABLE_OUT_OF_RANGE"],
    ["misc/dfvfs/fat-differential.vhd.gz", "DISK_PARENT_MISSING"],
    ["misc/dfvfs/image.vhd.gz", "VHD_CHECKSUM"],
    ["made/containers/disk-mbr/encrypted.qcow2.xz", "QCOW2_ENCRYPTED"],
    ["misc/sleuthkit/image.qcow", "DISK_FORMAT_UNSUPPORTED"],
  ])("%s ends with %s", async (path, code) => {
    expect(await codeOf(openImage(corpus("disk", path)))).toBe(code);
  });

  it("reads a disk of 127 GiB in which nothing was written", async () => {
    const { disk } = await openImage(corpus("disk/container/qemu-iotests/hyperv2012r2-dynamic.vhd.bz2"));
    expect([disk.size, disk.storedBytes]).toEqual([136365211648, 0]);
    expect(await disk.extentAt(0, disk.size)).toEqual({ offset: 0, length: disk.size, kind: "zero" });
  });
});
