import { crc32c } from "../../bytes/crc32c.ts";
import { BigEndianView } from "../../bytes/view.ts";

/** All of a log is counted in these, whatever the sectors. */
export const LOG_BLOCK = 512;
const VERSION_2 = 2;
/** Data for which one block of the header has room to keep first words (XLOG_HEADER_CYCLE_SIZE). */
const HEADER_COVERS = 32768;
/** XLOG_MAX_RECORD_BSIZE. */
const MAX_RECORD = 256 << 10;
const WORDS = HEADER_COVERS / LOG_BLOCK;
/** sizeof(struct xlog_rec_header), whose checksum covers padding to 8 bytes except on 32-bit x86. */
const HEADER_SIZES = [0x148, 0x144] as const;
const EXTENDED_HEADER_SIZE = 4 + WORDS * 4;
const CHECKSUM_AT = 0x20;
const NO_CHECKSUM = new Uint8Array(4);
const UNMOUNT_FLAG = 0x20;

/** A place in the log: how often it was written around, and a block. */
export interface LogSequenceNumber {
  readonly cycle: number;
  readonly block: number;
}

/** struct xlog_rec_header, the block in front of each record. */
export class RecordHeader extends BigEndianView {
  static readonly MAGIC = 0xfeedbabe;

  constructor(bytes: Uint8Array, at = 0) {
    super(bytes, at, LOG_BLOCK);
  }

  get magicNo(): number {
    return this.u32(0x00);
  }
  get cycle(): number {
    return this.u32(0x04);
  }
  get version(): number {
    return this.u32(0x08);
  }
  /** Bytes of data behind the header. */
  get length(): number {
    return this.u32(0x0c);
  }
  get lsn(): LogSequenceNumber {
    return { cycle: this.u32(0x10), block: this.u32(0x14) };
  }
  get lsnBits(): bigint {
    return this.data.getBigUint64(0x10);
  }
  get tailLsn(): LogSequenceNumber {
    return { cycle: this.u32(0x18), block: this.u32(0x1c) };
  }
  /** Little endian, as all checksums of XFS. */
  get crc(): number {
    return this.data.getUint32(CHECKSUM_AT, true);
  }
  get numLogOps(): number {
    return this.u32(0x28);
  }
  /** The first word of a block of data, in whose place stands the cycle. */
  cycleData(index: number): Uint8Array {
    return this.bytes(0x2c + index * 4, 4);
  }
  get fmt(): number {
    return this.u32(0x12c);
  }
  get fsUuid(): Uint8Array {
    return this.bytes(0x130, 16);
  }
  get maxSize(): number {
    return this.u32(0x140);
  }
  /** Blocks of header: more than one where records may have more than 32 KiB. */
  get headerBlocks(): number {
    if ((this.version & VERSION_2) === 0) return 1;
    return Math.max(1, Math.ceil(this.maxSize / HEADER_COVERS));
  }
  get dataBlocks(): number {
    return Math.ceil(this.length / LOG_BLOCK);
  }
  /** Whether the sizes are ones that a kernel writes. */
  get sizesFit(): boolean {
    return this.length <= MAX_RECORD && this.headerBlocks * HEADER_COVERS <= MAX_RECORD;
  }
}

/** The cycle in which a block of the log was written. */
export function cycleOf(bytes: Uint8Array, at: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at);
  const word = view.getUint32(0);
  return word === RecordHeader.MAGIC ? view.getUint32(4) : word;
}

/** Whether the checksum of a whole record is right; of version 4, only where it has one. */
export function recordChecksumFits(header: RecordHeader, record: Uint8Array, required: boolean): boolean {
  if (header.crc === 0 && !required) return true;
  const { headerBlocks, length } = header;
  return HEADER_SIZES.some((size) => {
    let crc = crc32c(0xffffffff, record.subarray(0, CHECKSUM_AT));
    crc = crc32c(crc, NO_CHECKSUM);
    crc = crc32c(crc, record.subarray(CHECKSUM_AT + 4, size));
    for (let block = 1; block < headerBlocks; block++) {
      crc = crc32c(crc, record.subarray(block * LOG_BLOCK, block * LOG_BLOCK + EXTENDED_HEADER_SIZE));
    }
    const data = headerBlocks * LOG_BLOCK;
    return ~crc32c(crc, record.subarray(data, data + length)) >>> 0 === header.crc;
  });
}

/** The data of a record with the first words of its blocks put back. */
export function recordData(header: RecordHeader, record: Uint8Array): Uint8Array {
  const { headerBlocks, dataBlocks, length } = header;
  const data = Uint8Array.from(record.subarray(headerBlocks * LOG_BLOCK));
  for (let index = 0; index < Math.min(dataBlocks, headerBlocks * WORDS); index++) {
    const block = Math.floor(index / WORDS);
    const at = block * LOG_BLOCK + 4 + (index % WORDS) * 4;
    data.set(block === 0 ? header.cycleData(index) : record.subarray(at, at + 4), index * LOG_BLOCK);
  }
  return data.subarray(0, length);
}

/** Whether the record says that the file system was unmounted: nothing before it needs to be replayed. */
export function isUnmount(header: RecordHeader, record: Uint8Array): boolean {
  const flags = record[header.headerBlocks * LOG_BLOCK + 9] ?? 0;
  return header.numLogOps === 1 && (flags & UNMOUNT_FLAG) !== 0;
}
