import { crc32 } from "node:zlib";
import type { ByteSource } from "../bytes/byte-source.ts";
import type { Context } from "../context.ts";
import { backupTableUsed, entryDamaged, tablesUnusable } from "./errors.ts";
import { GptEntry, GptHeader } from "./gpt-header.ts";
import { type PartitionFacts, partitions, sectorSizeOf } from "./partition.ts";
import type { VolumeFormat, VolumeSystem } from "./volume-system.ts";

/** As Linux: 32,768 entries of the usual size. */
const MOST_TABLE_BYTES = 4 << 20;

const TYPE_NAMES: Readonly<Record<string, string>> = {
  "0FC63DAF-8483-4772-8E79-3D69D8477DE4": "Linux",
  "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709": "Linux root (x86-64)",
  "B921B045-1DF0-41C3-AF44-4C6F280D3FAE": "Linux root (ARM64)",
  "933AC7E1-2EB4-4F13-B844-0E14E2AEF915": "Linux home",
  "3B8F8425-20E0-4F3B-907F-1A25A76F98E8": "Linux server data",
  "4D21B016-B534-45C2-A9FB-5C16E091FD2D": "Linux variable data",
  "8484680C-9521-48C6-9C11-B0720656F69E": "Linux /usr (x86-64)",
  "BC13C2FF-59E6-4262-A352-B275FD6F7172": "Linux extended boot",
  "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F": "Linux swap",
  "E6D6D379-F507-44C2-A23C-238F2A3DF928": "Linux LVM",
  "A19D880F-05FC-4D3B-A006-743F0F84911E": "Linux RAID",
  "CA7D7CCB-63ED-4C53-861C-1742536059CC": "LUKS",
  "C12A7328-F81F-11D2-BA4B-00A0C93EC93B": "EFI system",
  "21686148-6449-6E6F-744E-656564454649": "BIOS boot",
  "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7": "Microsoft basic data",
  "E3C9E316-0B5C-4DB8-817D-F92DF00215AE": "Microsoft reserved",
  "DE94BBA4-06D1-4D40-A16A-BFD50179D6AC": "Windows recovery",
  "5808C8AA-7E8F-42E0-85D2-E1E90434CFB3": "Windows dynamic disk metadata",
  "AF9B60A0-1431-4F62-BC68-3311714A69AD": "Windows dynamic disk data",
  "AA31E02A-400F-11DB-9590-000C2911D1B8": "VMFS",
};

/** A header that holds, with its entries. */
interface Table {
  readonly header: GptHeader;
  readonly entries: Uint8Array;
  readonly sectorSize: number;
}

/** GUID partition table: the primary one if its checksums hold, else the backup. */
export const format: VolumeFormat = {
  name: "gpt",
  async open(sources, ctx) {
    const systems: VolumeSystem[] = [];
    for (const disk of sources) {
      const { header, entries, sectorSize } = await findTable(disk, ctx);
      const volumes = partitions(disk, readEntries(disk, header, entries, sectorSize, ctx), ctx);
      systems.push({ scheme: "gpt", uuid: header.diskGuid.toLowerCase(), label: undefined, sectorSize, volumes });
    }
    return systems;
  },
};

async function findTable(disk: ByteSource, ctx: Context): Promise<Table> {
  const sizes = sectorSizeOf(disk) === 4096 ? [4096, 512] : [512, 4096];
  const reasons: string[] = [];
  for (const sectorSize of sizes) {
    const table = await readTable(disk, 1, sectorSize);
    if (typeof table !== "string") return table;
    reasons.push(table);
  }
  // A header that is damaged tells more than the place where, with the other sector size, there is none.
  const primary = reasons.find((reason) => !reason.includes(NO_SIGNATURE)) ?? reasons[0] ?? "";
  const backups: string[] = [];
  for (const sectorSize of sizes) {
    const last = Math.floor(disk.size / sectorSize) - 1;
    for (const lba of new Set([last, await alternate(disk, sectorSize)])) {
      const table = lba === undefined ? "" : await readTable(disk, lba, sectorSize);
      if (typeof table !== "string") {
        ctx.diagnostic(backupTableUsed(disk.name, primary));
        return table;
      }
      if (table !== "") backups.push(table);
    }
  }
  const backup = backups.find((reason) => !reason.includes(NO_SIGNATURE)) ?? backups[0] ?? "there is no backup";
  throw tablesUnusable(disk.name, primary, backup);
}

const NO_SIGNATURE = 'has no "EFI PART"';

/** Where a damaged primary header sees its backup: the disk may have grown since. */
async function alternate(disk: ByteSource, sectorSize: number): Promise<number | undefined> {
  if (2 * sectorSize > disk.size) return undefined;
  const header = new GptHeader(await disk.read(sectorSize, GptHeader.SIZE));
  return header.signature === GptHeader.SIGNATURE && header.hasPlausibleAlternate ? header.alternateLba : undefined;
}

/** The table whose header lies in block `lba`, or what is wrong with it. */
async function readTable(disk: ByteSource, lba: number, sectorSize: number): Promise<Table | string> {
  const name = `the header in block ${lba} of ${sectorSize} bytes`;
  if (lba < 1 || (lba + 1) * sectorSize > disk.size) return `${name} would lie outside the disk`;
  const block = (await disk.read(lba * sectorSize, sectorSize)).slice();
  const header = new GptHeader(block);
  if (header.signature !== GptHeader.SIGNATURE) return `${name} ${NO_SIGNATURE}`;
  const { headerSize } = header;
  if (headerSize < GptHeader.SIZE || headerSize > sectorSize) return `${name} tells a size of ${headerSize} bytes`;
  const expected = header.headerCrc32;
  const plain = block.slice(0, headerSize).fill(0, 0x10, 0x14);
  if (crc32(plain) !== expected) return `${name} has a wrong checksum`;
  if (header.myLba !== lba) return `${name} says that it lies in block ${header.myLba}`;
  const { numberOfPartitionEntries: count, sizeOfPartitionEntry: size } = header;
  if (size < GptEntry.SIZE || !Number.isInteger(Math.log2(size))) return `${name} tells entries of ${size} bytes`;
  const at = header.partitionEntryLba * sectorSize;
  if (count * size > MOST_TABLE_BYTES) return `${name} tells ${count} entries`;
  if (at + count * size > disk.size) return `the table of ${name} would lie outside the disk`;
  const entries = await disk.read(at, count * size);
  if (crc32(entries) !== header.partitionEntryArrayCrc32) return `the table of ${name} has a wrong checksum`;
  return { header, entries, sectorSize };
}

function readEntries(
  disk: ByteSource,
  header: GptHeader,
  entries: Uint8Array,
  sectorSize: number,
  ctx: Context,
): PartitionFacts[] {
  const found: PartitionFacts[] = [];
  for (let index = 0; index < header.numberOfPartitionEntries; index++) {
    const entry = new GptEntry(entries, index * header.sizeOfPartitionEntry);
    const type = entry.partitionTypeGuid;
    if (type === GptEntry.UNUSED) continue;
    const { startingLba: first, endingLba: last } = entry;
    const end = (last + 1) * sectorSize;
    if (last < first || !Number.isSafeInteger(end)) {
      ctx.diagnostic(entryDamaged(disk.name, index + 1, first, last));
      continue;
    }
    found.push({
      id: `${index + 1}`,
      type,
      typeName: TYPE_NAMES[type] ?? "unknown",
      uuid: entry.uniquePartitionGuid.toLowerCase(),
      label: entry.partitionName,
      bootable: entry.bootable,
      start: first * sectorSize,
      size: end - first * sectorSize,
    });
  }
  return found;
}
