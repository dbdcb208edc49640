import { LittleEndianView } from "../../bytes/view.ts";
import { CHECKSUMS, checksumFits } from "./checksum.ts";
import { superBlockDamaged } from "./errors.ts";

/** Incompatible features. */
export const INCOMPAT = {
  MIXED_BACKREF: 0x1,
  DEFAULT_SUBVOL: 0x2,
  MIXED_GROUPS: 0x4,
  COMPRESS_LZO: 0x8,
  COMPRESS_ZSTD: 0x10,
  BIG_METADATA: 0x20,
  EXTENDED_IREF: 0x40,
  RAID56: 0x80,
  SKINNY_METADATA: 0x100,
  NO_HOLES: 0x200,
  METADATA_UUID: 0x400,
  RAID1C34: 0x800,
  ZONED: 0x1000,
  EXTENT_TREE_V2: 0x2000,
  RAID_STRIPE_TREE: 0x4000,
  SIMPLE_QUOTA: 0x10000,
  REMAP_TREE: 0x20000,
} as const;

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(INCOMPAT).map(([name, bit]) => [bit, name.toLowerCase().replaceAll("_", "-")]),
);

/** Names of the set bits, in hex where a bit has none. `high` holds the upper 32. */
export function featureNames(low: number, high: number): string[] {
  const names: string[] = [];
  for (let bit = 0; bit < 64; bit++) {
    const word = bit < 32 ? low : high;
    if ((word & (1 << (bit % 32))) === 0) continue;
    names.push((bit < 32 ? NAMES.get(2 ** bit) : undefined) ?? `0x${(2n ** BigInt(bit)).toString(16)}`);
  }
  return names;
}

/** struct btrfs_super_block. */
export class SuperBlock extends LittleEndianView {
  static readonly SIZE = 0x1000;
  /** Where its copies stand. */
  static readonly OFFSETS: readonly number[] = [64 << 10, 64 << 20, 256 * 2 ** 30];
  static readonly MAGIC = "_BHRfS_M";
  static readonly #MOST_LEVEL = 7;
  static readonly #SYS_CHUNK_ARRAY_MOST = 0x800;

  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    super(bytes, 0, SuperBlock.SIZE);
    this.#bytes = bytes;
  }

  get fsid(): string {
    return hex(this.bytes(0x20, 16));
  }
  get bytenr(): number {
    return this.u64(0x30);
  }
  get hasMagic(): boolean {
    return Buffer.from(this.bytes(0x40, 8)).toString("latin1") === SuperBlock.MAGIC;
  }
  get generation(): number {
    return this.u64(0x48);
  }
  get root(): number {
    return this.u64(0x50);
  }
  get chunkRoot(): number {
    return this.u64(0x58);
  }
  get logRoot(): number {
    return this.u64(0x60);
  }
  get totalBytes(): number {
    return this.u64(0x70);
  }
  get bytesUsed(): number {
    return this.u64(0x78);
  }
  get rootDirObjectid(): number {
    return this.u64(0x80);
  }
  get numDevices(): number {
    return this.u64(0x88);
  }
  get sectorSize(): number {
    return this.u32(0x90);
  }
  get nodeSize(): number {
    return this.u32(0x94);
  }
  get sysChunkArraySize(): number {
    return this.u32(0xa0);
  }
  get chunkRootGeneration(): number {
    return this.u64(0xa4);
  }
  get incompatLow(): number {
    return this.u32(0xbc);
  }
  get incompatHigh(): number {
    return this.u32(0xc0);
  }
  get csumType(): number {
    return this.u16(0xc4);
  }
  get rootLevel(): number {
    return this.u8(0xc6);
  }
  get chunkRootLevel(): number {
    return this.u8(0xc7);
  }
  get logRootLevel(): number {
    return this.u8(0xc8);
  }
  get devid(): number {
    return this.u64(0xc9);
  }
  get label(): string {
    const bytes = this.bytes(0x12b, 256);
    const end = bytes.indexOf(0);
    return Buffer.from(bytes.subarray(0, end < 0 ? 256 : end)).toString("utf8");
  }
  get sysChunkArray(): Uint8Array {
    return this.bytes(0x32b, Math.min(this.sysChunkArraySize, SuperBlock.#SYS_CHUNK_ARRAY_MOST));
  }

  hasIncompat(bit: number): boolean {
    return (this.incompatLow & bit) !== 0;
  }

  /** What the headers of nodes carry: the uuid at the time of mkfs. */
  get metadataUuid(): string {
    return this.hasIncompat(INCOMPAT.METADATA_UUID) ? hex(this.bytes(0x23b, 16)) : this.fsid;
  }

  get uuid(): string {
    return this.fsid.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
  }

  get checksumFits(): boolean {
    return checksumFits(this.csumType, this.#bytes);
  }

  /** Throws CorruptError BTRFS_SUPERBLOCK unless sizes, levels and addresses make sense. */
  check(file: string, offset: number): void {
    const refuse = (what: string) => superBlockDamaged(what, file, offset);
    if (!this.hasMagic) throw refuse("there is no magic number");
    if (CHECKSUMS[this.csumType] === undefined) throw refuse(`the checksum type ${this.csumType} is unknown`);
    if (!this.checksumFits) throw refuse("its checksum is wrong");
    if (this.bytenr !== offset) throw refuse(`it belongs at 0x${this.bytenr.toString(16)}`);
    const { sectorSize, nodeSize } = this;
    if (!isPower(sectorSize, 512, 65536)) throw refuse(`a sector has ${sectorSize} bytes`);
    if (!isPower(nodeSize, 4096, 65536)) throw refuse(`a node has ${nodeSize} bytes`);
    if (nodeSize < sectorSize) throw refuse(`a node has ${nodeSize} bytes, less than a sector's ${sectorSize}`);
    if (Math.max(this.rootLevel, this.chunkRootLevel, this.logRootLevel) > SuperBlock.#MOST_LEVEL) {
      throw refuse(`trees have ${this.rootLevel}, ${this.chunkRootLevel} and ${this.logRootLevel} levels`);
    }
    if (this.sysChunkArraySize === 0 || this.sysChunkArraySize > SuperBlock.#SYS_CHUNK_ARRAY_MOST) {
      throw refuse(`the array of system chunks has ${this.sysChunkArraySize} bytes`);
    }
  }
}

function isPower(value: number, least: number, most: number): boolean {
  return value >= least && value <= most && (value & (value - 1)) === 0;
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex");
}
