import { crc32 } from "node:zlib";
import { GptEntry, GptHeader } from "./gpt-header.ts";
import { MbrRecord } from "./mbr-record.ts";

const SECTOR = 512;
const ENTRIES = 128;
const TABLE_SECTORS = (ENTRIES * GptEntry.SIZE) / SECTOR;
/** UEFI 2.10 §5.3.2: 1.0. */
const REVISION = 0x10000;

/** The partition types that Linux and firmware know, by their GUIDs. */
export const PARTITION_TYPE = {
  BIOS_BOOT: "21686148-6449-6E6F-744E-656564454649",
  EFI_SYSTEM: "C12A7328-F81F-11D2-BA4B-00A0C93EC93B",
  LINUX_ROOT_X86_64: "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709",
} as const;

/** Sectors of 512 bytes; `last` belongs to the partition. */
export interface NewPartition {
  readonly type: string;
  readonly uuid: string;
  /** At most 36 characters. */
  readonly label: string;
  readonly first: number;
  readonly last: number;
}

export interface NewTable {
  readonly diskUuid: string;
  /** Of the whole disk: bytes, a multiple of 512. */
  readonly size: number;
  /** At most 440 bytes for the master boot record. */
  readonly bootCode: Uint8Array;
  readonly partitions: readonly NewPartition[];
}

/** What a partition table takes up on a disk. */
export interface WrittenTable {
  /** The first 34 sectors: protective MBR, header and entries. */
  readonly head: Uint8Array;
  /** The last 33: entries and header again. */
  readonly tail: Uint8Array;
}

/** The first sector that a partition can have, and how many at the end of the disk it cannot. */
export const FIRST_USABLE_SECTOR = 2 + TABLE_SECTORS;
export const BACKUP_SECTORS = TABLE_SECTORS + 1;

/** Both copies of a GUID partition table (UEFI 2.10 §5.3) for sectors of 512 bytes, behind a protective MBR that BIOSes boot. */
export function writeGpt(table: NewTable): WrittenTable {
  const sectors = table.size / SECTOR;
  const entries = new Uint8Array(TABLE_SECTORS * SECTOR);
  for (const [index, { type, uuid, label, first, last }] of table.partitions.entries()) {
    const entry = new GptEntry(entries, index * GptEntry.SIZE);
    entry.partitionTypeGuid = type;
    entry.uniquePartitionGuid = uuid;
    entry.startingLba = first;
    entry.endingLba = last;
    entry.partitionName = label;
  }
  const head = new Uint8Array(FIRST_USABLE_SECTOR * SECTOR);
  const tail = new Uint8Array(BACKUP_SECTORS * SECTOR);
  head.set(protectiveMbr(table.bootCode, sectors));
  head.set(header(table, sectors, entries, 1), SECTOR);
  head.set(entries, 2 * SECTOR);
  tail.set(entries);
  tail.set(header(table, sectors, entries, sectors - 1), TABLE_SECTORS * SECTOR);
  return { head, tail };
}

/** UEFI 2.10 §5.2.3. Some BIOSes start only what has an active entry, which UEFI ignores. */
function protectiveMbr(bootCode: Uint8Array, sectors: number): Uint8Array {
  const bytes = new Uint8Array(SECTOR);
  bytes.set(bootCode);
  const record = new MbrRecord(bytes);
  const [entry] = record.entries;
  if (entry === undefined) throw new Error("a record has four entries");
  entry.status = 0x80;
  entry.firstChs = [0x00, 0x02, 0x00];
  entry.type = 0xee;
  entry.lastChs = [0xff, 0xff, 0xff];
  entry.start = 1;
  entry.sectors = Math.min(sectors - 1, 0xffffffff);
  record.sign();
  return bytes;
}

function header(table: NewTable, sectors: number, entries: Uint8Array, lba: number): Uint8Array {
  const bytes = new Uint8Array(GptHeader.SIZE);
  const header = new GptHeader(bytes);
  header.sign();
  header.revision = REVISION;
  header.headerSize = GptHeader.SIZE;
  header.myLba = lba;
  header.alternateLba = sectors - lba;
  header.firstUsableLba = FIRST_USABLE_SECTOR;
  header.lastUsableLba = sectors - BACKUP_SECTORS - 1;
  header.diskGuid = table.diskUuid;
  header.partitionEntryLba = lba === 1 ? 2 : sectors - BACKUP_SECTORS;
  header.numberOfPartitionEntries = ENTRIES;
  header.sizeOfPartitionEntry = GptEntry.SIZE;
  header.partitionEntryArrayCrc32 = crc32(entries);
  header.headerCrc32 = crc32(bytes);
  return bytes;
}
