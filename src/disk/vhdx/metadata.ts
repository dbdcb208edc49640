import type { ByteSource } from "../../bytes/byte-source.ts";
import { guidText } from "../guid.ts";
import { metadataDamaged, metadataUnknown, regionDamaged } from "./errors.ts";
import { MEBIBYTE, MetadataTable, type Region, RegionTable } from "./structures.ts";

const REGION = {
  BAT: "2dc27766-f623-4200-9d64-115e9bfd4a08",
  METADATA: "8b7ca206-4790-4b9a-b8fe-575f050f886e",
} as const;

const ITEM = {
  FILE_PARAMETERS: "caa16737-fa36-4d43-b3b6-33f0aa44e76b",
  VIRTUAL_DISK_SIZE: "2fa54224-cd1b-4876-b211-5dbed83bf4b8",
  LOGICAL_SECTOR_SIZE: "8141bf1d-a96f-4709-ba47-f233a8faab5f",
  PHYSICAL_SECTOR_SIZE: "cda348c7-445d-4471-9cc9-e9885251c556",
  PAGE_83_DATA: "beca12ab-b2e6-4523-93ef-c309e000c746",
  PARENT_LOCATOR: "a8d35f2d-b30b-454d-abf7-d3d84834ab0c",
} as const;

const FLAGS = { LEAVE_BLOCK_ALLOCATED: 1, HAS_PARENT: 2 } as const;
const VHDX_PARENT = "b04aefb7-d19e-4a81-b789-25b8e9445913";
const MOST_BLOCK = 256 * MEBIBYTE;
const MOST_ITEM = MEBIBYTE;

/** [MS-VHDX] 2.2.3: where the two regions lie that every disk has. */
export interface Regions {
  readonly bat: Region;
  readonly metadata: Region;
}

export async function readRegions(source: ByteSource): Promise<Regions> {
  for (const at of RegionTable.OFFSETS) {
    if (at + RegionTable.SIZE > source.size) continue;
    const table = new RegionTable(new Uint8Array(await source.read(at, RegionTable.SIZE)));
    if (!table.isSound) continue;
    const { entries } = table;
    const known: readonly string[] = Object.values(REGION);
    const unknown = entries.find(({ guid, required }) => required && !known.includes(guid));
    if (unknown !== undefined) throw metadataUnknown(source.name, `region ${unknown.guid}`);
    const find = (guid: string, what: string): Region => {
      const region = entries.find((entry) => entry.guid === guid);
      if (region === undefined) throw regionDamaged(source.name, `the region of the ${what} is missing`);
      if (region.offset + region.length > source.size) {
        throw regionDamaged(source.name, `the region of the ${what} leaves the file of ${source.size} bytes`);
      }
      return region;
    };
    return { bat: find(REGION.BAT, "block allocation table"), metadata: find(REGION.METADATA, "metadata") };
  }
  throw regionDamaged(source.name, "neither of the two region tables is sound");
}

/** [MS-VHDX] 2.6.2. Sizes are bytes. */
export interface Metadata {
  readonly blockSize: number;
  readonly fixed: boolean;
  readonly size: number;
  readonly sectorSize: number;
  readonly parent: ParentLocator | undefined;
}

/** What a child knows of its parent. */
export interface ParentLocator {
  /** The `dataWriteGuid` that the parent has, or may also have. */
  readonly linkages: readonly string[];
  readonly paths: readonly string[];
}

export async function readMetadata(source: ByteSource, region: Region): Promise<Metadata> {
  if (region.length < MetadataTable.SIZE) throw metadataDamaged(source.name, "no room for its table", region.offset);
  const table = new MetadataTable(new Uint8Array(await source.read(region.offset, MetadataTable.SIZE)));
  if (table.signature !== "metadata" || table.entryCount > MetadataTable.MOST_ENTRIES) {
    throw metadataDamaged(source.name, "no table", region.offset);
  }
  const { entries } = table;
  const known: readonly string[] = Object.values(ITEM);
  const unknown = entries.find(({ guid, required }) => required && !known.includes(guid));
  if (unknown !== undefined) throw metadataUnknown(source.name, `metadata ${unknown.guid}`);
  const read = async (guid: string, least: number, what: string): Promise<DataView> => {
    const item = entries.find((entry) => entry.guid === guid);
    if (item === undefined) throw metadataDamaged(source.name, `no ${what}`);
    const { offset, length } = item;
    if (length < least || length > MOST_ITEM || offset + length > region.length) {
      throw metadataDamaged(source.name, `a ${what} of ${length} bytes`, region.offset + offset);
    }
    return new DataView(new Uint8Array(await source.read(region.offset + offset, length)).buffer);
  };
  const parameters = await read(ITEM.FILE_PARAMETERS, 8, "file parameters");
  const flags = parameters.getUint32(4, true);
  const metadata: Metadata = {
    blockSize: parameters.getUint32(0, true),
    fixed: (flags & FLAGS.LEAVE_BLOCK_ALLOCATED) !== 0,
    size: Number((await read(ITEM.VIRTUAL_DISK_SIZE, 8, "disk size")).getBigUint64(0, true)),
    sectorSize: (await read(ITEM.LOGICAL_SECTOR_SIZE, 4, "sector size")).getUint32(0, true),
    parent:
      (flags & FLAGS.HAS_PARENT) === 0
        ? undefined
        : readLocator(await read(ITEM.PARENT_LOCATOR, 20, "parent locator"), source.name),
  };
  checkSizes(metadata, source.name);
  return metadata;
}

function checkSizes({ blockSize, size, sectorSize }: Metadata, file: string): void {
  if (blockSize < MEBIBYTE || blockSize > MOST_BLOCK || !Number.isInteger(Math.log2(blockSize))) {
    throw metadataDamaged(file, `blocks of ${blockSize} bytes`);
  }
  if (sectorSize !== 512 && sectorSize !== 4096) throw metadataDamaged(file, `sectors of ${sectorSize} bytes`);
  if (!Number.isSafeInteger(size) || size % sectorSize !== 0) throw metadataDamaged(file, `a disk of ${size} bytes`);
}

/** [MS-VHDX] 2.6.2.6. */
function readLocator(item: DataView, file: string): ParentLocator {
  const bytes = Buffer.from(item.buffer);
  const type = guidText(bytes.subarray(0, 16));
  if (type !== VHDX_PARENT) throw metadataUnknown(file, `a parent of type ${type}`);
  const text = (at: number, length: number): string => {
    if (at + length > bytes.length) throw metadataDamaged(file, "a parent locator whose texts leave it");
    return bytes.toString("utf16le", at, at + length);
  };
  const count = bytes.readUInt16LE(18);
  if (20 + count * 12 > bytes.length) throw metadataDamaged(file, `a parent locator of ${count} texts`);
  const values = new Map<string, string>();
  for (let at = 20; at < 20 + count * 12; at += 12) {
    const key = text(bytes.readUInt32LE(at), bytes.readUInt16LE(at + 8));
    values.set(key, text(bytes.readUInt32LE(at + 4), bytes.readUInt16LE(at + 10)));
  }
  const present = (...keys: readonly string[]): readonly string[] =>
    keys.map((key) => values.get(key)).filter((value) => value !== undefined);
  return {
    linkages: present("parent_linkage", "parent_linkage2").map((guid) => guid.replace(/[{}]/g, "").toLowerCase()),
    paths: present("relative_path", "absolute_win32_path", "volume_path"),
  };
}
