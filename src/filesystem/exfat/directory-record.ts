import type { BytePath } from "../../bytes/byte-path.ts";
import type { Timestamp } from "../../bytes/entry.ts";
import { LittleEndianView } from "../../bytes/view.ts";
import { utf16Path } from "../utf16.ts";

/** EntryType of the entries that are read (exFAT specification, section 7). */
const TYPE = { BITMAP: 0x81, UP_CASE: 0x82, LABEL: 0x83, FILE: 0x85, STREAM: 0xc0, NAME: 0xc1 } as const;
const TYPE_BIT = { BENIGN: 0x20, SECONDARY: 0x40, IN_USE: 0x80 } as const;
const END = 0x00;
const NAME_UNITS = 15;
const ATTRIBUTE_DIRECTORY = 0x10;
const NO_FAT_CHAIN = 0x02;

/** Any entry of a directory. */
export class DirectoryEntryView extends LittleEndianView {
  static readonly SIZE = 0x20;

  constructor(bytes: Uint8Array, offset = 0) {
    super(bytes, offset, DirectoryEntryView.SIZE);
  }

  get entryType(): number {
    return this.u8(0x00);
  }
}

/** What a file is, without where it lies and its name (section 7.4). */
class FileRecord extends DirectoryEntryView {
  get secondaryCount(): number {
    return this.u8(0x01);
  }
  get setChecksum(): number {
    return this.u16(0x02);
  }
  get attributes(): number {
    return this.u16(0x04);
  }
  /** Without a valid offset from UTC the clock is taken to have run in UTC, as Linux does. */
  get modified(): Timestamp {
    const stamp = this.u32(0x0c);
    const month = Math.max(1, (stamp >>> 21) & 0xf) - 1;
    const day = Math.max(1, (stamp >>> 16) & 0x1f);
    const date = Date.UTC(1980 + (stamp >>> 25), month, day, (stamp >>> 11) & 0x1f, (stamp >>> 5) & 0x3f);
    const hundredths = (stamp & 0x1f) * 200 + Math.min(199, this.u8(0x15));
    const offset = this.u8(0x17);
    // Quarters of an hour, seven bits with a sign.
    const quarters = offset & 0x80 ? (offset << 25) >> 25 : 0;
    const seconds = date / 1000 + Math.floor(hundredths / 100) - quarters * 900;
    return { seconds, nanoseconds: (hundredths % 100) * 10_000_000 };
  }
}

/** Where a file lies (section 7.6). */
export class StreamRecord extends DirectoryEntryView {
  get isStream(): boolean {
    return this.entryType === TYPE.STREAM;
  }
  /** The clusters follow one another and have no chain in the table. */
  get isContiguous(): boolean {
    return (this.u8(0x01) & NO_FAT_CHAIN) !== 0;
  }
  /** UTF-16 units. */
  get nameLength(): number {
    return this.u8(0x03);
  }
  /** What lies behind it reads as zeros. */
  get validDataLength(): number {
    return this.u64(0x08);
  }
  get firstCluster(): number {
    return this.u32(0x14);
  }
  get dataLength(): number {
    return this.u64(0x18);
  }
}

/** A name in a directory. */
export interface DirectoryRecord {
  readonly name: BytePath;
  readonly isDirectory: boolean;
  readonly mtime: Timestamp;
  readonly stream: StreamRecord;
  /** Where `stream` stands in the directory, in bytes. */
  readonly position: number;
}

/** What is wrong with an entry. */
export interface Oddity {
  readonly what: string;
  /** Bytes from the start of the directory. */
  readonly position: number;
}

/**
 * What a directory holds, in the order of the disk; `report` hears of what can be passed over. Where a set of entries does
 * not belong together, `damaged` throws.
 */
export function* records(
  directory: Uint8Array,
  report: (oddity: Oddity) => void,
  damaged: (oddity: Oddity) => Error,
): Iterable<DirectoryRecord> {
  for (let position = 0; position + DirectoryEntryView.SIZE <= directory.length; ) {
    const type = directory[position] ?? END;
    if (type === END) return;
    if (type === TYPE.FILE) {
      const file = new FileRecord(directory, position);
      yield record(directory, position, file, report, damaged);
      position += (1 + file.secondaryCount) * DirectoryEntryView.SIZE;
      continue;
    }
    const isOther =
      (type & TYPE_BIT.IN_USE) !== 0 && (type & (TYPE_BIT.BENIGN | TYPE_BIT.SECONDARY)) !== TYPE_BIT.BENIGN;
    if (isOther && type !== TYPE.BITMAP && type !== TYPE.UP_CASE && type !== TYPE.LABEL) {
      report({ what: `an entry of type 0x${type.toString(16)} belongs to no file and is passed over`, position });
    }
    position += DirectoryEntryView.SIZE;
  }
}

function record(
  directory: Uint8Array,
  start: number,
  file: FileRecord,
  report: (oddity: Oddity) => void,
  damaged: (oddity: Oddity) => Error,
): DirectoryRecord {
  const position = start + DirectoryEntryView.SIZE;
  const end = position + file.secondaryCount * DirectoryEntryView.SIZE;
  const bad = (what: string) => damaged({ what, position: start });
  if (file.secondaryCount < 2 || end > directory.length) {
    throw bad(`an entry is followed by ${file.secondaryCount} others, of which the directory does not hold all`);
  }
  const stream = new StreamRecord(directory, position);
  if (!stream.isStream) throw bad("an entry does not tell where its file lies");
  const names = Math.ceil(stream.nameLength / NAME_UNITS);
  if (names === 0 || names + 1 > file.secondaryCount) throw bad(`a name has ${stream.nameLength} characters`);
  const parts: Uint8Array[] = [];
  for (let index = 1; index <= names; index++) {
    const name = new DirectoryEntryView(directory, position + index * DirectoryEntryView.SIZE);
    if (name.entryType !== TYPE.NAME) throw bad("a name lacks a part");
    parts.push(name.bytes(0x02, NAME_UNITS * 2));
  }
  if (setChecksum(directory.subarray(start, end)) !== file.setChecksum) {
    report({ what: "the checksum of an entry is wrong", position: start });
  }
  return {
    name: utf16Path(Buffer.concat(parts).subarray(0, stream.nameLength * 2)),
    isDirectory: (file.attributes & ATTRIBUTE_DIRECTORY) !== 0,
    mtime: file.modified,
    stream,
    position,
  };
}

/** The checksum of a file's entries without its own two bytes (section 6.3.3). */
function setChecksum(entries: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < entries.length; at++) {
    if (at !== 2 && at !== 3) sum = (((sum & 1) << 15) | (sum >>> 1)) + (entries[at] ?? 0);
    sum &= 0xffff;
  }
  return sum;
}

/** The volume's label, which is an entry of the root directory (section 7.3). */
export function labelOf(root: Uint8Array): BytePath | undefined {
  const label = find(root, TYPE.LABEL);
  return label && utf16Path(label.bytes(0x02, Math.min(11, label.u8(0x01)) * 2));
}

/** Which clusters are in use: a file without a name (section 7.1). */
export function bitmapOf(root: Uint8Array): Pick<StreamRecord, "firstCluster" | "dataLength"> | undefined {
  return find(root, TYPE.BITMAP);
}

function find(root: Uint8Array, type: number): StreamRecord | undefined {
  for (let position = 0; position + DirectoryEntryView.SIZE <= root.length; position += DirectoryEntryView.SIZE) {
    if (root[position] === END) return undefined;
    if (root[position] === type) return new StreamRecord(root, position);
  }
  return undefined;
}
