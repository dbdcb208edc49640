import type { Timestamp } from "../../bytes/entry.ts";
import { BigEndianView } from "../../bytes/view.ts";

/** The types in di_mode. */
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

/** enum xfs_dinode_fmt: what a fork holds. */
export const FORK_FORMAT = { DEVICE: 0, LOCAL: 1, EXTENTS: 2, BTREE: 3 } as const;

const FLAG_REALTIME = 0x1;
const FLAGS2 = { BIGTIME: 0x8, NREXT64: 0x10 } as const;
/** Seconds before 1970 at which times of 64 bits begin. */
const BIGTIME_EPOCH = 2 ** 31;
const NANOSECONDS = 1_000_000_000n;

/** One of the two parts of an inode's literal area: its data, or its extended attributes. */
export interface Fork {
  readonly format: number;
  readonly bytes: Uint8Array;
  /** How many extents it has in all. */
  readonly extents: number;
}

/** struct xfs_dinode. */
export class Inode extends BigEndianView {
  static readonly MAGIC = 0x494e;
  static readonly CHECKSUM_AT = 0x64;
  readonly number: number;
  readonly size: number;

  /** `size` is sb_inodesize. */
  constructor(bytes: Uint8Array, size: number, number: number) {
    super(bytes, 0, size);
    this.size = size;
    this.number = number;
  }

  get magic(): number {
    return this.u16(0x00);
  }
  get mode(): number {
    return this.u16(0x02);
  }
  get type(): number {
    return this.mode & MODE.FORMAT;
  }
  get version(): number {
    return this.u8(0x04);
  }
  get format(): number {
    return this.u8(0x05);
  }
  get uid(): number {
    return this.u32(0x08);
  }
  get gid(): number {
    return this.u32(0x0c);
  }
  /** Version 1 has 16 bits elsewhere. */
  get nlink(): number {
    return this.version === 1 ? this.u16(0x06) : this.u32(0x10);
  }
  /** Of version 2 on v4: counts how often the inode was written, up to 0xffff. */
  get flushIter(): number {
    return this.u16(0x1e);
  }
  get mtime(): Timestamp {
    if ((this.flags2 & FLAGS2.BIGTIME) === 0) {
      return { seconds: this.i32(0x28), nanoseconds: Math.min(this.u32(0x2c), 999_999_999) };
    }
    const time = this.data.getBigUint64(0x28);
    return { seconds: Number(time / NANOSECONDS) - BIGTIME_EPOCH, nanoseconds: Number(time % NANOSECONDS) };
  }
  /** Bytes. */
  get length(): number {
    return this.u64(0x38);
  }
  /** In units of 8 bytes; 0 if there is no attribute fork. */
  get forkOff(): number {
    return this.u8(0x52);
  }
  get isRealtime(): boolean {
    return (this.u16(0x5a) & FLAG_REALTIME) !== 0;
  }
  /** The log sequence number of the last write, of version 3. */
  get lsn(): bigint {
    return this.data.getBigUint64(0x70);
  }
  get flags2(): number {
    return this.version >= 3 ? this.u32(0x7c) : 0;
  }
  /** The inode's own number, of version 3. */
  get ino(): number {
    return this.u64(0x98);
  }
  get hasWideCounts(): boolean {
    return (this.flags2 & FLAGS2.NREXT64) !== 0;
  }
  /** Where the literal area begins, which runs to the end. */
  get literalAt(): number {
    return this.version >= 3 ? 0xb0 : 0x64;
  }
  /** Whether the attribute fork, if any, begins inside the literal area. */
  get forkOffFits(): boolean {
    return this.forkOff * 8 < this.size - this.literalAt;
  }

  get dataFork(): Fork {
    const start = this.literalAt;
    const length = this.forkOff === 0 ? this.size - start : this.forkOff * 8;
    const extents = this.hasWideCounts ? this.u64(0x18) : this.u32(0x4c);
    return { format: this.format, bytes: this.bytes(start, length), extents };
  }

  get attributeFork(): Fork | undefined {
    if (this.forkOff === 0) return undefined;
    const start = this.literalAt + this.forkOff * 8;
    const extents = this.hasWideCounts ? this.u32(0x4c) : this.u16(0x50);
    return { format: this.u8(0x53), bytes: this.bytes(start, this.size - start), extents };
  }

  /** Of a device: xfs_dev_t, the first word of the literal area. */
  get device(): { readonly major: number; readonly minor: number } {
    const value = this.u32(this.literalAt);
    return { major: (value >>> 18) & 0x3fff, minor: value & 0x3_ffff };
  }
}
