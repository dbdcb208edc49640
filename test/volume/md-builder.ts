export interface MadeMember {
  readonly version: "0.90" | "1.0" | "1.1" | "1.2";
  readonly level: number;
  /** Bytes of the disk. */
  readonly size: number;
  readonly raidDisks: number;
  readonly number: number;
  /** By the member's number; the number itself if absent. */
  readonly role?: number;
  readonly name?: string;
  readonly uuid?: number;
  readonly events?: number;
  /** Sectors. */
  readonly chunk?: number;
  readonly layout?: number;
  readonly features?: number;
  /** Sectors that the array uses of each member; all that there are if absent. */
  readonly used?: number;
}

/** Where the data of a made member begin and end; bytes. */
export function dataOf({ version, size }: Pick<MadeMember, "version" | "size">): { start: number; end: number } {
  if (version === "0.90") return { start: 0, end: superblockAt(version, size) };
  if (version === "1.0") return { start: 0, end: superblockAt(version, size) - 4096 };
  return { start: 16384, end: size };
}

export function superblockAt(version: MadeMember["version"], size: number): number {
  if (version === "1.1") return 0;
  if (version === "1.2") return 4096;
  return version === "1.0" ? ((size / 512 - 16) & ~7) * 512 : (size & ~65535) - 65536;
}

/** A disk that belongs to an array, filled with `data` from the start of its data on. */
export function memberDisk(member: MadeMember, data: Uint8Array): Buffer {
  const disk = Buffer.alloc(member.size);
  const { start, end } = dataOf(member);
  disk.set(data.subarray(0, end - start), start);
  if (member.version === "0.90") putOld(disk, member);
  else putNew(disk, member);
  return sealMember(disk, member.version);
}

function putNew(disk: Buffer, member: MadeMember): void {
  const at = superblockAt(member.version, member.size);
  const { start, end } = dataOf(member);
  const block = disk.subarray(at, at + 256 + 16);
  const sectors = (bytes: number): bigint => BigInt(bytes / 512);
  block.writeUInt32LE(0xa92b4efc, 0);
  block.writeUInt32LE(1, 4);
  block.writeUInt32LE(member.features ?? 0, 8);
  block.fill(member.uuid ?? 0x11, 16, 32);
  block.write(member.name ?? "host:0", 32, "latin1");
  block.writeInt32LE(member.level, 72);
  block.writeUInt32LE(member.layout ?? 0, 76);
  block.writeBigUInt64LE(BigInt(member.used ?? (member.level === 1 ? (end - start) / 512 : 0)), 80);
  block.writeUInt32LE(member.chunk ?? 0, 88);
  block.writeUInt32LE(member.raidDisks, 92);
  block.writeBigUInt64LE(sectors(start), 128);
  block.writeBigUInt64LE(sectors(end - start), 136);
  block.writeBigUInt64LE(sectors(at), 144);
  block.writeUInt32LE(member.number, 160);
  block.writeBigUInt64LE(BigInt(member.events ?? 10), 200);
  block.writeBigUInt64LE(0xffff_ffff_ffff_ffffn, 208);
  block.writeUInt32LE(8, 220);
  for (let number = 0; number < 8; number++) block.writeUInt16LE(number, 256 + number * 2);
  block.writeUInt16LE(member.role ?? member.number, 256 + member.number * 2);
}

function putOld(disk: Buffer, member: MadeMember): void {
  const at = superblockAt(member.version, member.size);
  const word = (index: number, value: number): void => void disk.writeUInt32LE(value >>> 0, at + index * 4);
  const uuid = (member.uuid ?? 0x11) * 0x01010101;
  for (const [index, value] of [0xa92b4efc, 0, 90, 0, 0, uuid].entries()) word(index, value);
  for (const index of [13, 14, 15]) word(index, uuid);
  word(7, member.level);
  word(8, (member.used ?? at / 512) / 2);
  word(9, member.raidDisks);
  word(10, member.raidDisks);
  word(11, Number(member.name ?? 0));
  word(39, member.events ?? 10);
  word(64, member.layout ?? 0);
  word(65, (member.chunk ?? 0) * 512);
  word(992, member.number);
  word(992 + 3, member.role ?? member.number);
  word(992 + 4, (member.role ?? 0) >= 0xfffd ? 0 : 6);
}

/** Makes the checksum of a superblock right again. */
export function sealMember(disk: Buffer, version: MadeMember["version"]): Buffer {
  const at = superblockAt(version, disk.length);
  const [place, length] = version === "0.90" ? [38 * 4, 4096] : [216, 256 + 16];
  disk.writeUInt32LE(0, at + place);
  let sum = 0n;
  for (let index = 0; index < length; index += 4) sum += BigInt(disk.readUInt32LE(at + index));
  disk.writeUInt32LE(Number(((sum & 0xffff_ffffn) + (sum >> 32n)) & 0xffff_ffffn), at + place);
  return disk;
}
