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

  it.each(["dynamic.vdi", "v3-zstd.qcow2", "ext-l2.qcow2"])("%s holds its bytes, and nothing is odd", async (name) => {
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
    ["qcow2", "container/dissect/backing-chain-3.qcow2.gz"],
    ["qcow2", "misc/dfvfs/ext2.qcow2.gz"],
    ["qcow2", "misc/plaso/image.qcow2.gz"],
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
    ["made/containers/disk-mbr/encrypted.qcow2.xz", "QCOW2_ENCRYPTED"],
    ["misc/sleuthkit/image.qcow", "DISK_FORMAT_UNSUPPORTED"],
  ])("%s ends with %s", async (path, code) => {
    expect(await codeOf(openImage(corpus("disk", path)))).toBe(code);
  });
});
