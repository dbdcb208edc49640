import { BigEndianView } from "../../bytes/view.ts";
import { superBlockDamaged } from "./errors.ts";

/** sb_features_incompat: none of them is known to all readers. */
export const INCOMPAT = {
  FTYPE: 0x1,
  SPINODES: 0x2,
  META_UUID: 0x4,
  BIGTIME: 0x8,
  NEEDSREPAIR: 0x10,
  NREXT64: 0x20,
  EXCHRANGE: 0x40,
  PARENT: 0x80,
  METADIR: 0x100,
  ZONED: 0x200,
  ZONE_GAPS: 0x400,
} as const;

/** sb_features_ro_compat: what they add can be read past. */
export const RO_COMPAT = { FINOBT: 0x1, RMAPBT: 0x2, REFLINK: 0x4, INOBTCNT: 0x8 } as const;

/** sb_features_log_incompat: what a log that was not replayed may hold. */
export const LOG_INCOMPAT = { XATTRS: 0x1 } as const;

const VERSION = { NUMBER: 0xf, DIRV2: 0x2000, MOREBITS: 0x8000 } as const;
const FEATURES2_FTYPE = 0x200;

const MIN_BLOCK_LOG = 9;
const MAX_BLOCK_LOG = 16;
const MIN_INODE = 256;
const MAX_INODE = 2048;
const MAX_SECTOR = 32768;

/** struct xfs_dsb. */
export class SuperBlock extends BigEndianView {
  static readonly MAGIC = 0x58465342;
  static readonly SIZE = 0x108;
  static readonly CHECKSUM_AT = 0xe0;

  constructor(bytes: Uint8Array) {
    super(bytes, 0, SuperBlock.SIZE);
  }

  get magicNum(): number {
    return this.u32(0x00);
  }
  get blockSize(): number {
    return this.u32(0x04);
  }
  get dBlocks(): number {
    return this.u64(0x08);
  }
  /** As UUID= in fstab spells it. With META_UUID the blocks carry another one. */
  get uuid(): string {
    const digits = Buffer.from(this.uuidBytes).toString("hex");
    return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
  }
  get uuidBytes(): Uint8Array {
    return this.bytes(0x20, 16);
  }
  /** First block of the log; 0 if the log is on another device. */
  get logStart(): number {
    return this.u64(0x30);
  }
  get rootIno(): number {
    return this.u64(0x38);
  }
  get agBlocks(): number {
    return this.u32(0x54);
  }
  get agCount(): number {
    return this.u32(0x58);
  }
  get logBlocks(): number {
    return this.u32(0x60);
  }
  get versionNum(): number {
    return this.u16(0x64);
  }
  get version(): number {
    return this.versionNum & VERSION.NUMBER;
  }
  get sectSize(): number {
    return this.u16(0x66);
  }
  get inodeSize(): number {
    return this.u16(0x68);
  }
  get fName(): string {
    return this.text(0x6c, 12);
  }
  get blockLog(): number {
    return this.u8(0x78);
  }
  get inodeLog(): number {
    return this.u8(0x7a);
  }
  /** Binary logarithm of the inodes in a block. */
  get inopbLog(): number {
    return this.u8(0x7b);
  }
  /** Binary logarithm of agBlocks, rounded up. */
  get agBlkLog(): number {
    return this.u8(0x7c);
  }
  get inProgress(): boolean {
    return this.u8(0x7e) !== 0;
  }
  get fdBlocks(): number {
    return this.u64(0x90);
  }
  /** Binary logarithm of the blocks in a directory block. */
  get dirBlkLog(): number {
    return this.u8(0xc0);
  }
  get features2(): number {
    return this.u32(0xc8);
  }
  get featuresRoCompat(): number {
    return this.hasChecksums ? this.u32(0xd4) : 0;
  }
  get featuresIncompat(): number {
    return this.hasChecksums ? this.u32(0xd8) : 0;
  }
  get featuresLogIncompat(): number {
    return this.hasChecksums ? this.u32(0xdc) : 0;
  }
  /** What v5 blocks carry as their file system's UUID. */
  get metaUuidBytes(): Uint8Array {
    return this.hasIncompat(INCOMPAT.META_UUID) ? this.bytes(0xf8, 16) : this.uuidBytes;
  }

  /** Version 5: checksums, owners and log sequence numbers in all metadata. */
  get hasChecksums(): boolean {
    return this.version === 5;
  }
  /** Whether the names of directories have types. */
  get hasFileType(): boolean {
    if (this.hasChecksums) return this.hasIncompat(INCOMPAT.FTYPE);
    return (this.versionNum & VERSION.MOREBITS) !== 0 && (this.features2 & FEATURES2_FTYPE) !== 0;
  }

  hasIncompat(bit: number): boolean {
    return (this.featuresIncompat & bit) !== 0;
  }

  /** Throws CorruptError XFS_SUPERBLOCK where a value makes no sense, alone or with another one. */
  check(file: string): void {
    const refuse = (what: string): never => {
      throw superBlockDamaged(what, file);
    };
    const { blockSize, blockLog, sectSize, inodeSize, dBlocks, agBlocks, agCount } = this;
    if (this.magicNum !== SuperBlock.MAGIC) refuse(`magic 0x${this.magicNum.toString(16)} instead of "XFSB"`);
    if (this.version < 4 || this.version > 5 || (this.versionNum & VERSION.DIRV2) === 0) {
      refuse(`version 0x${this.versionNum.toString(16)} is none that is read (4 and 5 with directories of version 2)`);
    }
    if (blockLog < MIN_BLOCK_LOG || blockLog > MAX_BLOCK_LOG || blockSize !== 2 ** blockLog) {
      refuse(`blocks of ${blockSize} bytes`);
    }
    if (sectSize < 512 || sectSize > MAX_SECTOR || !isPowerOf2(sectSize)) refuse(`sectors of ${sectSize} bytes`);
    if (inodeSize < MIN_INODE || inodeSize > MAX_INODE || inodeSize !== 2 ** this.inodeLog) {
      refuse(`inodes of ${inodeSize} bytes`);
    }
    if (this.inopbLog !== blockLog - this.inodeLog) refuse(`2^${this.inopbLog} inodes in a block of ${blockSize}`);
    if (this.dirBlkLog > MAX_BLOCK_LOG - blockLog) refuse(`directory blocks of 2^${this.dirBlkLog} blocks`);
    if (agBlocks === 0 || this.agBlkLog !== Math.ceil(Math.log2(agBlocks))) {
      refuse(`allocation groups of ${agBlocks} blocks with numbers of ${this.agBlkLog} bits`);
    }
    if (agCount === 0 || agCount !== Math.ceil(dBlocks / agBlocks)) {
      refuse(`${dBlocks} blocks in ${agCount} allocation groups of ${agBlocks}`);
    }
    if (dBlocks * blockSize > Number.MAX_SAFE_INTEGER) refuse(`${dBlocks} blocks of ${blockSize} bytes`);
  }
}

function isPowerOf2(value: number): boolean {
  return (value & (value - 1)) === 0;
}

/** For messages: the names of the bits in `bits`, unknown ones as a number. */
export function featureNames(bits: number, known: Readonly<Record<string, number>>): string[] {
  const names = Object.entries(known).flatMap(([name, bit]) => ((bits & bit) === 0 ? [] : [name.toLowerCase()]));
  const unknown = Object.values(known).reduce((rest, bit) => rest & ~bit, bits) >>> 0;
  return unknown === 0 ? names : [...names, `unknown features 0x${unknown.toString(16)}`];
}
