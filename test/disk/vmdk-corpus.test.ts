import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { extents } from "../../src/bytes/byte-source.ts";
import { FileSource } from "../../src/bytes/file-source.ts";
import { corpus, describeWith } from "../support/needs.ts";
import { unpacked } from "../support/unpack.ts";
import { busyParts, codeOf, firstDifference, openImage } from "./images.ts";

describeWith({ corpus: "disk/made/containers/disk-mbr" }, "VMDKs made of one disk", () => {
  const folder = (name: string): string => corpus("disk/made/containers/disk-mbr", name);
  let raw: FileSource;
  let busy: ReadonlySet<number>;

  beforeAll(async () => {
    raw = FileSource.open(await unpacked(corpus("disk/made/disks/disk-mbr.img.xz")));
    busy = await busyParts(raw);
  });

  it.each([
    "chain-base",
    "gdatend-vbox",
    "gdatend-vbox-crlf",
    "gdatend-vbox-fast",
    "gdatend-vbox-grain16",
    "gdatend-vbox-noeos",
    "gdatend-vbox-nogt",
    "gdatend-vbox-shuffle",
    "gdatend-vbox-trail",
    "gdatend-vbox-zerogte1",
    "monolithicFlat",
    "monolithicSparse",
    "qemu-stream",
    "twoGbMaxExtentSparse",
    "zeroed-grain",
  ])("%s holds its bytes, and nothing is odd", async (name) => {
    const { disk, diagnostics } = await openImage(folder(`${name}.vmdk.xz`));
    expect(await firstDifference(disk, raw, busy)).toBeUndefined();
    expect(diagnostics).toEqual([]);
  });

  describeWith({ tools: ["qemu-img"] }, "with a parent", () => {
    it("reads the child over its parent", async () => {
      const work = mkdtempSync(join(tmpdir(), "transload-chain-"));
      try {
        for (const name of ["chain-base.vmdk", "chain-child.vmdk"]) {
          execFileSync("ln", ["-s", await unpacked(folder(`${name}.xz`)), join(work, name)]);
        }
        execFileSync("qemu-img", ["convert", "-O", "raw", "chain-child.vmdk", "raw"], { cwd: work });
        const sum = createHash("sha256");
        for await (const chunk of createReadStream(join(work, "raw"))) sum.update(chunk as Buffer);
        expect(sum.digest("hex")).toBe(readFileSync(folder("chain-child.raw.sha256"), "latin1").trim());
        await using child = FileSource.open(join(work, "raw"));
        const { disk } = await openImage(folder("chain-child.vmdk.xz"));
        expect(await firstDifference(disk, child, await busyParts(child))).toBeUndefined();
        expect(await firstDifference(disk, raw, busy)).toBeDefined();
      } finally {
        rmSync(work, { recursive: true });
      }
    });
  });
});

describeWith({ corpus: "disk/container", tools: ["qemu-img"] }, "VMDKs of other projects", () => {
  const work = mkdtempSync(join(tmpdir(), "transload-vmdk-"));
  afterAll(() => rmSync(work, { recursive: true }));

  it.each([
    "container/go-vmdk-parser/vmdk-monolith.img",
    "container/go-vmdk-parser/vmdk-streamoptimized.img",
    "misc/dfvfs/ext2.vmdk",
    "misc/sleuthkit/image.vmdk",
  ])("%s reads as in qemu-img", async (path) => {
    const file = await unpacked(corpus("disk", path));
    execFileSync("qemu-img", ["convert", "-f", "vmdk", "-O", "raw", file, join(work, "raw")]);
    await using raw = FileSource.open(join(work, "raw"));
    const { disk, diagnostics } = await openImage(corpus("disk", path));
    expect(await firstDifference(disk, raw, await busyParts(raw))).toBeUndefined();
    expect(diagnostics).toEqual([]);
  });

  it.each([
    ["container/cot/blank.vmdk", 512 * 2 ** 20],
    ["container/cot/input.vmdk", 2 ** 30],
    ["container/cot/ubuntu.2.0-disk1.vmdk", 8 * 2 ** 30],
    ["container/qemu-iotests/iotest-version3.vmdk.bz2", 16 * 2 ** 30],
  ])("%s, which is large, has the data where qemu-img sees it", async (path, size) => {
    const file = await unpacked(corpus("disk", path));
    const { disk } = await openImage(corpus("disk", path));
    expect(disk.size).toBe(size);
    const seen = JSON.parse(execFileSync("qemu-img", ["map", "-f", "vmdk", "--output=json", file]).toString()) as {
      readonly start: number;
      readonly length: number;
      readonly data: boolean;
    }[];
    const stored = seen.filter(({ data }) => data).map(({ start, length }) => [start, start + length]);
    const ours: number[][] = [];
    for await (const { kind, offset, length } of extents(disk)) {
      if (kind === "zero") continue;
      const last = ours.at(-1);
      if (last !== undefined && last[1] === offset) last[1] = offset + length;
      else ours.push([offset, offset + length]);
    }
    const joined: number[][] = [];
    for (const [from = 0, to = 0] of stored) {
      const last = joined.at(-1);
      if (last !== undefined && last[1] === from) last[1] = to;
      else joined.push([from, to]);
    }
    expect(ours).toEqual(joined);
    for (const [from = 0, to = 0] of ours) await disk.read(from, to - from);
  });

  it.each([
    ["container/cdi/invalid-qcow-large-memory.img", "VMDK_GEOMETRY"],
    ["container/go-vmdk-parser/vmdk-invalid.img", "VMDK_NO_EXTENTS"],
    ["container/govmomi/ttylinux-pc_i486-16.1-disk1.vmdk.gz", "VMDK_FOOTER_MISSING"],
    ["container/govmomi/ttylinux-pc_i486-16.1.ova.gz", "DISK_FORMAT_UNSUPPORTED"],
    ["container/qemu-iotests/afl9.vmdk.bz2", "VMDK_NEWLINES"],
    ["container/qemu-iotests/empty.bochs.bz2", "DISK_FORMAT_UNSUPPORTED"],
    ["container/qemu-iotests/parallels-v1.bz2", "DISK_FORMAT_UNSUPPORTED"],
    ["container/qemu-iotests/parallels-v2.bz2", "DISK_FORMAT_UNSUPPORTED"],
    ["container/qemu-iotests/simple-dmg.dmg.bz2", "DISK_FORMAT_UNSUPPORTED"],
    ["container/qemu-iotests/simple-pattern.cloop.bz2", "DISK_FORMAT_UNSUPPORTED"],
    ["container/trivy/monolithicSparse.vmdk", "VMDK_FOOTER_MISSING"],
    ["container/qemu-iotests/grub_mbr.raw.bz2", undefined],
  ])("%s ends with %s", async (path, code) => {
    expect(await codeOf(openImage(corpus("disk", path)))).toBe(code);
  });
});
