import type { ByteSource } from "../../bytes/byte-source.ts";
import { asDisk } from "../as-disk.ts";
import { diskEmpty, parentChanged, parentMissing } from "../errors.ts";
import { openParent, parentNames, resized } from "../parent.ts";
import type { DiskFormat, FormatContext, VirtualDisk } from "../virtual-disk.ts";
import { BlockTable, VhdxBlocks } from "./blocks.ts";
import { headersDamaged, notVhdx, regionDamaged, versionUnknown } from "./errors.ts";
import { replayed } from "./log.ts";
import { type Metadata, type ParentLocator, readMetadata, readRegions } from "./metadata.ts";
import { type Region, VhdxHeader } from "./structures.ts";

const SIGNATURE = "vhdxfile";

/** Hyper-V disks of its second format: fixed, dynamic and differencing ones, also those whose log was not written out. */
export const format: DiskFormat = {
  name: "vhdx",
  async open(source, ctx) {
    const header = await readHeader(source);
    const whole = await replayed(source, header, ctx);
    const regions = await readRegions(whole);
    const metadata = await readMetadata(whole, regions.metadata);
    if (metadata.size === 0) throw diskEmpty(source.name);
    const table = await readTable(whole, regions.bat, metadata, ctx);
    const parent = metadata.parent && resized(await findParent(source, metadata.parent, ctx), 0, metadata.size);
    const content = new VhdxBlocks(whole, metadata, table, parent);
    return asDisk(content, {
      format: "vhdx",
      variant: variantOf(metadata),
      sectorSize: metadata.sectorSize,
      storedBytes: content.storedBytes,
      identities: [header.dataWriteGuid],
    });
  },
};

function variantOf({ parent, fixed }: Metadata): string {
  if (parent !== undefined) return "differencing";
  return fixed ? "fixed" : "dynamic";
}

async function readHeader(source: ByteSource): Promise<VhdxHeader> {
  const signature = await source.read(0, Math.min(SIGNATURE.length, source.size));
  if (Buffer.from(signature).toString("latin1") !== SIGNATURE) throw notVhdx(source.name);
  let newest: VhdxHeader | undefined;
  for (const at of VhdxHeader.OFFSETS) {
    if (at + VhdxHeader.SIZE > source.size) continue;
    const header = new VhdxHeader(new Uint8Array(await source.read(at, VhdxHeader.SIZE)));
    if (header.isSound && (newest === undefined || header.sequenceNumber > newest.sequenceNumber)) newest = header;
  }
  if (newest === undefined) throw headersDamaged(source.name);
  if (newest.version !== 1 || newest.logVersion !== 0) {
    throw versionUnknown(source.name, newest.version, newest.logVersion);
  }
  return newest;
}

async function readTable(
  source: ByteSource,
  region: Region,
  metadata: Metadata,
  ctx: FormatContext,
): Promise<BlockTable> {
  const length = BlockTable.bytesOf(metadata);
  if (length > region.length) {
    throw regionDamaged(
      source.name,
      `the block allocation table of ${region.length} bytes is too small for a disk of ${metadata.size} bytes`,
    );
  }
  ctx.keepTable(source.name, length);
  return new BlockTable(new DataView(new Uint8Array(await source.read(region.offset, length)).buffer), metadata);
}

async function findParent(
  source: ByteSource,
  { linkages, paths }: ParentLocator,
  ctx: FormatContext,
): Promise<VirtualDisk> {
  const names = parentNames(paths);
  const [linkage = "without a linkage"] = linkages;
  const parent = await openParent(source.name, names, "vhdx", ctx);
  if (parent === undefined) throw parentMissing(source.name, linkage, names);
  const [identity] = parent.identities ?? [];
  if (identity === undefined || !linkages.includes(identity)) throw parentChanged(source.name, parent.name, linkage);
  return parent;
}
