import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, createReadStream, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { extents } from "../../src/bytes/byte-source.ts";
import { FileSource } from "../../src/bytes/file-source.ts";
import type { VirtualDisk } from "../../src/disk/virtual-disk.ts";
import { corpus, describeWith } from "../support/needs.ts";
import { unpacked } from "../support/unpack.ts";
import { busyParts, firstDifference, openImage } from "./images.ts";

interface Mapped {
  readonly start: number;
  readonly length: number;
  readonly zero: boolean;
  readonly data: boolean;
}

/** The places that QEMU knows to be zero and we call data. What it calls both is a hole in the file that holds the image. */
async function missedZeros(disk: VirtualDisk, format: string, file: string, cwd: string): Promise<readonly number[]> {
  const json = execFileSync("qemu-img", ["map", "-f", format, "--output=json", file], { cwd, maxBuffer: 1 << 28 });
  const zeros = (JSON.parse(json.toString()) as readonly Mapped[]).filter(({ zero, data }) => zero && !data);
  const missed: number[] = [];
  for (const { start, length } of zeros) {
    const inside = Math.min(length, disk.size - start);
    if (inside <= 0) continue;
    for await (const { kind, offset } of extents(disk, start, inside)) if (kind === "data") missed.push(offset);
  }
  return missed;
}

describeWith({ corpus: "disk/made/containers/disk-mbr", tools: ["qemu-img"] }, "every image made of one disk", () => {
  const folder = (name: string): string => corpus("disk/made/containers/disk-mbr", name);
  const work = mkdtempSync(join(tmpdir(), "transload-containers-"));
  afterAll(() => rmSync(work, { recursive: true }));
  let raw: FileSource;
  let busy: ReadonlySet<number>;

  async function beside(...names: readonly string[]): Promise<void> {
    for (const name of names) {
      rmSync(join(work, name), { force: true });
      symlinkSync(await unpacked(folder(`${name}.xz`)), join(work, name));
    }
  }

  beforeAll(async () => {
    raw = FileSource.open(await unpacked(corpus("disk/made/disks/disk-mbr.img.xz")));
    busy = await busyParts(raw);
  });

  it.each([
    ["vdi", "dynamic.vdi"],
    ["vdi", "static.vdi"],
    ["vpc", "dynamic.vhd"],
    ["vpc", "fixed.vhd"],
    ["vhdx", "dynamic.vhdx"],
    ["vhdx", "fixed.vhdx"],
    ["qcow2", "c512.qcow2"],
    ["qcow2", "chain-base.qcow2"],
    ["qcow2", "ext-l2.qcow2"],
    ["qcow2", "v2.qcow2"],
    ["qcow2", "v3-zlib.qcow2"],
    ["qcow2", "v3-zstd.qcow2"],
  ])("%s: %s holds its bytes, and zeros where QEMU knows them", async (format, name) => {
    const { disk, diagnostics } = await openImage(folder(`${name}.xz`));
    expect(await firstDifference(disk, raw, busy)).toBeUndefined();
    expect(diagnostics).toEqual([]);
    await beside(name);
    expect(await missedZeros(disk, format, name, work)).toEqual([]);
  });

  // QEMU cannot open it here: it was told the absolute name of the data file on another machine.
  it("reads an image whose data lies in another file", async () => {
    const { disk } = await openImage(folder("data-file.qcow2.xz"));
    expect(await firstDifference(disk, raw, busy)).toBeUndefined();
  });

  it("reads an image over another", async () => {
    await beside("chain-base.qcow2", "chain-child.qcow2");
    execFileSync("qemu-img", ["convert", "-O", "raw", "chain-child.qcow2", "raw"], { cwd: work });
    const sum = createHash("sha256");
    for await (const chunk of createReadStream(join(work, "raw"))) sum.update(chunk as Buffer);
    expect(sum.digest("hex")).toBe(readFileSync(folder("chain-child.raw.sha256"), "latin1").trim());
    await using child = FileSource.open(join(work, "raw"));
    const { disk } = await openImage(folder("chain-child.qcow2.xz"));
    expect(await firstDifference(disk, child, await busyParts(child))).toBeUndefined();
    expect(await firstDifference(disk, raw, busy)).toBeDefined();
    expect(await missedZeros(disk, "qcow2", "chain-child.qcow2", work)).toEqual([]);
  });
});

describeWith({ corpus: "disk/container", tools: ["qemu-img"] }, "large images of other projects", () => {
  const work = mkdtempSync(join(tmpdir(), "transload-large-"));
  afterAll(() => rmSync(work, { recursive: true }));

  it.each([
    ["qcow2", "cdi/fs-overhead.qcow2", []],
    ["qcow2", "dissect/backing-chain-3.qcow2.gz", []],
    ["qcow2", "dissect/data-file.qcow2.gz", ["data-file.bin"]],
    ["vpc", "qemu-iotests/d2v-zerofilled.vhd.bz2", []],
    ["vhdx", "qemu-iotests/iotest-dynamic-1G.vhdx.bz2", []],
  ])("read as in qemu-img: %s %s", async (format, path, others) => {
    const image = corpus("disk/container", path);
    const ending = /\.(?:gz|bz2)$/.exec(path)?.[0] ?? "";
    const names = [basename(path, ending), ...others];
    for (const name of names) symlinkSync(await unpacked(join(image, "..", name + ending)), join(work, name));
    execFileSync("qemu-img", ["convert", "-f", format, "-O", "raw", names[0] ?? "", "raw"], { cwd: work });
    await using raw = FileSource.open(join(work, "raw"));
    const { disk } = await openImage(image);
    expect(await firstDifference(disk, raw, await busyParts(raw))).toBeUndefined();
    expect(await missedZeros(disk, format, names[0] ?? "", work)).toEqual([]);
  });

  it("replays the log of a VHDX as qemu-img check does", async () => {
    const image = corpus("disk/container/qemu-iotests/iotest-dirtylog-10G-4M.vhdx.bz2");
    const copy = join(work, "repaired.vhdx");
    copyFileSync(await unpacked(image), copy);
    execFileSync("qemu-img", ["check", "-q", "-r", "all", copy]);
    const repaired = await openImage(copy);
    const { disk, diagnostics } = await openImage(image);
    expect(diagnostics.map(({ code }) => code)).toEqual(["VHDX_LOG_REPLAYED"]);
    expect(repaired.diagnostics).toEqual([]);
    execFileSync("qemu-img", ["convert", "-f", "vhdx", "-O", "raw", copy, join(work, "raw")]);
    await using raw = FileSource.open(join(work, "raw"));
    expect(await firstDifference(disk, raw, await busyParts(raw))).toBeUndefined();
    expect(await missedZeros(disk, "vhdx", copy, work)).toEqual([]);
  });
});
