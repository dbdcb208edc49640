import type { Timestamp } from "../../bytes/entry.ts";
import { LittleEndianView } from "../../bytes/view.ts";
import { attributeDamaged } from "./errors.ts";

/** Types of attributes that are read. */
export const ATTRIBUTE = {
  STANDARD_INFORMATION: 0x10,
  LIST: 0x20,
  FILE_NAME: 0x30,
  VOLUME_NAME: 0x60,
  VOLUME_INFORMATION: 0x70,
  DATA: 0x80,
  INDEX_ROOT: 0x90,
  INDEX_ALLOCATION: 0xa0,
  BITMAP: 0xb0,
  REPARSE_POINT: 0xc0,
} as const;

const END = 0xffffffff;
const RECORD_FLAG = { IN_USE: 0x1, DIRECTORY: 0x2 } as const;
const ATTRIBUTE_FLAG = { COMPRESSION: 0x00ff, ENCRYPTED: 0x4000 } as const;

/** A file record's number, and how often the record had been used again when the reference was made. */
export interface Reference {
  readonly number: number;
  readonly sequence: number;
}

/** Little-endian records with references in them. */
abstract class ReferringView extends LittleEndianView {
  reference(at: number): Reference {
    return { number: this.u32(at) + this.u16(at + 4) * 0x1_0000_0000, sequence: this.u16(at + 6) };
  }
}

/** A file record, whose bytes have been put right. */
export class FileRecord extends ReferringView {
  readonly number: number;
  readonly #bytes: Uint8Array;
  readonly #file: string;

  constructor(bytes: Uint8Array, number: number, file: string) {
    super(bytes, 0, bytes.length);
    this.number = number;
    this.#bytes = bytes;
    this.#file = file;
  }

  get sequenceNumber(): number {
    return this.u16(0x10);
  }
  get firstAttribute(): number {
    return this.u16(0x14);
  }
  get isInUse(): boolean {
    return (this.u16(0x16) & RECORD_FLAG.IN_USE) !== 0;
  }
  get isDirectory(): boolean {
    return (this.u16(0x16) & RECORD_FLAG.DIRECTORY) !== 0;
  }
  get bytesInUse(): number {
    return this.u32(0x18);
  }
  /** Of an extension record: the record that it belongs to. Number 0 in others. */
  get base(): Reference {
    return this.reference(0x20);
  }

  /** Throws CorruptError NTFS_ATTRIBUTE where they do not fit. */
  attributes(): Attribute[] {
    const found: Attribute[] = [];
    const end = Math.min(this.bytesInUse, this.#bytes.length);
    for (let at = this.firstAttribute; at + 4 <= end && this.u32(at) !== END; ) {
      const length = at + 8 <= end ? this.u32(at + 4) : 0;
      if (length < Attribute.LEAST || length % 8 !== 0 || at + length > end) {
        throw attributeDamaged(this.number, `an attribute has ${length} bytes at 0x${at.toString(16)}`, this.#file);
      }
      found.push(new Attribute(this.#bytes, at, length, this.number, this.#file));
      at += length;
    }
    return found;
  }
}

/** One attribute of a file, or a part of it. */
export class Attribute extends LittleEndianView {
  /** Of a resident one without name and value. */
  static readonly LEAST = 0x18;
  static readonly #LEAST_NON_RESIDENT = 0x40;
  readonly #length: number;
  readonly #record: number;
  readonly #file: string;

  constructor(bytes: Uint8Array, offset: number, length: number, record: number, file: string) {
    super(bytes, offset, length);
    this.#length = length;
    this.#record = record;
    this.#file = file;
    if (this.isResident || length >= Attribute.#LEAST_NON_RESIDENT) return;
    throw attributeDamaged(record, `a non-resident attribute has ${length} bytes`, file);
  }

  get type(): number {
    return this.u32(0x00);
  }
  get isResident(): boolean {
    return this.u8(0x08) === 0;
  }
  get name(): string {
    const length = this.u8(0x09) * 2;
    if (length === 0) return "";
    const bytes = this.#part(this.u16(0x0a), length, "name");
    return Buffer.from(bytes.buffer, bytes.byteOffset, length).toString("utf16le");
  }
  /** 0 is none, 1 is LZNT1. */
  get compression(): number {
    return this.u16(0x0c) & ATTRIBUTE_FLAG.COMPRESSION;
  }
  get isEncrypted(): boolean {
    return (this.u16(0x0c) & ATTRIBUTE_FLAG.ENCRYPTED) !== 0;
  }

  /** What a resident attribute holds. */
  get value(): Uint8Array {
    return this.#part(this.u16(0x14), this.u32(0x10), "value");
  }

  /** The cluster of the attribute with which this part begins. */
  get lowestVcn(): number {
    return this.isResident ? 0 : this.u64(0x10);
  }
  get mappingPairs(): Uint8Array {
    const offset = this.u16(0x20);
    return this.#part(offset, Math.max(0, this.#length - offset), "list of runs");
  }
  /** A power of two of clusters; 0 where nothing is compressed. */
  get compressionUnit(): number {
    return this.u8(0x22);
  }
  /** Bytes; recorded in the first part only. */
  get dataSize(): number {
    return this.u64(0x30);
  }
  /** Bytes, beyond which everything reads as zero. */
  get initializedSize(): number {
    return this.u64(0x38);
  }

  #part(offset: number, length: number, what: string): Uint8Array {
    if (offset + length <= this.#length) return this.bytes(offset, length);
    const place = `${length} bytes at 0x${offset.toString(16)}`;
    throw attributeDamaged(this.#record, `the ${what} of an attribute lies outside of it: ${place}`, this.#file);
  }
}

/** An entry of an attribute list: where a part of an attribute stands. */
export class AttributeListEntry extends ReferringView {
  static readonly LEAST = 0x1a;

  constructor(bytes: Uint8Array, offset: number) {
    super(bytes, offset, AttributeListEntry.LEAST);
  }

  get type(): number {
    return this.u32(0x00);
  }
  get length(): number {
    return this.u16(0x04);
  }
  get nameLength(): number {
    return this.u8(0x06);
  }
  get lowestVcn(): number {
    return this.u64(0x08);
  }
  get record(): number {
    return this.reference(0x10).number;
  }
}

/** The entries of an attribute list's value. */
export function* listEntries(value: Uint8Array, record: number, file: string): Iterable<AttributeListEntry> {
  for (let at = 0; at + AttributeListEntry.LEAST <= value.length; ) {
    const entry = new AttributeListEntry(value, at);
    if (entry.length < AttributeListEntry.LEAST) {
      throw attributeDamaged(record, `an entry of its attribute list has ${entry.length} bytes`, file);
    }
    yield entry;
    at += entry.length;
  }
}

/** Bits of FileAttributes. */
const FILE_ATTRIBUTE = {
  SYSTEM: 0x4,
  OFFLINE: 0x1000,
  RECALL_ON_OPEN: 0x40000,
  RECALL_ON_DATA_ACCESS: 0x400000,
} as const;

/** $STANDARD_INFORMATION. */
export class StandardInformation extends LittleEndianView {
  static readonly LEAST = 0x30;

  constructor(bytes: Uint8Array) {
    super(bytes, 0, StandardInformation.LEAST);
  }

  get modified(): Timestamp {
    return timestamp(this.data.getBigInt64(0x08, true));
  }
  get isSystem(): boolean {
    return (this.u32(0x20) & FILE_ATTRIBUTE.SYSTEM) !== 0;
  }
  /** What the file holds is elsewhere and would have to be fetched. */
  get isRemote(): boolean {
    const { OFFLINE, RECALL_ON_OPEN, RECALL_ON_DATA_ACCESS } = FILE_ATTRIBUTE;
    return (this.u32(0x20) & (OFFLINE | RECALL_ON_OPEN | RECALL_ON_DATA_ACCESS)) !== 0;
  }
}

/** Seconds from 1601 to 1970. */
const EPOCH = 11_644_473_600;
const TICKS = 10_000_000n;

/** From 100 ns since 1601. */
function timestamp(ticks: bigint): Timestamp {
  const rest = ((ticks % TICKS) + TICKS) % TICKS;
  return { seconds: Number((ticks - rest) / TICKS) - EPOCH, nanoseconds: Number(rest) * 100 };
}

const DOS_NAMESPACE = 2;

/** $FILE_NAME, as an attribute and as the key of an index. */
export class FileName extends ReferringView {
  static readonly LEAST = 0x42;

  constructor(bytes: Uint8Array) {
    super(bytes, 0, bytes.length);
  }

  /** A short name that stands beside a long one. */
  get isDosOnly(): boolean {
    return this.u8(0x41) === DOS_NAMESPACE;
  }
  /** UTF-16; undefined where it does not fit. */
  get name(): Uint8Array | undefined {
    const length = this.u8(0x40) * 2;
    return FileName.LEAST + length <= this.data.byteLength ? this.bytes(FileName.LEAST, length) : undefined;
  }
}
