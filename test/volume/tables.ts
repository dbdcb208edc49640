import { crc32 } from "node:zlib";

/** Partition types in the bytes of the disk. */
export const GUIDS = {
  linux: Buffer.from("af3dc60f838472478e793d69d8477de4", "hex"),
  esp: Buffer.from("28732ac11ff8d211ba4b00a0c93ec93b", "hex"),
} as const;

export interface GptPartition {
  readonly first: number;
  readonly last: number;
  readonly type?: Buffer;
  readonly name?: string;
  readonly attributes?: number;
}

export interface GptOptions {
  readonly sectorSize?: 512 | 4096;
  readonly sectors?: number;
  /** Block of the backup header; the last one if absent. */
  readonly backup?: number;
  readonly entrySize?: number;
}

/** An entry of a partition record. */
export function mbrEntry(type: number, start: number, sectors: number, status = 0): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt8(status, 0);
  bytes.writeUInt8(type, 4);
  bytes.writeUInt32LE(start, 8);
  bytes.writeUInt32LE(sectors, 12);
  return bytes;
}

/** Puts a partition record with these entries at a sector of a disk. */
export function putRecord(disk: Buffer, sector: number, entries: readonly Buffer[], sectorSize = 512): Buffer {
  const at = sector * sectorSize;
  disk.fill(0, at + 446, at + 510);
  for (const [index, entry] of entries.entries()) entry.copy(disk, at + 446 + index * 16);
  disk.writeUInt16LE(0xaa55, at + 510);
  return disk;
}

/** Makes the checksum of the header in a block right again. */
export function sealHeader(disk: Buffer, lba: number, sectorSize = 512): Buffer {
  const header = disk.subarray(lba * sectorSize, lba * sectorSize + 92);
  header.writeUInt32LE(0, 16);
  header.writeUInt32LE(crc32(header), 16);
  return disk;
}

/** A disk with a GPT; its numbers are those of `partitions`, undefined leaves a gap. */
export function gptDisk(partitions: readonly (GptPartition | undefined)[], options: GptOptions = {}): Buffer {
  const sectorSize = options.sectorSize ?? 512;
  const sectors = options.sectors ?? 200;
  const backup = options.backup ?? sectors - 1;
  const entrySize = options.entrySize ?? 128;
  const disk = putRecord(Buffer.alloc(sectors * sectorSize), 0, [mbrEntry(0xee, 1, sectors - 1)]);
  const table = Buffer.alloc(16 * entrySize);
  for (const [index, partition] of partitions.entries()) {
    if (partition === undefined) continue;
    const entry = table.subarray(index * entrySize, (index + 1) * entrySize);
    (partition.type ?? GUIDS.linux).copy(entry, 0);
    entry.fill(index + 1, 16, 32);
    entry.writeBigUInt64LE(BigInt(partition.first), 32);
    entry.writeBigUInt64LE(BigInt(partition.last), 40);
    entry.writeUInt32LE(partition.attributes ?? 0, 48);
    entry.write(partition.name ?? "", 56, 72, "utf16le");
  }
  const tableBlocks = Math.ceil(table.length / sectorSize);
  const put = (lba: number, alternate: number, tableLba: number): void => {
    const header = disk.subarray(lba * sectorSize);
    header.write("EFI PART", 0, "latin1");
    header.writeUInt32LE(0x10000, 8);
    header.writeUInt32LE(92, 12);
    header.writeBigUInt64LE(BigInt(lba), 24);
    header.writeBigUInt64LE(BigInt(alternate), 32);
    header.writeBigUInt64LE(BigInt(2 + tableBlocks), 40);
    header.writeBigUInt64LE(BigInt(backup - tableBlocks - 1), 48);
    header.fill(0xab, 56, 72);
    header.writeBigUInt64LE(BigInt(tableLba), 72);
    header.writeUInt32LE(16, 80);
    header.writeUInt32LE(entrySize, 84);
    header.writeUInt32LE(crc32(table), 88);
    table.copy(disk, tableLba * sectorSize);
    sealHeader(disk, lba, sectorSize);
  };
  put(1, backup, 2);
  put(backup, 1, backup - tableBlocks);
  return disk;
}
