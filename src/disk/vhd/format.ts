import type { ByteSource } from "../../bytes/byte-source.ts";
import { Slice } from "../../bytes/slice.ts";
import { asDisk } from "../as-disk.ts";
import { diskEmpty, parentChanged, parentMissing } from "../errors.ts";
import { openParent, parentNames, resized } from "../parent.ts";
import type { DiskFormat, FormatContext, VirtualDisk } from "../virtual-disk.ts";
import { NO_BLOCK, VhdBlocks } from "./blocks.ts";
import {
  blockOutOfRange,
  checksumWrong,
  fixedTruncated,
  footerCopyUsed,
  geometryDamaged,
  notVhd,
  tableOutOfRange,
  typeUnknown,
} from "./errors.ts";
import { SECTOR, TYPE, utf16, VhdFooter, VhdHeader } from "./structures.ts";

/** Longer paths are not worth reading. */
const MOST_PATH = 64 << 10;

/** Virtual PC, Hyper-V and Azure disks: fixed, dynamic and differencing ones. */
export const format: DiskFormat = {
  name: "vhd",
  async open(source, ctx) {
    const { footer, at } = await readFooter(source, ctx);
    const size = footer.diskSize;
    if (size === 0) throw diskEmpty(source.name);
    if (size % SECTOR !== 0)
      throw geometryDamaged(source.name, `a disk of ${size} bytes, which is no number of sectors`);
    const facts = { format: "vhd", sectorSize: SECTOR, identities: [footer.uuid] };
    if (footer.type === TYPE.FIXED) {
      if (size > at) throw fixedTruncated(source.name, size, at);
      return asDisk(new Slice(source, 0, size), { ...facts, variant: "fixed", storedBytes: size });
    }
    if (footer.type !== TYPE.DYNAMIC && footer.type !== TYPE.DIFFERENCING) throw typeUnknown(source.name, footer.type);
    const header = await readHeader(source, footer);
    const table = await readTable(source, header, size, ctx);
    const parent = footer.type === TYPE.DIFFERENCING ? await findParent(source, header, ctx) : undefined;
    const content = new VhdBlocks(source, header.blockSize, table, size, parent && resized(parent, 0, size));
    const stored = table.reduce((count, sector) => count + (sector === NO_BLOCK ? 0 : 1), 0);
    return asDisk(content, {
      ...facts,
      variant: parent === undefined ? "dynamic" : "differencing",
      storedBytes: Math.min(size, stored * header.blockSize),
    });
  },
};

/** The footer, or the copy of it in front of dynamic disks; `at` is where the data of a fixed disk ends. */
async function readFooter(source: ByteSource, ctx: FormatContext): Promise<{ footer: VhdFooter; at: number }> {
  // Before 2004 Virtual PC left the last byte out.
  const last = source.size - (source.size % SECTOR === SECTOR - 1 ? SECTOR - 1 : SECTOR);
  let damaged = false;
  for (const at of [last, 0]) {
    if (at < 0) continue;
    const bytes = new Uint8Array(SECTOR);
    bytes.set(await source.read(at, Math.min(SECTOR, source.size - at)));
    const footer = new VhdFooter(bytes);
    if (footer.cookie !== VhdFooter.COOKIE) continue;
    if (footer.isSound) {
      if (at === 0) ctx.diagnostic(footerCopyUsed(source.name));
      return { footer, at };
    }
    damaged = true;
  }
  throw damaged ? checksumWrong(source.name, "footer", Math.max(0, last)) : notVhd(source.name);
}

async function readHeader(source: ByteSource, footer: VhdFooter): Promise<VhdHeader> {
  const at = footer.dataOffset;
  if (at + VhdHeader.SIZE > source.size) {
    throw tableOutOfRange(source.name, "header", at, VhdHeader.SIZE, source.size);
  }
  const header = new VhdHeader(new Uint8Array(await source.read(at, VhdHeader.SIZE)));
  if (!header.isSound) throw checksumWrong(source.name, "header", at);
  const { blockSize, maxTableEntries } = header;
  if (blockSize < SECTOR || !Number.isInteger(Math.log2(blockSize))) {
    throw geometryDamaged(source.name, `blocks of ${blockSize} bytes`);
  }
  if (maxTableEntries < Math.ceil(footer.diskSize / blockSize)) {
    throw geometryDamaged(
      source.name,
      `${maxTableEntries} blocks of ${blockSize} bytes for a disk of ${footer.diskSize} bytes`,
    );
  }
  return header;
}

async function readTable(
  source: ByteSource,
  header: VhdHeader,
  size: number,
  ctx: FormatContext,
): Promise<Uint32Array> {
  const { tableOffset, blockSize } = header;
  const count = Math.ceil(size / blockSize);
  if (tableOffset + count * 4 > source.size) {
    throw tableOutOfRange(source.name, "block allocation table", tableOffset, count * 4, source.size);
  }
  ctx.keepTable(source.name, count * 4);
  const bytes = await source.read(tableOffset, count * 4);
  const view = new DataView(bytes.buffer, bytes.byteOffset, count * 4);
  const table = new Uint32Array(count);
  const bitmap = VhdBlocks.bitmapBytes(blockSize);
  for (let block = 0; block < count; block++) {
    const sector = view.getUint32(block * 4);
    table[block] = sector;
    if (sector === NO_BLOCK) continue;
    const end = sector * SECTOR + bitmap + Math.min(blockSize, size - block * blockSize);
    if (end > source.size) throw blockOutOfRange(source.name, block, sector, source.size);
  }
  return table;
}

async function findParent(source: ByteSource, header: VhdHeader, ctx: FormatContext): Promise<VirtualDisk> {
  const paths: string[] = [];
  for (const code of ["W2ru", "W2ku"]) {
    for (const { code: found, offset, length } of header.locators) {
      if (found !== code || length > MOST_PATH || offset + length > source.size) continue;
      paths.push(utf16(await source.read(offset, length), "LE"));
    }
  }
  const names = parentNames([...paths, header.parentName]);
  const parent = await openParent(source.name, names, "vhd", ctx);
  if (parent === undefined) throw parentMissing(source.name, header.parentUuid, names);
  if (parent.identities?.[0] !== header.parentUuid) throw parentChanged(source.name, parent.name, header.parentUuid);
  return parent;
}
