import type { Timestamp } from "../../bytes/entry.ts";
import { LittleEndianView } from "../../bytes/view.ts";

export const INODE_FLAG = {
  ENCRYPT: 0x800,
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
  get format(): number {
    return this.mode & MODE.FORMAT;
  }
  get uid(): number {
    return this.u16(0x02) + this.u16(0x78) * 0x1_0000;
  }
  get gid(): number {
    return this.u16(0x18) + this.u16(0x7a) * 0x1_0000;
  }
  get linksCount(): number {
    return this.u16(0x1a);
  }
  /** In units of 512 bytes, or of a block; enough to tell none from some. */
  get blocksLow(): number {
    return this.u32(0x1c);
  }
  get flags(): number {
    return this.u32(0x20);
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
  get extraIsize(): number {
    return this.size > GOOD_OLD_INODE_SIZE ? this.u16(0x80) : 0;
  }

  /** The extended attribute block; the high half counts with the feature 64bit only. */
  fileAcl(has64Bit: boolean): number {
    return this.u32(0x68) + (has64Bit ? this.u16(0x76) * 0x1_0000_0000 : 0);
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

  /** Of a device: the old form in the first word, or the new one in the second. */
  get device(): { readonly major: number; readonly minor: number } {
    const old = this.u32(0x28);
    if (old !== 0) return { major: (old >>> 8) & 0xff, minor: old & 0xff };
    const value = this.u32(0x2c);
    return { major: (value >>> 8) & 0xfff, minor: (value & 0xff) | ((value >>> 12) & 0xf_ff00) };
  }

  /** The space for attributes after the fixed fields: undefined where there is none, "damaged" where extraIsize is a lie. */
  get attributeSpace(): Uint8Array | "damaged" | undefined {
    if (this.size <= GOOD_OLD_INODE_SIZE) return undefined;
    const start = GOOD_OLD_INODE_SIZE + this.extraIsize;
    if (start > this.size || this.extraIsize % 4 !== 0) return "damaged";
    if (this.extraIsize === 0 || start + 4 > this.size) return undefined;
    return this.bytes(start, this.size - start);
  }

  private u64Parts(low: number, high: number): number {
    return this.u32(high) * 0x1_0000_0000 + this.u32(low);
  }
}
