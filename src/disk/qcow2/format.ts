import type { ByteSource } from "../../bytes/byte-source.ts";
import { asDisk } from "../as-disk.ts";
import { packageName, resized } from "../parent.ts";
import type { DiskFormat, FormatContext } from "../virtual-disk.ts";
import { Qcow2Clusters } from "./clusters.ts";
import { backingFormatMissing, fileNameRefused, tableOutOfRange } from "./errors.ts";
import { type Qcow2Layout, readLayout } from "./header.ts";

const SECTOR = 512;

/** QEMU calls VHD by the name of the product that had it first. */
const FORMAT_NAMES: Readonly<Record<string, string>> = { vpc: "vhd" };

/** QEMU copy-on-write images of versions 2 and 3. */
export const format: DiskFormat = {
  name: "qcow2",
  async open(source, ctx) {
    const layout = await readLayout(source, ctx);
    const l1 = await readL1(source, layout, ctx);
    const backing = await openBacking(source, layout, ctx);
    const data = layout.dataFile === undefined ? source : await openData(source, layout.dataFile, ctx);
    const content = new Qcow2Clusters(source, layout, l1, data, backing, ctx.depth);
    return asDisk(content, {
      format: "qcow2",
      variant: `version ${layout.version}`,
      sectorSize: SECTOR,
      storedBytes: undefined,
    });
  },
};

async function readL1(source: ByteSource, layout: Qcow2Layout, ctx: FormatContext): Promise<DataView> {
  const { l1Offset, l1Entries } = layout;
  const length = l1Entries * 8;
  if (l1Offset % 2 ** layout.clusterBits !== 0 || l1Offset + length > source.size) {
    throw tableOutOfRange(source.name, 1, l1Offset, length, source.size);
  }
  ctx.keepTable(source.name, length);
  // A copy, since the table outlives the block that it was read with.
  return new DataView(new Uint8Array(await source.read(l1Offset, length)).buffer);
}

async function openBacking(
  source: ByteSource,
  { backing, size }: Qcow2Layout,
  ctx: FormatContext,
): Promise<ByteSource | undefined> {
  if (backing === undefined) return undefined;
  const name = besideName(source, backing.name);
  const declared = backing.format === undefined ? undefined : (FORMAT_NAMES[backing.format] ?? backing.format);
  const disk = await ctx.openBase(source.name, name, declared);
  if (declared === undefined && disk.format !== "raw") throw backingFormatMissing(source.name, name, disk.format);
  return resized(disk, 0, size);
}

async function openData(source: ByteSource, name: string, ctx: FormatContext): Promise<ByteSource> {
  const data = await ctx.resolve(besideName(source, name));
  return resized(data, 0, Math.ceil(data.size / SECTOR) * SECTOR);
}

/** QEMU also takes `json:{...}`, and `protocol:` with anything behind it. */
function besideName(source: ByteSource, name: string): string {
  const beside = packageName(name.replace(/^file:(?!\/\/)/, ""));
  if (beside === "" || beside.includes("\0") || /^[^/]*:/.test(beside)) throw fileNameRefused(source.name, name);
  return beside;
}
