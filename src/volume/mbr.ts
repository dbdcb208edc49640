import type { ByteSource } from "../bytes/byte-source.ts";
import type { Context } from "../context.ts";
import { chainBroken, chainEndless } from "./errors.ts";
import { type MbrEntry, MbrRecord } from "./mbr-record.ts";
import { type PartitionFacts, partitions, sectorSizeOf } from "./partition.ts";
import type { VolumeFormat } from "./volume-system.ts";

const MOST_LOGICAL = 256;
const FIRST_LOGICAL = 5;

const TYPE_NAMES: Readonly<Record<number, string>> = {
  1: "FAT12",
  4: "FAT16",
  6: "FAT16",
  7: "NTFS or exFAT",
  11: "FAT32",
  12: "FAT32",
  14: "FAT16",
  39: "hidden NTFS",
  66: "Windows dynamic disk",
  130: "Linux swap",
  131: "Linux",
  142: "Linux LVM",
  165: "FreeBSD",
  166: "OpenBSD",
  169: "NetBSD",
  191: "Solaris",
  238: "GPT protective",
  239: "EFI system",
  251: "VMFS",
  253: "Linux RAID",
};

/** Master boot record with the chain of logical partitions; the extended partition itself is not listed. */
export const format: VolumeFormat = {
  name: "mbr",
  async open(sources, ctx) {
    const systems = [];
    for (const disk of sources) {
      const sectorSize = sectorSizeOf(disk);
      const record = new MbrRecord(await disk.read(0, MbrRecord.SIZE));
      const signature = record.diskSignature === 0 ? undefined : hex(record.diskSignature, 8);
      const found: PartitionFacts[] = [];
      for (const [slot, entry] of record.entries.entries()) {
        if (entry.used && !entry.extended) found.push(facts(entry, slot + 1, entry.start, sectorSize, signature));
      }
      for (const [index, { entry, start }] of (await logicalEntries(disk, record, sectorSize, ctx)).entries()) {
        found.push(facts(entry, FIRST_LOGICAL + index, start, sectorSize, signature));
      }
      const volumes = partitions(disk, found, ctx);
      systems.push({ scheme: "mbr", uuid: signature, label: undefined, sectorSize, volumes });
    }
    return systems;
  },
};

function facts(
  entry: MbrEntry,
  number: number,
  start: number,
  sectorSize: number,
  signature: string | undefined,
): PartitionFacts {
  return {
    id: `${number}`,
    type: `0x${hex(entry.type, 2)}`,
    typeName: TYPE_NAMES[entry.type] ?? "unknown",
    uuid: signature === undefined ? undefined : `${signature}-${hex(number, 2)}`,
    label: undefined,
    bootable: entry.active,
    start: start * sectorSize,
    size: entry.sectors * sectorSize,
  };
}

interface LogicalEntry {
  readonly entry: MbrEntry;
  /** In logical sectors of the disk. */
  readonly start: number;
}

/** Follows the records of each extended partition: entries tell a partition's place from their record, and the next record's from the first. */
async function logicalEntries(
  disk: ByteSource,
  table: MbrRecord,
  sectorSize: number,
  ctx: Context,
): Promise<LogicalEntry[]> {
  const found: LogicalEntry[] = [];
  const visited = new Set<number>();
  for (const extended of table.entries.filter((entry) => entry.used && entry.extended)) {
    let at: number | undefined = extended.start;
    while (at !== undefined) {
      const here: number = at;
      const offset = here * sectorSize;
      if (visited.has(here) || visited.size >= MOST_LOGICAL) throw chainEndless(disk.name, offset, visited.size);
      visited.add(here);
      const record = await extendedRecord(disk, offset, ctx);
      if (record === undefined) break;
      const entry = record.entries.find(({ used, extended: chained }) => used && !chained);
      if (entry !== undefined) found.push({ entry, start: here + entry.start });
      const next = record.entries.find(({ used, extended: chained }) => used && chained);
      at = next === undefined ? undefined : extended.start + next.start;
    }
  }
  return found;
}

/** Undefined, and a diagnostic, where no record is. */
async function extendedRecord(disk: ByteSource, offset: number, ctx: Context): Promise<MbrRecord | undefined> {
  if (offset + MbrRecord.SIZE > disk.size) {
    ctx.diagnostic(chainBroken(disk.name, offset, "the next record lies beyond the end of the disk"));
    return undefined;
  }
  const record = new MbrRecord(await disk.read(offset, MbrRecord.SIZE));
  if (record.signed) return record;
  ctx.diagnostic(chainBroken(disk.name, offset, "the next record has no signature"));
  return undefined;
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}
