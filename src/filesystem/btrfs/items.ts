import type { BytePath } from "../../bytes/byte-path.ts";
import type { Timestamp } from "../../bytes/entry.ts";
import { LittleEndianView } from "../../bytes/view.ts";
import { diskKey, type Key } from "./node.ts";

/** The root directory of every subvolume, and the least number of an inode or of a subvolume besides the top level. */
export const FIRST_FREE = 256;
/** The top level subvolume. */
export const FS_TREE = 5;

/** Bits of the mode. */
export const MODE = {
  TYPE: 0o170000,
  FIFO: 0o010000,
  CHARACTER: 0o020000,
  DIRECTORY: 0o040000,
  BLOCK: 0o060000,
  FILE: 0o100000,
  SYMLINK: 0o120000,
  SOCKET: 0o140000,
} as const;

/** struct btrfs_inode_item. */
export class InodeItem extends LittleEndianView {
  static readonly SIZE = 0xa0;

  constructor(bytes: Uint8Array) {
    super(bytes, 0, InodeItem.SIZE);
  }

  get generation(): number {
    return this.u64(0x00);
  }
  /** Bytes. */
  get size(): number {
    return this.u64(0x10);
  }
  set size(value: number) {
    this.setU64(0x10, value);
  }
  get nlink(): number {
    return this.u32(0x28);
  }
  set nlink(value: number) {
    this.setU32(0x28, value);
  }
  get uid(): number {
    return this.u32(0x2c);
  }
  get gid(): number {
    return this.u32(0x30);
  }
  get mode(): number {
    return this.u32(0x34);
  }
  get format(): number {
    return this.mode & MODE.TYPE;
  }
  /** As the kernel's huge_encode_dev joins them. */
  get device(): { readonly major: number; readonly minor: number } {
    const low = this.u32(0x38);
    return { major: ((this.u32(0x3c) << 12) | (low >>> 20)) >>> 0, minor: low & 0xfffff };
  }
  get mtime(): Timestamp {
    const seconds = this.i32(0x8c) * 2 ** 32 + this.u32(0x88);
    return { seconds, nanoseconds: this.u32(0x90) };
  }
}

/** struct btrfs_dir_item: a name in a directory, or an extended attribute. */
export interface DirItem {
  readonly location: Key;
  readonly name: BytePath;
  /** The value of an attribute. */
  readonly data: Uint8Array;
}

class DirItemHeader extends LittleEndianView {
  static readonly SIZE = 0x1e;

  get location(): Key {
    return diskKey(this, 0x00);
  }
  get dataLen(): number {
    return this.u16(0x19);
  }
  get nameLen(): number {
    return this.u16(0x1b);
  }
}

/** All of one item, since names with the same hash share one; undefined where it is damaged. */
export function dirItems(bytes: Uint8Array): DirItem[] | undefined {
  const items: DirItem[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (at + DirItemHeader.SIZE > bytes.length) return undefined;
    const header = new DirItemHeader(bytes, at, DirItemHeader.SIZE);
    const nameAt = at + DirItemHeader.SIZE;
    const dataAt = nameAt + header.nameLen;
    const end = dataAt + header.dataLen;
    if (end > bytes.length) return undefined;
    items.push({ location: header.location, name: latin1(bytes, nameAt, dataAt), data: bytes.subarray(dataAt, end) });
    at = end;
  }
  return items;
}

export function latin1(bytes: Uint8Array, from: number, to: number): BytePath {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1", from, to);
}

/** struct btrfs_file_extent_item. */
export class FileExtent extends LittleEndianView {
  static readonly INLINE = 0;
  static readonly REGULAR = 1;
  static readonly PREALLOCATED = 2;
  static readonly HEADER = 0x15;
  static readonly SIZE = 0x35;

  /** `bytes` must have at least HEADER bytes, and SIZE unless the extent is inline. */
  constructor(bytes: Uint8Array) {
    super(bytes, 0, bytes.length);
  }

  /** Bytes of the whole extent after decompression. */
  get ramBytes(): number {
    return this.u64(0x08);
  }
  get compression(): number {
    return this.u8(0x10);
  }
  get encryption(): number {
    return this.u8(0x11);
  }
  get type(): number {
    return this.u8(0x14);
  }
  get inlineData(): Uint8Array {
    return this.bytes(FileExtent.HEADER, this.data.byteLength - FileExtent.HEADER);
  }
  /** 0 is a hole. */
  get diskBytenr(): number {
    return this.u64(0x15);
  }
  get diskNumBytes(): number {
    return this.u64(0x1d);
  }
  /** Where in the extent, decompressed, the file's part begins. */
  get offset(): number {
    return this.u64(0x25);
  }
  get numBytes(): number {
    return this.u64(0x2d);
  }
}

/** struct btrfs_root_item, as far as every version of it has it. */
export class RootItem extends LittleEndianView {
  static readonly SIZE = 0xef;

  constructor(bytes: Uint8Array) {
    super(bytes, 0, RootItem.SIZE);
  }

  get generation(): number {
    return this.u64(0xa0);
  }
  get rootDirid(): number {
    return this.u64(0xa8);
  }
  get bytenr(): number {
    return this.u64(0xb0);
  }
  /** 0 for a subvolume that is being deleted. */
  get refs(): number {
    return this.u32(0xd8);
  }
  get level(): number {
    return this.u8(0xee);
  }
}
