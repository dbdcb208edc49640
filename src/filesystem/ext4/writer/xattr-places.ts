import { crc32c } from "../../../bytes/crc32c.ts";
import type { Entry } from "../../../bytes/entry.ts";
import type { Context } from "../../../context.ts";
import { xattrLeftOut } from "../errors.ts";
import { diskAcl } from "../posix-acl.ts";
import { PREFIXES, XATTR_MAGIC, XattrBlockHeader, XattrEntry } from "../xattr-entry.ts";
import { BLOCK, INODE } from "./geometry.ts";

/** Bytes of the fields of an inode beyond the first 128. */
export const EXTRA_ISIZE = 32;
/** Behind all fields of an inode. */
const SPACE: number = INODE - 128 - EXTRA_ISIZE;
const MAGIC_BYTES = 4;
/** The zeros that end a list of entries. */
const END_BYTES = 4;
const BLOCK_ROOM: number = BLOCK - XattrBlockHeader.SIZE - END_BYTES;
/** XATTR_SIZE_MAX of Linux. */
const MOST_VALUE = 65536;
const MOST_NAME = 255;
/** Attributes that Linux lets programs see on ext4; `system.` has only the two lists of access control. */
const KEPT: readonly number[] = [1, 2, 3, 4, 6];
const USER = 1;
/** POSIX lists of access control. */
const ACLS: readonly number[] = [2, 3];

interface Xattr {
  readonly index: number;
  /** Without the prefix. */
  readonly name: Buffer;
  readonly value: Uint8Array;
  /** Of an inode of its own that holds the value; 0 if it stands with the entry. */
  inode: number;
}

/** The inode of one attribute's value (feature ea_inode). */
export interface XattrValue {
  readonly number: number;
  readonly value: Uint8Array;
}

/** Where the attributes of an inode go. */
export interface XattrPlaces {
  /** What stands behind the inode's fields. */
  readonly inside: Uint8Array | undefined;
  /** The rest; its block is known once blocks are given out. */
  readonly outside: readonly Xattr[];
  readonly values: readonly XattrValue[];
}

export const NO_XATTR_PLACES: XattrPlaces = { inside: undefined, outside: [], values: [] };

/**
 * As many as fit go into the inode, the others into a block, and where that is too small the largest values into inodes of
 * their own, numbered from `nextInode`. What ext4 cannot hold is left out, with a diagnostic.
 */
export function placeXattrs(entry: Entry, nextInode: number, ctx: Context): XattrPlaces {
  const all = [...entry.xattrs].flatMap(([name, value]) => {
    const parsed = parse(name, value, entry.type === "file" || entry.type === "directory");
    if (typeof parsed !== "string") return [parsed];
    ctx.diagnostic(xattrLeftOut(name, parsed, entry.path));
    return [];
  });
  all.sort((a, b) => a.index - b.index || a.name.length - b.name.length || Buffer.compare(a.name, b.name));
  const inside: Xattr[] = [];
  const outside: Xattr[] = [];
  let room = SPACE - MAGIC_BYTES - END_BYTES;
  for (const xattr of all) {
    if (sizeOf(xattr) > room) outside.push(xattr);
    else {
      inside.push(xattr);
      room -= sizeOf(xattr);
    }
  }
  while (sum(outside, headerSize) > BLOCK_ROOM) {
    const { index, name } = outside.pop() as Xattr;
    const fullName = `${PREFIXES.get(index)}${name.toString("latin1")}`;
    ctx.diagnostic(xattrLeftOut(fullName, "there are more than a block can name", entry.path));
  }
  const values = moveValues(outside, nextInode);
  return { inside: inside.length === 0 ? undefined : encodeInside(inside), outside, values };
}

/** The parts of a name and its value as it is stored, or why it cannot be. */
function parse(fullName: string, value: Uint8Array, hasUserXattrs: boolean): Xattr | string {
  const index = KEPT.find((candidate) => belongsTo(fullName, candidate));
  if (index === undefined) return "ext4 has no attributes of this kind";
  if (index === USER && !hasUserXattrs) return "Linux reads it on files and directories only";
  const name = Buffer.from(fullName.slice(PREFIXES.get(index)?.length), "latin1");
  if (name.length > MOST_NAME) return `a name of ${name.length} bytes is too long`;
  if (value.length > MOST_VALUE) return `a value of ${value.length} bytes is too long`;
  if (!ACLS.includes(index)) return { index, name, value, inode: 0 };
  const acl = diskAcl(value);
  return acl === undefined ? "it is damaged" : { index, name, value: acl, inode: 0 };
}

/** The names of access control lists are complete, those of all others follow their prefix. */
function belongsTo(name: string, index: number): boolean {
  const prefix = PREFIXES.get(index) as string;
  return ACLS.includes(index) ? name === prefix : name.startsWith(prefix) && name.length > prefix.length;
}

function moveValues(xattrs: readonly Xattr[], nextInode: number): XattrValue[] {
  const bySize = [...xattrs].sort((a, b) => b.value.length - a.value.length);
  const values: XattrValue[] = [];
  for (const xattr of bySize) {
    if (sum(xattrs, sizeOf) <= BLOCK_ROOM) break;
    xattr.inode = nextInode + values.length;
    values.push({ number: xattr.inode, value: xattr.value });
  }
  return values;
}

function sum(xattrs: readonly Xattr[], size: (xattr: Xattr) => number): number {
  return xattrs.reduce((total, xattr) => total + size(xattr), 0);
}

function headerSize({ name }: Xattr): number {
  return XattrEntry.SIZE + rounded(name.length);
}

function sizeOf(xattr: Xattr): number {
  return headerSize(xattr) + (xattr.inode === 0 ? rounded(xattr.value.length) : 0);
}

function rounded(length: number): number {
  return (length + 3) & ~3;
}

function encodeInside(xattrs: readonly Xattr[]): Uint8Array {
  const bytes = Buffer.alloc(SPACE);
  bytes.writeUInt32LE(XATTR_MAGIC);
  putEntries(bytes.subarray(MAGIC_BYTES), 0, xattrs, () => 0);
  return bytes;
}

/** The block `number` of an inode's attributes. */
export function encodeXattrBlock(xattrs: readonly Xattr[], number: number, seed: number): Uint8Array {
  const bytes = Buffer.alloc(BLOCK);
  const hashes = putEntries(bytes, XattrBlockHeader.SIZE, xattrs, (xattr) => hashOf(xattr, seed));
  const header = new XattrBlockHeader(bytes);
  header.magic = XATTR_MAGIC;
  header.refCount = 1;
  header.blocks = 1;
  header.hash = hashes.includes(0) ? 0 : hashes.reduce((hash, next) => (hash << 16) ^ (hash >>> 16) ^ next, 0);
  header.setChecksum(number, seed);
  return bytes;
}

/** Entries from `start` on, values from the end back; answers the hashes. */
function putEntries(
  bytes: Buffer,
  start: number,
  xattrs: readonly Xattr[],
  hash: (xattr: Xattr) => number,
): readonly number[] {
  let at = start;
  let valueAt = bytes.length;
  return xattrs.map((xattr) => {
    const entry = new XattrEntry(bytes, at, XattrEntry.SIZE);
    entry.nameLen = xattr.name.length;
    entry.nameIndex = xattr.index;
    entry.valueSize = xattr.value.length;
    entry.valueInum = xattr.inode;
    if (xattr.inode === 0) {
      valueAt -= rounded(xattr.value.length);
      entry.valueOffs = valueAt;
      bytes.set(xattr.value, valueAt);
    }
    const hashed = hash(xattr);
    entry.hash = hashed;
    bytes.set(xattr.name, at + XattrEntry.SIZE);
    at += headerSize(xattr);
    return hashed;
  });
}

/** ext4_xattr_hash_entry: of a value in an inode of its own, only the checksum counts. */
function hashOf({ name, value, inode }: Xattr, seed: number): number {
  let hash = 0;
  for (const byte of name) hash = (hash << 5) ^ (hash >>> 27) ^ byte;
  const words = Buffer.alloc(inode === 0 ? rounded(value.length) : 4);
  if (inode === 0) words.set(value);
  else words.writeUInt32LE(xattrValueHash(value, seed));
  for (let at = 0; at < words.length; at += 4) hash = (hash << 16) ^ (hash >>> 16) ^ words.readUInt32LE(at);
  return hash >>> 0;
}

export function xattrValueHash(value: Uint8Array, seed: number): number {
  return crc32c(seed, value);
}
