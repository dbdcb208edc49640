import { paxRecordMalformed } from "./errors.ts";

/**
 * The records of a pax extended header (POSIX.1-2001 pax, "pax Header Block"): keys and values as bytes, one character for
 * each, because names and extended attributes need not be UTF-8.
 */
export type PaxRecords = ReadonlyMap<string, string>;

export const NO_RECORDS: PaxRecords = new Map();

const BLANK = 0x20;
const EQUALS = 0x3d;
const NEWLINE = 0x0a;
/** Digits of a length: more cannot be below 2^53. */
const MOST_DIGITS = 15;

/** Reads `length key=value\n` after `length key=value\n`. `file` and `offset` say where `bytes` stand, for messages. */
export function parsePax(bytes: Uint8Array, file: string, offset: number): PaxRecords {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const records = new Map<string, string>();
  for (let at = 0; at < buffer.length; ) {
    const blank = buffer.subarray(at, at + MOST_DIGITS + 1).indexOf(BLANK);
    const digits = buffer.toString("latin1", at, at + Math.max(0, blank));
    const end = at + Number(digits);
    if (!/^[0-9]+$/.test(digits) || end > buffer.length || buffer[end - 1] !== NEWLINE) {
      throw paxRecordMalformed(file, offset + at);
    }
    const record = buffer.subarray(at + blank + 1, end - 1);
    const equals = record.indexOf(EQUALS);
    if (equals < 1) throw paxRecordMalformed(file, offset + at);
    records.set(record.toString("latin1", 0, equals), record.toString("latin1", equals + 1));
    at = end;
  }
  return records;
}

/** `over` on top of `under`; an empty value takes a record away. */
export function mergePax(under: PaxRecords, over: PaxRecords): PaxRecords {
  if (over.size === 0) return under;
  const merged = new Map(under);
  for (const [key, value] of over) {
    if (value === "") merged.delete(key);
    else merged.set(key, value);
  }
  return merged;
}

/** A decimal record as its whole part and nanoseconds (0 to 999,999,999), or undefined if it is no such number. */
export function paxDecimal(text: string): { readonly seconds: number; readonly nanoseconds: number } | undefined {
  const [, sign = "", whole = "", fraction = ""] = /^(-?)([0-9]{1,15})(?:\.([0-9]*))?$/.exec(text) ?? [];
  if (whole === "") return undefined;
  const nanoseconds = Number(fraction.slice(0, 9).padEnd(9, "0"));
  if (sign === "") return { seconds: Number(whole), nanoseconds };
  if (nanoseconds === 0) return { seconds: 0 - Number(whole), nanoseconds };
  return { seconds: -Number(whole) - 1, nanoseconds: 1_000_000_000 - nanoseconds };
}
