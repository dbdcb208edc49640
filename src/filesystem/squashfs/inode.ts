import type { BytePath } from "../../bytes/byte-path.ts";
import type { Timestamp } from "../../bytes/entry.ts";
import type { Steps } from "../../bytes/steps.ts";
import { LittleEndianView } from "../../bytes/view.ts";
import { inodeDamaged } from "./errors.ts";
import type { InodeReference } from "./super-block.ts";
import type { Cursor, SquashfsVolume } from "./volume.ts";

/** Basic types; the extended ones are 7 more. */
export const TYPE = {
  DIRECTORY: 1,
  FILE: 2,
  SYMLINK: 3,
  BLOCK: 4,
  CHARACTER: 5,
  FIFO: 6,
  SOCKET: 7,
} as const;
const EXTENDED = 7;
const MOST_TYPE = TYPE.SOCKET + EXTENDED;

/** Bytes by type, without a block list, a target or a directory index. */
const SIZES = [0, 32, 32, 24, 24, 24, 20, 20, 40, 56, 24, 28, 28, 24, 24] as const;

export const NO_FRAGMENT = 0xffffffff;
const NO_XATTRS = 0xffffffff;

/** An inode of any type (squashfs 4.0, struct squashfs_*_inode); getters hold for the types that they name. */
export class Inode extends LittleEndianView {
  static readonly COMMON = 16;

  /** `bytes` are all of the inode that has a fixed place. */
  constructor(bytes: Uint8Array) {
    super(bytes, 0, bytes.length);
  }

  /** The basic type. */
  get type(): number {
    return this.isExtended ? this.u16(0x00) - EXTENDED : this.u16(0x00);
  }
  get isExtended(): boolean {
    return this.u16(0x00) > EXTENDED;
  }
  get permissions(): number {
    return this.u16(0x02) & 0o7777;
  }
  /** Indexes into the table of ids. */
  get uidIndex(): number {
    return this.u16(0x04);
  }
  get gidIndex(): number {
    return this.u16(0x06);
  }
  get mtime(): Timestamp {
    return { seconds: this.u32(0x08), nanoseconds: 0 };
  }
  /** Basic files have one. */
  get links(): number {
    if (this.type === TYPE.FILE) return this.isExtended ? this.u32(0x28) : 1;
    return this.type === TYPE.DIRECTORY && !this.isExtended ? this.u32(0x14) : this.u32(0x10);
  }
  /** Of directories: bytes of the listing. The number that is stored counts "." and ".." as three. */
  get listingSize(): number {
    return Math.max(0, (this.isExtended ? this.u32(0x14) : this.u16(0x18)) - 3);
  }
  /** Of directories: where the listing begins in the directory table. */
  get listing(): InodeReference {
    return this.isExtended
      ? { block: this.u32(0x18), offset: this.u16(0x22) }
      : { block: this.u32(0x10), offset: this.u16(0x1a) };
  }
  /** Of files: bytes from the start of the volume to the first block. */
  get startBlock(): number {
    return this.isExtended ? this.u64(0x10) : this.u32(0x10);
  }
  /** Of files. */
  get size(): number {
    return this.isExtended ? this.u64(0x18) : this.u32(0x1c);
  }
  /** Of files: which fragment block holds the end; NO_FRAGMENT if none. */
  get fragment(): number {
    return this.u32(this.isExtended ? 0x2c : 0x14);
  }
  get fragmentOffset(): number {
    return this.u32(this.isExtended ? 0x30 : 0x18);
  }
  /** Of symlinks. */
  get targetSize(): number {
    return this.u32(0x14);
  }
  /** Of devices, as the kernel encodes numbers of 32 bits. */
  get device(): { readonly major: number; readonly minor: number } {
    const value = this.u32(0x14);
    return { major: (value >>> 8) & 0xfff, minor: (value & 0xff) | ((value >>> 12) & 0xf_ff00) };
  }
  /** Index of the attributes; undefined without. A symlink's stands behind its target. */
  get xattrIndex(): number | undefined {
    if (!this.isExtended) return undefined;
    const at = XATTR_AT[this.type];
    return at === undefined ? undefined : xattrIndex(this.u32(at));
  }
}

const XATTR_AT: Readonly<Record<number, number>> = {
  [TYPE.DIRECTORY]: 0x24,
  [TYPE.FILE]: 0x34,
  [TYPE.BLOCK]: 0x18,
  [TYPE.CHARACTER]: 0x18,
  [TYPE.FIFO]: 0x14,
  [TYPE.SOCKET]: 0x14,
};

function xattrIndex(stored: number): number | undefined {
  return stored === NO_XATTRS ? undefined : stored;
}

/** An inode, and the place behind it: a file's block list or a symlink's target. */
export interface ReadInode {
  readonly inode: Inode;
  readonly behind: Cursor;
}

export function* readInode(
  volume: SquashfsVolume,
  { block, offset }: InodeReference,
  path: BytePath,
): Steps<ReadInode> {
  const at = { block: volume.superBlock.inodeTable + block, offset };
  const type = new Inode(yield* volume.metadata({ ...at }, Inode.COMMON)).u16(0x00);
  if (type === 0 || type > MOST_TYPE) throw inodeDamaged(`has the type ${type}`, volume.name, path);
  const inode = new Inode(yield* volume.metadata(at, SIZES[type] ?? Inode.COMMON));
  return { inode, behind: at };
}

/** Kernel's PATH_MAX. */
const MOST_TARGET = 4096;

export interface Target {
  readonly target: BytePath;
  readonly xattrIndex: number | undefined;
}

/** What stands behind a symlink's inode. */
export function* readTarget(volume: SquashfsVolume, { inode, behind }: ReadInode, path: BytePath): Steps<Target> {
  const { targetSize } = inode;
  if (targetSize === 0 || targetSize > MOST_TARGET) {
    throw inodeDamaged(`has a target of ${targetSize} bytes`, volume.name, path);
  }
  const bytes = yield* volume.metadata(behind, targetSize);
  const target = Buffer.from(bytes).toString("latin1");
  if (target.includes("\0")) throw inodeDamaged("has a target with a NUL in it", volume.name, path);
  if (!inode.isExtended) return { target, xattrIndex: undefined };
  const index = yield* volume.metadata(behind, 4);
  return { target, xattrIndex: xattrIndex(new DataView(index.buffer, index.byteOffset).getUint32(0, true)) };
}
