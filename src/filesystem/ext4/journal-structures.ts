import { crc32c } from "../../bytes/crc32c.ts";
import { BigEndianView } from "../../bytes/view.ts";

export const JBD2_MAGIC = 0xc03b3998;

export const BLOCK_TYPE = { DESCRIPTOR: 1, COMMIT: 2, SUPERBLOCK_V1: 3, SUPERBLOCK_V2: 4, REVOKE: 5 } as const;

export const JOURNAL_INCOMPAT = {
  REVOKE: 0x1,
  "64BIT": 0x2,
  ASYNC_COMMIT: 0x4,
  CSUM_V2: 0x8,
  CSUM_V3: 0x10,
  FAST_COMMIT: 0x20,
} as const;

const TAG_FLAG = { ESCAPE: 0x1, SAME_UUID: 0x2, LAST: 0x8 } as const;
const UUID_LENGTH = 16;
const TAIL_LENGTH = 4;
const DEFAULT_FAST_COMMIT_BLOCKS = 256;

/** journal_header_t, the start of every block of metadata in the log. */
export class JournalHeader extends BigEndianView {
  static readonly SIZE: number = 0x0c;

  constructor(bytes: Uint8Array, length = JournalHeader.SIZE) {
    super(bytes, 0, length);
  }

  get magic(): number {
    return this.u32(0x00);
  }
  set magic(value: number) {
    this.setU32(0x00, value);
  }
  get blockType(): number {
    return this.u32(0x04);
  }
  set blockType(value: number) {
    this.setU32(0x04, value);
  }
  get sequence(): number {
    return this.u32(0x08);
  }
}

/** journal_superblock_t. */
export class JournalSuperBlock extends JournalHeader {
  static override readonly SIZE: number = 0x400;

  constructor(bytes: Uint8Array) {
    super(bytes, JournalSuperBlock.SIZE);
  }

  get blockSize(): number {
    return this.u32(0x0c);
  }
  set blockSize(value: number) {
    this.setU32(0x0c, value);
  }
  get maxLen(): number {
    return this.u32(0x10);
  }
  set maxLen(value: number) {
    this.setU32(0x10, value);
  }
  get first(): number {
    return this.u32(0x14);
  }
  set first(value: number) {
    this.setU32(0x14, value);
  }
  /** First commit expected in the log. */
  get firstSequence(): number {
    return this.u32(0x18);
  }
  set firstSequence(value: number) {
    this.setU32(0x18, value);
  }
  /** Block where the log starts; 0 when it is empty. */
  get start(): number {
    return this.u32(0x1c);
  }
  get featureIncompat(): number {
    return this.blockType === BLOCK_TYPE.SUPERBLOCK_V2 ? this.u32(0x28) : 0;
  }
  get uuid(): Uint8Array {
    return this.bytes(0x30, UUID_LENGTH);
  }
  set uuid(value: Uint8Array) {
    this.bytes(0x30, UUID_LENGTH).set(value);
  }
  /** File systems that share the log. */
  set users(value: number) {
    this.setU32(0x40, value);
  }
  get fastCommitBlocks(): number {
    return this.hasIncompat(JOURNAL_INCOMPAT.FAST_COMMIT) ? this.u32(0x54) || DEFAULT_FAST_COMMIT_BLOCKS : 0;
  }
  get checksumFits(): boolean {
    return (
      !this.hasChecksums || checksumWithout(0xffffffff, this.bytes(0, JournalSuperBlock.SIZE), 0xfc) === this.u32(0xfc)
    );
  }

  hasIncompat(feature: number): boolean {
    return (this.featureIncompat & feature) !== 0;
  }
  get hasChecksums(): boolean {
    return this.hasIncompat(JOURNAL_INCOMPAT.CSUM_V2 | JOURNAL_INCOMPAT.CSUM_V3);
  }
  get checksumSeed(): number {
    return crc32c(0xffffffff, this.uuid);
  }
}

/** CRC-32C of `bytes` with the four at `at`, where it is kept, taken as zeros. */
function checksumWithout(seed: number, bytes: Uint8Array, at: number): number {
  return crc32c(crc32c(crc32c(seed, bytes.subarray(0, at)), new Uint8Array(4)), bytes.subarray(at + 4));
}

/** Whether the checksum of a block of metadata fits: at its end, or in the header of a commit. */
export function blockChecksumFits(seed: number, block: Uint8Array): boolean {
  const header = new JournalHeader(block);
  const at = header.blockType === BLOCK_TYPE.COMMIT ? 0x10 : block.length - TAIL_LENGTH;
  const stored = new DataView(block.buffer, block.byteOffset, block.length).getUint32(at);
  return checksumWithout(seed, block, at) === stored;
}

/** A block of the file system in the log. */
export interface Tag {
  /** Where it belongs. */
  readonly block: number;
  /** Its first four bytes were the journal's magic, and zeros stand for them. */
  readonly escaped: boolean;
  readonly checksum: number;
}

/** The tags of a descriptor block, in the order in which their blocks follow it; undefined if they leave it. */
export function tagsOf(block: Uint8Array, superBlock: JournalSuperBlock): Tag[] | undefined {
  const view = new DataView(block.buffer, block.byteOffset, block.length);
  const is64Bit = superBlock.hasIncompat(JOURNAL_INCOMPAT["64BIT"]);
  const isV3 = superBlock.hasIncompat(JOURNAL_INCOMPAT.CSUM_V3);
  const old = 12 + (superBlock.hasIncompat(JOURNAL_INCOMPAT.CSUM_V2) ? 2 : 0) - (is64Bit ? 0 : 4);
  const size = isV3 ? 16 : old;
  const end = block.length - (superBlock.hasChecksums ? TAIL_LENGTH : 0);
  const tags: Tag[] = [];
  for (let at = JournalHeader.SIZE; at + size <= end; ) {
    const flags = isV3 ? view.getUint32(at + 4) : view.getUint16(at + 6);
    const high = is64Bit ? view.getUint32(at + 8) : 0;
    const checksum = isV3 ? view.getUint32(at + 12) : view.getUint16(at + 4);
    const escaped = (flags & TAG_FLAG.ESCAPE) !== 0;
    tags.push({ block: high * 0x1_0000_0000 + view.getUint32(at), escaped, checksum });
    at += size + ((flags & TAG_FLAG.SAME_UUID) === 0 ? UUID_LENGTH : 0);
    if ((flags & TAG_FLAG.LAST) !== 0) return tags;
  }
  return tags.length === 0 ? undefined : tags;
}

/** Whether the checksum of a logged block fits; `block` as it stands in the log. */
export function tagChecksumFits(tag: Tag, sequence: number, block: Uint8Array, superBlock: JournalSuperBlock): boolean {
  if (!superBlock.hasChecksums) return true;
  const number = Buffer.alloc(4);
  number.writeUInt32BE(sequence);
  const found = crc32c(crc32c(superBlock.checksumSeed, number), block);
  return superBlock.hasIncompat(JOURNAL_INCOMPAT.CSUM_V3) ? found === tag.checksum : (found & 0xffff) === tag.checksum;
}

/** The block numbers of a revoke block; undefined if its count leaves it. */
export function revokedBlocks(block: Uint8Array, superBlock: JournalSuperBlock): number[] | undefined {
  const view = new DataView(block.buffer, block.byteOffset, block.length);
  const is64Bit = superBlock.hasIncompat(JOURNAL_INCOMPAT["64BIT"]);
  const used = view.getUint32(JournalHeader.SIZE);
  if (used > block.length - (superBlock.hasChecksums ? TAIL_LENGTH : 0)) return undefined;
  const blocks: number[] = [];
  for (let at = 16; at + (is64Bit ? 8 : 4) <= used; at += is64Bit ? 8 : 4) {
    blocks.push(is64Bit ? view.getUint32(at) * 0x1_0000_0000 + view.getUint32(at + 4) : view.getUint32(at));
  }
  return blocks;
}
