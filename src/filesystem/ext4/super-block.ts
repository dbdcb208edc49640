import { crc32c } from "../../bytes/crc32c.ts";
import { LittleEndianView } from "../../bytes/view.ts";
import { superBlockDamaged } from "./errors.ts";

export const COMPAT = {
  HAS_JOURNAL: 0x4,
  EXT_ATTR: 0x8,
  RESIZE_INODE: 0x10,
  DIR_INDEX: 0x20,
  SPARSE_SUPER2: 0x200,
} as const;

export const INCOMPAT = {
  COMPRESSION: 0x1,
  FILETYPE: 0x2,
  RECOVER: 0x4,
  JOURNAL_DEV: 0x8,
  META_BG: 0x10,
  EXTENTS: 0x40,
  "64BIT": 0x80,
  MMP: 0x100,
  FLEX_BG: 0x200,
  EA_INODE: 0x400,
  DIRDATA: 0x1000,
  CSUM_SEED: 0x2000,
  LARGEDIR: 0x4000,
  INLINE_DATA: 0x8000,
  ENCRYPT: 0x1_0000,
  CASEFOLD: 0x2_0000,
} as const;

export const RO_COMPAT = {
  SPARSE_SUPER: 0x1,
  LARGE_FILE: 0x2,
  BTREE_DIR: 0x4,
  HUGE_FILE: 0x8,
  GDT_CSUM: 0x10,
  DIR_NLINK: 0x20,
  EXTRA_ISIZE: 0x40,
  QUOTA: 0x100,
  BIGALLOC: 0x200,
  METADATA_CSUM: 0x400,
  READONLY: 0x1000,
  PROJECT: 0x2000,
  SHARED_BLOCKS: 0x4000,
  VERITY: 0x8000,
  ORPHAN_PRESENT: 0x1_0000,
} as const;

const EXT3_INCOMPAT = INCOMPAT.FILETYPE | INCOMPAT.RECOVER | INCOMPAT.META_BG;
const EXT3_RO_COMPAT = RO_COMPAT.SPARSE_SUPER | RO_COMPAT.LARGE_FILE | RO_COMPAT.BTREE_DIR;
const CRC32C_CHECKSUM_TYPE = 1;

/** Groups that hold copies under every rule that mke2fs knows, as far as they are worth a look. */
export const BACKUP_GROUPS: readonly number[] = [1, 3, 5, 7, 9];

/** struct ext4_super_block; offsets as in the kernel's documentation (filesystems/ext4/globals). */
export class SuperBlock extends LittleEndianView {
  static readonly SIZE = 0x400;
  /** Bytes from the start of the volume. */
  static readonly OFFSET = 0x400;
  static readonly MAGIC = 0xef53;

  constructor(bytes: Uint8Array, offset = 0) {
    super(bytes, offset, SuperBlock.SIZE);
  }

  get inodesCount(): number {
    return this.u32(0x00);
  }
  set inodesCount(value: number) {
    this.setU32(0x00, value);
  }
  get blocksCount(): number {
    return this.has64Bit ? this.#wide(0x04, 0x150) : this.u32(0x04);
  }
  set blocksCount(value: number) {
    this.#setWide(0x04, 0x150, value);
  }
  set reservedBlocksCount(value: number) {
    this.#setWide(0x08, 0x154, value);
  }
  get freeBlocksCount(): number {
    return this.has64Bit ? this.#wide(0x0c, 0x158) : this.u32(0x0c);
  }
  set freeBlocksCount(value: number) {
    this.#setWide(0x0c, 0x158, value);
  }
  set freeInodesCount(value: number) {
    this.setU32(0x10, value);
  }
  get firstDataBlock(): number {
    return this.u32(0x14);
  }
  get logBlockSize(): number {
    return this.u32(0x18);
  }
  set logBlockSize(value: number) {
    this.setU32(0x18, value);
  }
  get logClusterSize(): number {
    return this.u32(0x1c);
  }
  set logClusterSize(value: number) {
    this.setU32(0x1c, value);
  }
  get blocksPerGroup(): number {
    return this.u32(0x20);
  }
  set blocksPerGroup(value: number) {
    this.setU32(0x20, value);
  }
  set clustersPerGroup(value: number) {
    this.setU32(0x24, value);
  }
  get inodesPerGroup(): number {
    return this.u32(0x28);
  }
  set inodesPerGroup(value: number) {
    this.setU32(0x28, value);
  }
  /** Seconds since 1970, as the next three. */
  set writeTime(value: number) {
    this.setU32(0x30, value);
  }
  set maxMountCount(value: number) {
    this.setU16(0x36, value);
  }
  get magic(): number {
    return this.u16(0x38);
  }
  set magic(value: number) {
    this.setU16(0x38, value);
  }
  set state(value: number) {
    this.setU16(0x3a, value);
  }
  set errors(value: number) {
    this.setU16(0x3c, value);
  }
  set lastCheck(value: number) {
    this.setU32(0x40, value);
  }
  get revLevel(): number {
    return this.u32(0x4c);
  }
  set revLevel(value: number) {
    this.setU32(0x4c, value);
  }
  set firstInode(value: number) {
    this.setU32(0x54, value);
  }
  get inodeSize(): number {
    return this.revLevel === 0 ? 128 : this.u16(0x58);
  }
  set inodeSize(value: number) {
    this.setU16(0x58, value);
  }
  get blockGroupNr(): number {
    return this.u16(0x5a);
  }
  set blockGroupNr(value: number) {
    this.setU16(0x5a, value);
  }
  get featureCompat(): number {
    return this.u32(0x5c);
  }
  set featureCompat(value: number) {
    this.setU32(0x5c, value);
  }
  get featureIncompat(): number {
    return this.u32(0x60);
  }
  set featureIncompat(value: number) {
    this.setU32(0x60, value);
  }
  get featureRoCompat(): number {
    return this.u32(0x64);
  }
  set featureRoCompat(value: number) {
    this.setU32(0x64, value);
  }
  get uuidBytes(): Uint8Array {
    return this.bytes(0x68, 16);
  }
  set uuidBytes(value: Uint8Array) {
    this.bytes(0x68, 16).set(value);
  }
  get volumeName(): string {
    return this.text(0x78, 16);
  }
  set volumeName(value: string) {
    this.bytes(0x78, 16).set(Buffer.from(value, "latin1"));
  }
  /** Descriptor blocks that each copy of the table has in reserve, for the file system to grow into. */
  set reservedGdtBlocks(value: number) {
    this.setU16(0xce, value);
  }
  get journalInum(): number {
    return this.u32(0xe0);
  }
  set journalInum(value: number) {
    this.setU32(0xe0, value);
  }
  get journalUuid(): Uint8Array {
    return this.bytes(0xd0, 16);
  }
  get journalDev(): number {
    return this.u32(0xe4);
  }
  set hashSeed(value: Uint8Array) {
    this.bytes(0xec, 16).set(value);
  }
  set defaultHashVersion(value: number) {
    this.setU8(0xfc, value);
  }
  /** 1: jnlBlocks holds the journal's i_block. */
  set journalBackupType(value: number) {
    this.setU8(0xfd, value);
  }
  get descSize(): number {
    return this.has64Bit ? this.u16(0xfe) : 32;
  }
  set descSize(value: number) {
    this.setU16(0xfe, value);
  }
  set defaultMountOptions(value: number) {
    this.setU32(0x100, value);
  }
  get firstMetaBg(): number {
    return this.u32(0x104);
  }
  set makeTime(value: number) {
    this.setU32(0x108, value);
  }
  /** The journal inode's i_block (15 words), size high and size low, for when the inode is lost. */
  get jnlBlocks(): Uint8Array {
    return this.bytes(0x10c, 17 * 4);
  }
  set jnlBlocks(value: Uint8Array) {
    this.bytes(0x10c, 17 * 4).set(value);
  }
  set minExtraIsize(value: number) {
    this.setU16(0x15c, value);
  }
  set wantExtraIsize(value: number) {
    this.setU16(0x15e, value);
  }
  set flags(value: number) {
    this.setU32(0x160, value);
  }
  set logGroupsPerFlex(value: number) {
    this.setU8(0x174, value);
  }
  get checksumType(): number {
    return this.u8(0x175);
  }
  set checksumType(value: number) {
    this.setU8(0x175, value);
  }
  get backupBgs(): readonly [number, number] {
    return [this.u32(0x24c), this.u32(0x250)];
  }
  get checksum(): number {
    return this.u32(0x3fc);
  }
  /** To be called last. */
  setChecksum(): void {
    this.setU32(0x3fc, crc32c(0xffffffff, this.bytes(0, 0x3fc)));
  }

  #wide(low: number, high: number): number {
    return this.u32(high) * 0x1_0000_0000 + this.u32(low);
  }

  #setWide(low: number, high: number, value: number): void {
    this.setU32(low, value % 0x1_0000_0000);
    this.setU32(high, Math.floor(value / 0x1_0000_0000));
  }

  hasCompat(feature: number): boolean {
    return (this.featureCompat & feature) !== 0;
  }
  hasIncompat(feature: number): boolean {
    return (this.featureIncompat & feature) !== 0;
  }
  hasRoCompat(feature: number): boolean {
    return (this.featureRoCompat & feature) !== 0;
  }
  get has64Bit(): boolean {
    return this.hasIncompat(INCOMPAT["64BIT"]);
  }

  /** Bytes. */
  get blockSize(): number {
    return 1024 << this.logBlockSize;
  }
  /** Bytes; what is allocated at once with bigalloc, otherwise a block. */
  get clusterSize(): number {
    return this.hasRoCompat(RO_COMPAT.BIGALLOC) ? 2 ** (10 + this.logClusterSize) : this.blockSize;
  }
  get groupCount(): number {
    return Math.ceil((this.blocksCount - this.firstDataBlock) / this.blocksPerGroup);
  }
  /** `UUID=` of fstab, or undefined where none was set. */
  get uuid(): string | undefined {
    const hex = Buffer.from(this.uuidBytes).toString("hex");
    if (/^0+$/.test(hex)) return undefined;
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
  }
  /** What all other checksums start from. */
  get checksumSeed(): number {
    return this.hasIncompat(INCOMPAT.CSUM_SEED) ? this.u32(0x270) : crc32c(0xffffffff, this.uuidBytes);
  }
  get checksumFits(): boolean {
    if (!this.hasRoCompat(RO_COMPAT.METADATA_CSUM) || this.checksumType !== CRC32C_CHECKSUM_TYPE) return true;
    return crc32c(0xffffffff, this.bytes(0, 0x3fc)) === this.checksum;
  }

  /** As blkid tells them apart. */
  get type(): "ext2" | "ext3" | "ext4" {
    if (this.hasIncompat(~EXT3_INCOMPAT) || this.hasRoCompat(~EXT3_RO_COMPAT)) return "ext4";
    return this.hasCompat(COMPAT.HAS_JOURNAL) ? "ext3" : "ext2";
  }

  /** Whether a group holds a copy of the superblock (and, without meta_bg, of the descriptors). */
  hasSuper(group: number): boolean {
    if (group === 0) return true;
    if (this.hasCompat(COMPAT.SPARSE_SUPER2)) return this.backupBgs.includes(group);
    return !this.hasRoCompat(RO_COMPAT.SPARSE_SUPER) || holdsSparseSuper(group);
  }

  /** Throws CorruptError EXT_SUPERBLOCK where a field cannot be true, before anything is computed from it. */
  check(file: string, offset: number): void {
    const refuse = (what: string): never => {
      throw superBlockDamaged(what, file, offset);
    };
    if (this.magic !== SuperBlock.MAGIC) refuse(`magic 0x${this.magic.toString(16)} instead of 0xef53`);
    if (this.logBlockSize > 6) refuse(`block size 2^${10 + this.logBlockSize}, more than 65536`);
    const { blockSize, inodeSize, descSize } = this;
    if (inodeSize < 128 || inodeSize > blockSize || (inodeSize & (inodeSize - 1)) !== 0) {
      refuse(`inode size ${inodeSize} with blocks of ${blockSize}`);
    }
    if (this.has64Bit && (descSize < 64 || descSize > 1024 || (descSize & (descSize - 1)) !== 0)) {
      refuse(`group descriptors of ${descSize} bytes`);
    }
    if (this.blocksPerGroup === 0 || this.inodesPerGroup === 0) refuse("groups without blocks or inodes");
    if (this.blocksCount * blockSize > Number.MAX_SAFE_INTEGER) refuse(`${this.blocksCount} blocks`);
    if (this.firstDataBlock >= this.blocksCount)
      refuse(`first data block ${this.firstDataBlock} of ${this.blocksCount}`);
    if (this.inodesCount > this.groupCount * this.inodesPerGroup) {
      refuse(`${this.inodesCount} inodes in ${this.groupCount} groups of ${this.inodesPerGroup}`);
    }
  }
}

/** With sparse_super: groups 0 and 1 and the powers of 3, 5 and 7. */
export function holdsSparseSuper(group: number): boolean {
  return group < 2 || [3, 5, 7].some((base) => isPower(group, base));
}

function isPower(value: number, base: number): boolean {
  let power = base;
  while (power < value) power *= base;
  return power === value;
}

/** Names of set bits; unknown ones in hex. */
export function featureNames(bits: number, known: Readonly<Record<string, number>>): string[] {
  const names = Object.entries(known)
    .filter(([, bit]) => (bits & bit) !== 0)
    .map(([name]) => name.toLowerCase());
  const unknown = Object.values(known).reduce((left, bit) => left & ~bit, bits) >>> 0;
  return unknown === 0 ? names : [...names, `0x${unknown.toString(16)}`];
}
