import type { ByteSource } from "../../bytes/byte-source.ts";
import { compose, type Region } from "../../bytes/regions.ts";
import { Slice } from "../../bytes/slice.ts";
import { asDisk } from "../as-disk.ts";
import { packageName, resized } from "../parent.ts";
import type { DiskFormat } from "../virtual-disk.ts";
import { type Descriptor, type ExtentLine, parseDescriptor } from "./descriptor.ts";
import { isDescriptorText } from "./descriptor-magic.ts";
import {
  capacityDiffers,
  descriptorMissing,
  descriptorOutOfRange,
  deviceExtent,
  diskTooLarge,
  extentFileTruncated,
  extentNotSparse,
  noExtents,
  notVmdk,
  parentChainBroken,
  parentChanged,
  parentUnnamed,
  severalExtents,
} from "./errors.ts";
import { extentFormats } from "./extent-formats.ts";
import { Session } from "./session.ts";
import { readHeader, SparseExtent } from "./sparse-extent.ts";
import { SECTOR, type SparseHeader } from "./sparse-header.ts";

/** VirtualBox rounds a header's capacity up to this, whatever the disk's size. */
const ROUNDED_SECTORS = 128;

/** One disk of a chain of parents. */
interface Link {
  readonly content: ByteSource;
  readonly descriptor: Descriptor | undefined;
  /** Bytes in flat extents; undefined as soon as one is sparse. */
  readonly storedBytes: number | undefined;
}

/** VMware virtual disks: descriptor files with their extents, single sparse files, and compressed streams. */
export const format: DiskFormat = {
  name: "vmdk",
  async open(source, open) {
    const { content, descriptor, storedBytes } = await openLink(source, new Session(open));
    return asDisk(content, { format: "vmdk", variant: descriptor?.createType, sectorSize: SECTOR, storedBytes });
  },
};

async function openLink(source: ByteSource, session: Session): Promise<Link> {
  const head = await source.read(0, Math.min(source.size, 4096));
  const header = await readHeader(source, session);
  if (header === undefined) {
    if (!isDescriptorText(head)) throw notVmdk(source.name);
    return await openDescribed(source, await readDescriptor(source, 0, source.size, session), session);
  }
  if (header.descriptorOffset === 0) {
    session.ctx.diagnostic(descriptorMissing(source.name));
    return await openEmbedded(source, header, undefined, session);
  }
  const [at, length] = [header.descriptorOffset * SECTOR, header.descriptorSize * SECTOR];
  const descriptor = await readDescriptor(source, at, length, session);
  if (header.capacity === 0) return await openDescribed(source, descriptor, session);
  return await openEmbedded(source, header, descriptor, session);
}

async function readDescriptor(source: ByteSource, at: number, length: number, session: Session): Promise<Descriptor> {
  if (at + length > source.size || length > session.ctx.limits.descriptorBytes) {
    throw descriptorOutOfRange(source.name, at, length, source.size);
  }
  return parseDescriptor(await source.read(at, length), source.name);
}

/** A single file: its descriptor has one extent line, whose file name may be that of another machine. */
async function openEmbedded(
  source: ByteSource,
  header: SparseHeader,
  descriptor: Descriptor | undefined,
  session: Session,
): Promise<Link> {
  const [line, ...others] = descriptor?.extents ?? [];
  if (descriptor !== undefined && line === undefined) throw noExtents(source.name);
  if (others.length > 0 || (line !== undefined && line.kind !== "sparse")) {
    throw severalExtents(source.name, others.length + 1);
  }
  const sectors = line === undefined ? header.capacity : embeddedSectors(source, header, line, session);
  const size = checkedSize(source, sectors);
  const parent = await openParent(source, descriptor, session);
  const content = await SparseExtent.open(source, header, size, parent && resized(parent, 0, size), session);
  return { content, descriptor, storedBytes: undefined };
}

/** The extent line knows the true size; the header may be rounded up, and is believed where more than that differs. */
function embeddedSectors(source: ByteSource, header: SparseHeader, line: ExtentLine, session: Session): number {
  const rounding = Math.max(ROUNDED_SECTORS, header.grainSize);
  if (line.sectors > 0 && line.sectors <= header.capacity && header.capacity - line.sectors < rounding) {
    return line.sectors;
  }
  session.ctx.diagnostic(capacityDiffers(source.name, line.sectors, header.capacity));
  return header.capacity;
}

/** A descriptor that names its extents. */
async function openDescribed(source: ByteSource, descriptor: Descriptor, session: Session): Promise<Link> {
  const total = descriptor.extents.reduce((sum, line) => sum + line.sectors, 0);
  const size = checkedSize(source, total);
  const parent = await openParent(source, descriptor, session);
  const regions: Region[] = [];
  let storedBytes: number | undefined = 0;
  let offset = 0;
  for (const line of descriptor.extents) {
    session.ctx.signal.throwIfAborted();
    const length = line.sectors * SECTOR;
    const content = await openExtent(source, line, parent && resized(parent, offset, length), session);
    if (line.kind === "sparse") storedBytes = undefined;
    else if (content !== "zero" && storedBytes !== undefined) storedBytes += length;
    regions.push({ offset, length, content });
    offset += length;
  }
  return { content: compose(source.name, size, regions), descriptor, storedBytes };
}

async function openExtent(
  source: ByteSource,
  line: ExtentLine,
  parent: ByteSource | undefined,
  session: Session,
): Promise<ByteSource | "zero"> {
  if (line.kind === "device") throw deviceExtent(source.name, line.type);
  if (line.kind === "zero" || !line.accessible || line.file === undefined) return "zero";
  const file = await session.ctx.resolve(packageName(line.file));
  const length = line.sectors * SECTOR;
  if (line.kind === "flat") {
    const at = line.offsetSectors * SECTOR;
    if (at + length > file.size) throw extentFileTruncated(file.name, at + length, file.size);
    return new Slice(file, at, length);
  }
  const entry = await extentFormats.probe(file);
  if (entry === undefined) throw extentNotSparse(file.name, line.type);
  return await (await entry.load()).open(file, line.sectors, parent, session);
}

async function openParent(
  child: ByteSource,
  descriptor: Descriptor | undefined,
  session: Session,
): Promise<ByteSource | undefined> {
  if (descriptor?.parentCid === undefined) return undefined;
  if (descriptor.parentFile === undefined) throw parentUnnamed(child.name);
  const name = packageName(descriptor.parentFile);
  if (session.parents.has(name) || session.parents.size >= session.mostParents) {
    throw parentChainBroken(child.name, name, session.parents.size);
  }
  session.parents.add(name);
  const parent = await openLink(await session.ctx.resolve(name), session);
  if (parent.descriptor?.cid !== descriptor.parentCid) {
    throw parentChanged(child.name, name, descriptor.parentCid, parent.descriptor?.cid);
  }
  return parent.content;
}

function checkedSize(source: ByteSource, sectors: number): number {
  if (sectors === 0) throw noExtents(source.name);
  if (!Number.isSafeInteger(sectors * SECTOR)) throw diskTooLarge(source.name, sectors);
  return sectors * SECTOR;
}
