import type { Timestamp } from "../../bytes/entry.ts";
import { LittleEndianView } from "../../bytes/view.ts";

/** ECMA-119 9.1.6. */
export const FLAG = { DIRECTORY: 0x02, ASSOCIATED: 0x04, MULTI_EXTENT: 0x80 } as const;

/** A directory record (ECMA-119 9.1). */
export class DirectoryRecord extends LittleEndianView {
  /** Without identifier; an identifier has at least one byte. */
  static readonly FIXED = 33;
  readonly size: number;

  constructor(bytes: Uint8Array, offset: number, size: number) {
    super(bytes, offset, size);
    this.size = size;
  }

  get extendedAttributeLength(): number {
    return this.u8(1);
  }
  /** Blocks. */
  get extent(): number {
    return this.u32(2);
  }
  /** Bytes. */
  get dataLength(): number {
    return this.u32(10);
  }
  get date(): Timestamp {
    return shortDate(this.bytes(18, 7));
  }
  get flags(): number {
    return this.u8(25);
  }
  get isDirectory(): boolean {
    return (this.flags & FLAG.DIRECTORY) !== 0;
  }
  get isInterleaved(): boolean {
    return this.u8(26) !== 0 || this.u8(27) !== 0;
  }
  get identifierLength(): number {
    return this.u8(32);
  }
  get identifier(): Uint8Array {
    return this.bytes(DirectoryRecord.FIXED, this.identifierLength);
  }
  /** What follows the identifier, which is padded to an even offset. */
  get systemUse(): Uint8Array {
    const start = Math.min(this.size, (DirectoryRecord.FIXED + this.identifierLength + 1) & ~1);
    return this.bytes(start, this.size - start);
  }
  get isSelf(): boolean {
    return this.identifierLength === 1 && this.u8(DirectoryRecord.FIXED) === 0;
  }
  get isParent(): boolean {
    return this.identifierLength === 1 && this.u8(DirectoryRecord.FIXED) === 1;
  }
}

/** Beyond these no place on earth lies; the kernel takes such a zone for 0 as well. */
const MOST_ZONE = 52;

function seconds(utc: number, zone: number): number {
  const shift = Math.abs(zone) <= MOST_ZONE ? zone * 15 * 60 : 0;
  return utc / 1000 - shift;
}

/** A date of 7 bytes (ECMA-119 9.1.5): local time and its zone in quarters of an hour. All zeros mean none: 1970. */
export function shortDate(bytes: Uint8Array): Timestamp {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, zone = 0] = bytes;
  if (month === 0 || day === 0) return { seconds: 0, nanoseconds: 0 };
  const utc = Date.UTC(1900 + year, month - 1, day, hour, minute, second);
  return { seconds: seconds(utc, (zone << 24) >> 24), nanoseconds: 0 };
}

/** A date of 17 bytes (ECMA-119 8.4.26.1); what is no date is 1970. */
export function longDate(bytes: Uint8Array): Timestamp {
  const digits = Buffer.from(bytes.buffer, bytes.byteOffset, 16).toString("latin1");
  const fields = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)$/.exec(digits)?.slice(1).map(Number);
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, hundredths = 0] = fields ?? [];
  if (month === 0 || day === 0) return { seconds: 0, nanoseconds: 0 };
  const utc = new Date(0).setUTCFullYear(year, month - 1, day) + (hour * 3600 + minute * 60 + second) * 1000;
  const zone = ((bytes[16] ?? 0) << 24) >> 24;
  return { seconds: seconds(utc, zone), nanoseconds: hundredths * 10_000_000 };
}
