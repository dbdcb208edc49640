import type { BytePath } from "../../bytes/byte-path.ts";
import { bytePath } from "../../bytes/byte-path.ts";
import type { Timestamp } from "../../bytes/entry.ts";
import { LittleEndianView } from "../../bytes/view.ts";

/** What an entry stands for. */
export const ATTRIBUTE = { VOLUME_ID: 0x08, DIRECTORY: 0x10, ARCHIVE: 0x20, LONG_NAME: 0x0f } as const;
const LOWER_CASE = { BASE: 0x08, EXTENSION: 0x10 } as const;
const END = 0x00;
const DELETED = 0xe5;
const LAST_LONG_ENTRY = 0x40;
/** 255 UTF-16 units, 13 in each entry. */
const MOST_LONG_ENTRIES = 20;

/** A short directory entry (FAT specification, section 6). */
export class ShortEntry extends LittleEndianView {
  static readonly SIZE = 0x20;

  constructor(bytes: Uint8Array, offset = 0) {
    super(bytes, offset, ShortEntry.SIZE);
  }

  get rawName(): Uint8Array {
    return this.bytes(0x00, 11);
  }
  set rawName(value: Uint8Array) {
    this.bytes(0x00, 11).set(value);
  }
  get attributes(): number {
    return this.u8(0x0b);
  }
  set attributes(value: number) {
    this.setU8(0x0b, value);
  }
  /** Windows NT's flags for names that are in lower case altogether. */
  get caseFlags(): number {
    return this.u8(0x0c);
  }
  get firstCluster16(): number {
    return this.u16(0x1a);
  }
  get firstCluster32(): number {
    return (this.u16(0x14) * 0x10000 + this.u16(0x1a)) % 0x10000000;
  }
  set firstCluster32(value: number) {
    this.setU16(0x14, value >>> 16);
    this.setU16(0x1a, value & 0xffff);
  }
  get size(): number {
    return this.u32(0x1c);
  }
  set size(value: number) {
    this.setU32(0x1c, value);
  }
  get isDirectory(): boolean {
    return (this.attributes & ATTRIBUTE.DIRECTORY) !== 0;
  }
  /** The days since 1980 that FAT can say, at midnight. */
  set date(value: Date) {
    const date = ((value.getUTCFullYear() - 1980) << 9) | ((value.getUTCMonth() + 1) << 5) | value.getUTCDate();
    for (const at of [0x10, 0x12, 0x18]) this.setU16(at, date);
  }
  /** `mtime` as if the clock had run in UTC; FAT does not know a zone. Months and days of 0 count as 1, as in Linux. */
  get mtime(): Timestamp {
    const time = this.u16(0x16);
    const date = this.u16(0x18);
    const month = Math.max(1, (date >> 5) & 0xf) - 1;
    const day = Math.max(1, date & 0x1f);
    const milliseconds = Date.UTC(1980 + (date >> 9), month, day, time >> 11, (time >> 5) & 0x3f, (time & 0x1f) * 2);
    return { seconds: milliseconds / 1000, nanoseconds: 0 };
  }

  /** What the long entries in front of this one carry, so that strays are found. */
  get checksum(): number {
    return this.rawName.reduce((sum, byte) => (((sum & 1) << 7) + (sum >> 1) + byte) & 0xff, 0);
  }

  /** The name in 8.3 form. Bytes above 0x7f belong to a code page that is not recorded: they are kept. */
  get shortName(): BytePath {
    const raw = this.#unescaped;
    const base = raw.toString("latin1", 0, 8).replace(/ +$/, "");
    const extension = raw.toString("latin1", 8, 11).replace(/ +$/, "");
    const shownBase = this.caseFlags & LOWER_CASE.BASE ? lower(base) : base;
    const shownExtension = this.caseFlags & LOWER_CASE.EXTENSION ? lower(extension) : extension;
    return extension === "" ? shownBase : `${shownBase}.${shownExtension}`;
  }

  /** 0x05 stands for 0xe5, which would mean a deleted entry. */
  get #unescaped(): Buffer {
    const raw = Buffer.from(this.rawName);
    if (raw[0] === 0x05) raw[0] = DELETED;
    return raw;
  }

  /** A label is padded with blanks; it has no dot. */
  get label(): string {
    return this.#unescaped.toString("latin1").replace(/ +$/, "");
  }
}

/** ASCII only: the other bytes of a path may be parts of UTF-8 characters. */
export function lower(name: BytePath): BytePath {
  return name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

/** One part of a long name; the parts stand in front of the short entry, the last one first. */
class LongEntry extends LittleEndianView {
  constructor(bytes: Uint8Array, offset: number) {
    super(bytes, offset, ShortEntry.SIZE);
  }

  get order(): number {
    return this.u8(0x00);
  }
  get checksum(): number {
    return this.u8(0x0d);
  }
  get part(): Uint8Array {
    return Buffer.concat([this.bytes(0x01, 10), this.bytes(0x0e, 12), this.bytes(0x1c, 4)]);
  }
}

/** Parts of a long name as they are met. */
class LongName {
  readonly #parts: Uint8Array[] = [];
  #missing = 0;
  #checksum = 0;

  add(entry: LongEntry): void {
    const number = entry.order & ~LAST_LONG_ENTRY;
    if (entry.order & LAST_LONG_ENTRY) {
      this.#parts.length = 0;
      this.#missing = number <= MOST_LONG_ENTRIES ? number : 0;
      this.#checksum = entry.checksum;
    }
    if (number !== this.#missing || number === 0 || entry.checksum !== this.#checksum) {
      this.drop();
      return;
    }
    this.#parts.unshift(entry.part);
    this.#missing--;
  }

  drop(): void {
    this.#parts.length = 0;
    this.#missing = 0;
  }

  /** The name, if it is whole and belongs to `entry`; then it is gone. */
  take(entry: ShortEntry): BytePath | undefined {
    const isWhole = this.#parts.length > 0 && this.#missing === 0 && this.#checksum === entry.checksum;
    const text = isWhole ? Buffer.concat(this.#parts).toString("utf16le") : undefined;
    this.drop();
    if (text === undefined) return undefined;
    const end = text.indexOf("\0");
    return bytePath(end < 0 ? text : text.slice(0, end));
  }
}

/** A name in a directory. */
export interface DirectoryRecord {
  readonly name: BytePath;
  /** By which the file can be found as well; the same as `name` where there is no long one. */
  readonly shortName: BytePath;
  /** Where its short entry stands in the directory, in bytes. */
  readonly position: number;
  readonly entry: ShortEntry;
}

/** What a directory holds, without `.` and `..`, in the order of the disk. A long name whose short one changed is dropped. */
export function* records(directory: Uint8Array): Iterable<DirectoryRecord> {
  const longName = new LongName();
  for (let position = 0; position + ShortEntry.SIZE <= directory.length; position += ShortEntry.SIZE) {
    const first = directory[position];
    if (first === END) return;
    const entry = new ShortEntry(directory, position);
    if (first === DELETED) longName.drop();
    else if ((entry.attributes & 0x3f) === ATTRIBUTE.LONG_NAME) longName.add(new LongEntry(directory, position));
    else if (entry.attributes & ATTRIBUTE.VOLUME_ID) longName.drop();
    else {
      const { shortName } = entry;
      const name = longName.take(entry) ?? shortName;
      if (shortName !== "." && shortName !== "..") yield { name, shortName, position, entry };
    }
  }
}

/** The volume's label, which is an entry of the root directory. */
export function labelOf(root: Uint8Array): string | undefined {
  for (let position = 0; position + ShortEntry.SIZE <= root.length; position += ShortEntry.SIZE) {
    if (root[position] === END) return undefined;
    const entry = new ShortEntry(root, position);
    const isLabel = (entry.attributes & (ATTRIBUTE.VOLUME_ID | ATTRIBUTE.DIRECTORY)) === ATTRIBUTE.VOLUME_ID;
    if (isLabel && root[position] !== DELETED && (entry.attributes & 0x3f) !== ATTRIBUTE.LONG_NAME) return entry.label;
  }
  return undefined;
}
