import { crc32c } from "../../bytes/crc32c.ts";
import { LittleEndianView } from "../../bytes/view.ts";
import { INCOMPAT, RO_COMPAT, type SuperBlock } from "./super-block.ts";

export const GROUP_FLAG = {
  /** The inode bitmap and table of the group hold nothing yet. */
  INODE_UNINIT: 0x1,
  /** Nothing says which blocks are in use: those of the group's own metadata. */
  BLOCK_UNINIT: 0x2,
  INODE_ZEROED: 0x4,
} as const;

/** struct ext4_group_desc: 32 bytes, or the superblock's descSize with the feature 64bit. */
export class GroupDescriptor extends LittleEndianView {
  readonly #size: number;

  constructor(bytes: Uint8Array, offset: number, size: number) {
    super(bytes, offset, size);
    this.#size = size;
  }

  /** First block of the group's inode table. */
  get inodeTable(): number {
    return this.u32(0x08) + (this.#size >= 64 ? this.u32(0x28) * 0x1_0000_0000 : 0);
  }
  get checksum(): number {
    return this.u16(0x1e);
  }

  /** The setters are for descriptors of 64 bytes. */
  set blockBitmap(value: number) {
    this.#setWide(0x00, 0x20, value);
  }
  set inodeBitmap(value: number) {
    this.#setWide(0x04, 0x24, value);
  }
  set inodeTable(value: number) {
    this.#setWide(0x08, 0x28, value);
  }
  set freeBlocksCount(value: number) {
    this.#setHalves(0x0c, 0x2c, value);
  }
  set freeInodesCount(value: number) {
    this.#setHalves(0x0e, 0x2e, value);
  }
  set usedDirsCount(value: number) {
    this.#setHalves(0x10, 0x30, value);
  }
  set flags(value: number) {
    this.setU16(0x12, value);
  }
  set blockBitmapChecksum(value: number) {
    this.#setHalves(0x18, 0x38, value);
  }
  set inodeBitmapChecksum(value: number) {
    this.#setHalves(0x1a, 0x3a, value);
  }
  /** Inodes at the end of the table that were never used. */
  set inodeTableUnused(value: number) {
    this.#setHalves(0x1c, 0x32, value);
  }

  #setWide(low: number, high: number, value: number): void {
    this.setU32(low, value % 0x1_0000_0000);
    this.setU32(high, Math.floor(value / 0x1_0000_0000));
  }
  #setHalves(low: number, high: number, value: number): void {
    this.setU16(low, value & 0xffff);
    this.setU16(high, value >>> 16);
  }

  /** With metadata_csum; to be called last. */
  setChecksum(group: number, seed: number): void {
    this.setU16(0x1e, this.#crc32c(group, seed) & 0xffff);
  }

  /** True where the file system keeps no checksums of its descriptors. */
  checksumFits(group: number, superBlock: SuperBlock): boolean {
    if (superBlock.hasRoCompat(RO_COMPAT.METADATA_CSUM)) {
      return (this.#crc32c(group, superBlock.checksumSeed) & 0xffff) === this.checksum;
    }
    if (!superBlock.hasRoCompat(RO_COMPAT.GDT_CSUM)) return true;
    const { number, head, tail } = this.#checked(group);
    return crc16(crc16(crc16(crc16(0xffff, superBlock.uuidBytes), number), head), tail) === this.checksum;
  }

  #crc32c(group: number, seed: number): number {
    const { number, head, tail } = this.#checked(group);
    return crc32c(crc32c(crc32c(crc32c(seed, number), head), new Uint8Array(2)), tail);
  }

  /** What the checksum covers: all but itself. */
  #checked(group: number): { readonly number: Uint8Array; readonly head: Uint8Array; readonly tail: Uint8Array } {
    const number = Buffer.alloc(4);
    number.writeUInt32LE(group);
    return { number, head: this.bytes(0, 0x1e), tail: this.bytes(0x20, this.#size - 0x20) };
  }
}

/** CRC-16 of the kernel's lib/crc16: polynomial 0x8005, reflected. */
function crc16(seed: number, bytes: Uint8Array): number {
  let crc = seed;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xa001 : crc >>> 1;
  }
  return crc;
}

/** Byte offset of the descriptor of `group` in the table that follows the superblock at block `superBlockAt`. */
export function descriptorOffset(group: number, superBlock: SuperBlock, superBlockAt: number): number {
  const { blockSize, descSize } = superBlock;
  const at = (group % Math.floor(blockSize / descSize)) * descSize;
  return descriptorBlock(group, superBlock, superBlockAt) * blockSize + at;
}

/**
 * The block that holds the descriptor of `group`. The table follows the superblock (at block `superBlockAt`); with meta_bg
 * it is spread over the groups from descriptor block firstMetaBg on.
 */
function descriptorBlock(group: number, superBlock: SuperBlock, superBlockAt: number): number {
  const perBlock = Math.floor(superBlock.blockSize / superBlock.descSize);
  const index = Math.floor(group / perBlock);
  if (!superBlock.hasIncompat(INCOMPAT.META_BG) || index < superBlock.firstMetaBg) return superBlockAt + 1 + index;
  const first = index * perBlock;
  let copies = superBlock.hasSuper(first) ? 1 : 0;
  if (superBlock.blockSize === 1024 && index === 0 && superBlock.firstDataBlock === 0) copies++;
  return superBlock.firstDataBlock + first * superBlock.blocksPerGroup + copies;
}
