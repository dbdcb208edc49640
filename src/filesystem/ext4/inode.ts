import { crc32c } from "../../bytes/crc32c.ts";
import type { Timestamp } from "../../bytes/entry.ts";
import { LittleEndianView } from "../../bytes/view.ts";

export const INODE_FLAG = {
  ENCRYPT: 0x800,
  INDEX: 0x1000,
  EXTENTS: 0x8_0000,
  EA_INODE: 0x20_0000,
  INLINE_DATA: 0x1000_0000,
} as const;

/** The types in i_mode. */
export const MODE = {
  FORMAT: 0o170000,
  SOCKET: 0o140000,
  SYMLINK: 0o120000,
  FILE: 0o100000,
  BLOCK: 0o060000,
  DIRECTORY: 0o040000,
  CHARACTER: 0o020000,
  FIFO: 0o010000,
} as const;

const GOOD_OLD_INODE_SIZE = 128;
/** Of i_uid and others that have two halves. */
const HALF = 0x1_0000;
const WORD = 0x1_0000_0000;
/** The first and the last second that an inode can hold. */
export const FIRST_SECOND = -0x8000_0000;
export const LAST_SECOND = 3 * WORD + 0x7fff_ffff;

/** struct ext4_inode, with the space after it that may hold extended attributes. */
export class Inode extends LittleEndianView {
  static readonly ROOT = 2;
  readonly number: number;
  /** Bytes on disk, the attributes' space included. */
  readonly size: number;

  constructor(bytes: Uint8Array, offset: number, size: number, number: number) {
    super(bytes, offset, size);
    this.size = size;
    this.number = number;
  }

  get mode(): number {
    return this.u16(0x00);
  }
  set mode(value: number) {
    this.setU16(0x00, value);
  }
  get format(): number {
    return this.mode & MODE.FORMAT;
  }
  get uid(): number {
    return this.u16(0x02) + this.u16(0x78) * 0x1_0000;
  }
  set uid(value: number) {
    this.setU16(0x02, value % HALF);
    this.setU16(0x78, Math.floor(value / HALF));
  }
  get gid(): number {
    return this.u16(0x18) + this.u16(0x7a) * 0x1_0000;
  }
  set gid(value: number) {
    this.setU16(0x18, value % HALF);
    this.setU16(0x7a, Math.floor(value / HALF));
  }
  get linksCount(): number {
    return this.u16(0x1a);
  }
  set linksCount(value: number) {
    this.setU16(0x1a, value);
  }
  /** In units of 512 bytes, or of a block; enough to tell none from some. */
  get blocksLow(): number {
    return this.u32(0x1c);
  }
  /** In units of 512 bytes, for the feature huge_file. */
  set blocks512(value: number) {
    this.setU32(0x1c, value % WORD);
    this.setU16(0x74, Math.floor(value / WORD));
  }
  get flags(): number {
    return this.u32(0x20);
  }
  set flags(value: number) {
    this.setU32(0x20, value);
  }
  /** Block pointers, the root of an extent tree, a short symlink, inline data or a device number. */
  get block(): Uint8Array {
    return this.bytes(0x28, 60);
  }
  get sizeLow(): number {
    return this.u32(0x04);
  }
  /** Bytes, of files (and, with largedir, of directories). */
  get size64(): number {
    return this.u64Parts(0x04, 0x6c);
  }
  set size64(value: number) {
    this.setU32(0x04, value % WORD);
    this.setU32(0x6c, Math.floor(value / WORD));
  }
  get extraIsize(): number {
    return this.size > GOOD_OLD_INODE_SIZE ? this.u16(0x80) : 0;
  }
  set extraIsize(value: number) {
    this.setU16(0x80, value);
  }

  /** The extended attribute block; the high half counts with the feature 64bit only. */
  fileAcl(has64Bit: boolean): number {
    return this.u32(0x68) + (has64Bit ? this.u16(0x76) * 0x1_0000_0000 : 0);
  }
  set fileAclBlock(value: number) {
    this.setU32(0x68, value % WORD);
    this.setU16(0x76, Math.floor(value / WORD));
  }

  hasFlag(flag: number): boolean {
    return (this.flags & flag) !== 0;
  }

  /** Seconds are signed 32 bits with two more above them, where the inode is large enough to hold those and nanoseconds. */
  get mtime(): Timestamp {
    const seconds = this.i32(0x10);
    if (this.extraIsize < 0x8c - GOOD_OLD_INODE_SIZE) return { seconds, nanoseconds: 0 };
    const extra = this.u32(0x88);
    // Kernels before 4.3 wrote the epoch bits 3 for times before 1970.
    const epoch = seconds < 0 && (extra & 3) === 3 ? 0 : extra & 3;
    return { seconds: seconds + epoch * 0x1_0000_0000, nanoseconds: Math.min(extra >>> 2, 999_999_999) };
  }
  /** All four times; seconds from FIRST_SECOND to LAST_SECOND. */
  set times({ seconds, nanoseconds }: Timestamp) {
    const epoch = Math.floor((seconds - FIRST_SECOND) / WORD);
    const extra = nanoseconds * 4 + epoch;
    for (const at of [0x08, 0x0c, 0x10, 0x90]) this.setU32(at, seconds);
    for (const at of [0x84, 0x88, 0x8c, 0x94]) this.setU32(at, extra);
  }
  /** Of an inode that holds the value of an attribute, kept where others have their time of access. */
  set valueHash(value: number) {
    this.setU32(0x08, value);
  }
  /** Of such an inode: how many attributes share it (i_version, and i_ctime above it). */
  set valueReferences(value: number) {
    this.setU32(0x24, value);
    this.setU32(0x0c, 0);
  }

  /** Of a device: the old form in the first word, or the new one in the second. */
  get device(): { readonly major: number; readonly minor: number } {
    const old = this.u32(0x28);
    if (old !== 0) return { major: (old >>> 8) & 0xff, minor: old & 0xff };
    const value = this.u32(0x2c);
    return { major: (value >>> 8) & 0xfff, minor: (value & 0xff) | ((value >>> 12) & 0xf_ff00) };
  }
  set device({ major, minor }: { readonly major: number; readonly minor: number }) {
    if (major < 0x100 && minor < 0x100) this.setU32(0x28, major * 0x100 + minor);
    else this.setU32(0x2c, (minor & 0xff) + major * 0x100 + Math.floor(minor / 0x100) * 0x10_0000);
  }

  /** The space for attributes after the fixed fields: undefined where there is none, "damaged" where extraIsize is a lie. */
  get attributeSpace(): Uint8Array | "damaged" | undefined {
    if (this.size <= GOOD_OLD_INODE_SIZE) return undefined;
    const start = GOOD_OLD_INODE_SIZE + this.extraIsize;
    if (start > this.size || this.extraIsize % 4 !== 0) return "damaged";
    if (this.extraIsize === 0 || start + 4 > this.size) return undefined;
    return this.bytes(start, this.size - start);
  }

  /** CRC-32C with the feature metadata_csum; to be called last. */
  setChecksum(fileSystemSeed: number): void {
    this.setU16(0x7c, 0);
    this.setU16(0x82, 0);
    const checksum = crc32c(inodeSeed(fileSystemSeed, this.number), this.bytes(0, this.size));
    this.setU16(0x7c, checksum % HALF);
    this.setU16(0x82, Math.floor(checksum / HALF));
  }

  private u64Parts(low: number, high: number): number {
    return this.u32(high) * 0x1_0000_0000 + this.u32(low);
  }
}

const numberAndGeneration = Buffer.alloc(8);

/** What the checksums of an inode of generation 0, and of all blocks that belong to it, start from. */
export function inodeSeed(fileSystemSeed: number, number: number): number {
  numberAndGeneration.writeUInt32LE(number);
  return crc32c(fileSystemSeed, numberAndGeneration);
}
