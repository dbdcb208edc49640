import { crc32c } from "../../bytes/crc32c.ts";
import { LittleEndianView } from "../../bytes/view.ts";
import { INCOMPAT, RO_COMPAT, type SuperBlock } from "./super-block.ts";

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

  /** True where the file system keeps no checksums of its descriptors. */
  checksumFits(group: number, superBlock: SuperBlock): boolean {
    const number = Buffer.alloc(4);
    number.writeUInt32LE(group);
    const head = this.bytes(0, 0x1e);
    const tail = this.bytes(0x20, this.#size - 0x20);
    if (superBlock.hasRoCompat(RO_COMPAT.METADATA_CSUM)) {
      const seed = crc32c(crc32c(superBlock.checksumSeed, number), head);
      return (crc32c(crc32c(seed, new Uint8Array(2)), tail) & 0xffff) === this.checksum;
    }
    if (!superBlock.hasRoCompat(RO_COMPAT.GDT_CSUM)) return true;
    return crc16(crc16(crc16(crc16(0xffff, superBlock.uuidBytes), number), head), tail) === this.checksum;
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

/**
 * The block that holds the descriptor of `group`. The table follows the superblock (at block `superBlockAt`); with meta_bg
 * it is spread over the groups from descriptor block firstMetaBg on.
 */
export function descriptorBlock(group: number, superBlock: SuperBlock, superBlockAt: number): number {
  const perBlock = Math.floor(superBlock.blockSize / superBlock.descSize);
  const index = Math.floor(group / perBlock);
  if (!superBlock.hasIncompat(INCOMPAT.META_BG) || index < superBlock.firstMetaBg) return superBlockAt + 1 + index;
  const first = index * perBlock;
  let copies = superBlock.hasSuper(first) ? 1 : 0;
  if (superBlock.blockSize === 1024 && index === 0 && superBlock.firstDataBlock === 0) copies++;
  return superBlock.firstDataBlock + first * superBlock.blocksPerGroup + copies;
}
