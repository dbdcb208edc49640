import type { BytePath } from "../bytes/byte-path.ts";
import type { Timestamp } from "../bytes/entry.ts";
import { nameUnsafe } from "./errors.ts";

/** What a header says; names are byte strings, and a directory's ends with a slash. */
export interface TarHeaderFields {
  readonly name: BytePath;
  readonly type: "0" | "1" | "2" | "3" | "4" | "5" | "6" | "x";
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of content that follow. */
  readonly size: number;
  /** 0 to the year 2262: other times do not survive in any client. */
  readonly mtime: Timestamp;
  readonly linkName?: BytePath;
  readonly major?: number;
  readonly minor?: number;
  readonly xattrs?: ReadonlyMap<string, Uint8Array>;
}

export const BLOCK = 512;

/** 1 to 100 ASCII characters. */
export const NAME = /^[\x20-\x7e]{1,100}$/;

const NO_TIME: Timestamp = { seconds: 0, nanoseconds: 0 };
const OCTAL_7 = 0o7777777;
const OCTAL_11 = 0o77777777777;

/**
 * The blocks in front of an entry's content: a ustar header (POSIX.1-1988), after a pax header (POSIX.1-2001) for what ustar
 * cannot hold: names above 100 bytes, large numbers, fractions of a second, extended attributes (SCHILY.xattr, as raw bytes).
 * Owner names stay empty and the records have a fixed order, so the same fields always give the same bytes.
 */
export function encodeTarHeader(fields: TarHeaderFields): Buffer {
  const pax = paxRecords(fields);
  if (pax.length === 0) return ustar(fields);
  const size = pax.reduce((sum, record) => sum + record.length, 0);
  const name = `PaxHeaders/${fields.name.slice(0, 80)}`;
  const header = ustar({ name, type: "x", mode: 0o644, uid: 0, gid: 0, size, mtime: NO_TIME });
  return Buffer.concat([header, ...pax, Buffer.alloc(paddingOf(size)), ustar(fields)]);
}

/**
 * The one block in front of a file that every reader of appliances understands: VirtualBox and vSphere refuse extended headers.
 * A size above 8 GiB is base-256. Throws OutputError ARCHIVE_NAME_UNSAFE.
 */
export function encodeUstarHeader(fields: Omit<TarHeaderFields, "xattrs">): Buffer {
  if (!NAME.test(fields.name)) throw nameUnsafe(fields.name);
  return ustar(fields);
}

/** Zeros that fill up the last block of a content of `size` bytes. */
export function paddingOf(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}

/** Bytes of the pax records that these attributes would need; clients refuse a block above 1 MiB. */
export function paxXattrBytes(xattrs: ReadonlyMap<string, Uint8Array>): number {
  let sum = 0;
  for (const [name, value] of xattrs) sum += paxRecord(`SCHILY.xattr.${name}`, value).length;
  return sum;
}

function ustar(fields: TarHeaderFields): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.write(fields.name.slice(0, 100), 0, "latin1");
  putNumber(block, 100, 8, fields.mode);
  putNumber(block, 108, 8, fields.uid);
  putNumber(block, 116, 8, fields.gid);
  putNumber(block, 124, 12, fields.size);
  putNumber(block, 136, 12, fields.mtime.seconds);
  block.write(fields.type, 156, "latin1");
  block.write((fields.linkName ?? "").slice(0, 100), 157, "latin1");
  block.write("ustar\x0000", 257, "latin1");
  if (fields.major !== undefined) putNumber(block, 329, 8, fields.major);
  if (fields.minor !== undefined) putNumber(block, 337, 8, fields.minor);
  block.fill(0x20, 148, 156);
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}

/** Octal with a NUL behind it, or GNU's base-256 where that is too short; the pax record, if any, says the same. */
function putNumber(block: Buffer, at: number, width: number, value: number): void {
  if (value <= (width === 8 ? OCTAL_7 : OCTAL_11)) {
    block.write(value.toString(8).padStart(width - 1, "0"), at, "latin1");
    return;
  }
  block[at] = 0x80;
  for (let left = value, index = at + width - 1; index > at; index--) {
    block[index] = left % 256;
    left = Math.floor(left / 256);
  }
}

function paxRecords({ name, linkName = "", size, uid, gid, mtime, xattrs }: TarHeaderFields): Buffer[] {
  const records: Buffer[] = [];
  if (name.length > 100) records.push(paxRecord("path", name));
  if (linkName.length > 100) records.push(paxRecord("linkpath", linkName));
  if (size > OCTAL_11) records.push(paxRecord("size", `${size}`));
  if (uid > OCTAL_7) records.push(paxRecord("uid", `${uid}`));
  if (gid > OCTAL_7) records.push(paxRecord("gid", `${gid}`));
  if (mtime.nanoseconds > 0 || mtime.seconds > OCTAL_11) records.push(paxRecord("mtime", paxTime(mtime)));
  if (xattrs !== undefined && xattrs.size > 0) {
    for (const key of [...xattrs.keys()].sort()) {
      records.push(paxRecord(`SCHILY.xattr.${key}`, xattrs.get(key) as Uint8Array));
    }
  }
  return records;
}

function paxTime({ seconds, nanoseconds }: Timestamp): string {
  return nanoseconds === 0 ? `${seconds}` : `${seconds}.${`${nanoseconds}`.padStart(9, "0").replace(/0+$/, "")}`;
}

/** `LENGTH KEY=VALUE\n`, where the length counts its own digits. */
function paxRecord(key: string, value: Uint8Array | string): Buffer {
  const bytes = typeof value === "string" ? Buffer.from(value, "latin1") : value;
  const rest = key.length + bytes.length + 3;
  let length = rest + `${rest}`.length;
  if (`${length}`.length !== `${rest}`.length) length = rest + `${length}`.length;
  return Buffer.concat([Buffer.from(`${length} ${key}=`, "latin1"), bytes, Buffer.from("\n")]);
}
