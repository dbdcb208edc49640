import { LittleEndianView } from "../../bytes/view.ts";
import { compressionUnknown, flagsUnknown, geometryDamaged, newlinesDamaged, versionUnknown } from "./errors.ts";

export const SECTOR = 512;

/** Says that the grain directory lies at the end of a stream, and that a footer tells where. */
const GD_AT_END = Number.MAX_SAFE_INTEGER;

const FLAGS = {
  VALID_NEWLINES: 0x1,
  REDUNDANT_DIRECTORY: 0x2,
  ZEROED_GRAINS: 0x4,
  COMPRESSED: 0x10000,
  MARKERS: 0x20000,
} as const;

const KNOWN_HIGH_FLAGS = FLAGS.COMPRESSED | FLAGS.MARKERS;
const NEWLINES = 0x0a0d200a;
const COMPRESSION_DEFLATE = 1;
const MOST_GRAIN_SECTORS = 0x200000;
const MOST_TABLE_ENTRIES = 512;
/** A compressed grain is held in memory whole; products write 128 sectors. */
const MOST_COMPRESSED_GRAIN_SECTORS = 8192;

/** The sizes that every product writes. */
export const STREAM = { GRAIN_SECTORS: 128, TABLE_ENTRIES: 512 } as const;

/** Sparse extent header, VMware Virtual Disk Format 5.0; also the footer of a stream. */
export class SparseHeader extends LittleEndianView {
  static readonly SIZE = SECTOR;
  static readonly MAGIC = "KDMV";

  constructor(bytes: Uint8Array, offset = 0) {
    super(bytes, offset, SparseHeader.SIZE);
  }

  get magic(): string {
    return this.text(0x00, 4);
  }
  get version(): number {
    return this.u32(0x04);
  }
  set version(value: number) {
    this.setU32(0x04, value);
  }
  get flags(): number {
    return this.u32(0x08);
  }
  set flags(value: number) {
    this.setU32(0x08, value);
  }
  /** Sectors. */
  get capacity(): number {
    return this.u64(0x0c);
  }
  set capacity(value: number) {
    this.setU64(0x0c, value);
  }
  /** Sectors. */
  get grainSize(): number {
    return this.u64(0x14);
  }
  set grainSize(value: number) {
    this.setU64(0x14, value);
  }
  /** Sectors; 0 without a descriptor. */
  get descriptorOffset(): number {
    return this.u64(0x1c);
  }
  set descriptorOffset(value: number) {
    this.setU64(0x1c, value);
  }
  /** Sectors. */
  get descriptorSize(): number {
    return this.u64(0x24);
  }
  set descriptorSize(value: number) {
    this.setU64(0x24, value);
  }
  get numGTEsPerGT(): number {
    return this.u32(0x2c);
  }
  set numGTEsPerGT(value: number) {
    this.setU32(0x2c, value);
  }
  /** Sectors; GD_AT_END as in `gdOffset`. */
  get rgdOffset(): number {
    return this.#sectorOrEnd(0x30);
  }
  /** Sectors. */
  get gdOffset(): number {
    return this.#sectorOrEnd(0x38);
  }
  set gdOffset(value: number) {
    if (value === GD_AT_END) this.bytes(0x38, 8).fill(0xff);
    else this.setU64(0x38, value);
  }
  /** Sectors: where the first grain may lie. */
  get overhead(): number {
    return this.u64(0x40);
  }
  set overhead(value: number) {
    this.setU64(0x40, value);
  }
  get uncleanShutdown(): boolean {
    return this.u8(0x48) !== 0;
  }
  get newlines(): number {
    return this.u32(0x49);
  }
  set newlines(value: number) {
    this.setU32(0x49, value);
  }
  get compressAlgorithm(): number {
    return this.u16(0x4d);
  }
  set compressAlgorithm(value: number) {
    this.setU16(0x4d, value);
  }

  get directoryAtEnd(): boolean {
    return this.gdOffset === GD_AT_END;
  }
  get hasRedundantDirectory(): boolean {
    return (this.flags & FLAGS.REDUNDANT_DIRECTORY) !== 0 && this.rgdOffset !== 0 && this.rgdOffset !== GD_AT_END;
  }
  get hasZeroedGrains(): boolean {
    return (this.flags & FLAGS.ZEROED_GRAINS) !== 0;
  }
  get compressed(): boolean {
    return this.compressAlgorithm === COMPRESSION_DEFLATE;
  }
  get hasMarkers(): boolean {
    return (this.flags & FLAGS.MARKERS) !== 0;
  }

  /**
   * Makes this the header of a compressed stream as VMware and VirtualBox write it, or, with the place of its directory, the
   * footer. All in sectors.
   */
  describeStream(fields: { capacity: number; descriptorSize: number; overhead: number; gdOffset?: number }): void {
    this.bytes(0x00, 4).set(Buffer.from(SparseHeader.MAGIC, "latin1"));
    this.version = 3;
    this.flags = FLAGS.VALID_NEWLINES | FLAGS.COMPRESSED | FLAGS.MARKERS;
    this.capacity = fields.capacity;
    this.grainSize = STREAM.GRAIN_SECTORS;
    this.descriptorOffset = 1;
    this.descriptorSize = fields.descriptorSize;
    this.numGTEsPerGT = STREAM.TABLE_ENTRIES;
    this.gdOffset = fields.gdOffset ?? GD_AT_END;
    this.overhead = fields.overhead;
    this.newlines = NEWLINES;
    this.compressAlgorithm = COMPRESSION_DEFLATE;
  }

  /** Of the disk that the header describes, in grain directory entries. */
  get directoryEntries(): number {
    return Math.ceil(this.capacity / (this.grainSize * this.numGTEsPerGT));
  }

  /** -1 has no place in a number that counts sectors, so it becomes GD_AT_END. */
  #sectorOrEnd(at: number): number {
    return this.u32(at) === 0xffffffff && this.u32(at + 4) === 0xffffffff ? GD_AT_END : this.u64(at);
  }
}

/** Refuses headers that are damaged or of a kind that is not read. Places (offsets of tables) are checked where they are used. */
export function checkHeader(header: SparseHeader, file: string): void {
  if (header.version < 1 || header.version > 3) throw versionUnknown(file, header.version);
  if ((header.flags & FLAGS.VALID_NEWLINES) !== 0 && header.newlines !== NEWLINES) throw newlinesDamaged(file);
  const high = (header.flags & 0xffff0000) >>> 0;
  if ((high & ~KNOWN_HIGH_FLAGS) !== 0) throw flagsUnknown(file, header.flags);
  const algorithm = header.compressAlgorithm;
  if (algorithm > COMPRESSION_DEFLATE) throw compressionUnknown(file, `compression method ${algorithm}`);
  if (!header.compressed && (header.flags & FLAGS.COMPRESSED) !== 0) {
    throw compressionUnknown(file, "compressed grains without a method");
  }
  const most = header.compressed ? MOST_COMPRESSED_GRAIN_SECTORS : MOST_GRAIN_SECTORS;
  if (!isPowerOfTwo(header.grainSize) || header.grainSize < 8 || header.grainSize > most) {
    throw geometryDamaged(file, `a grain of ${header.grainSize} sectors`);
  }
  if (!isPowerOfTwo(header.numGTEsPerGT) || header.numGTEsPerGT > MOST_TABLE_ENTRIES) {
    throw geometryDamaged(file, `${header.numGTEsPerGT} entries in a grain table`);
  }
  if (!Number.isSafeInteger(header.capacity * SECTOR)) {
    throw geometryDamaged(file, `a capacity of ${header.capacity} sectors`);
  }
}

function isPowerOfTwo(value: number): boolean {
  return value > 0 && Number.isInteger(Math.log2(value));
}
