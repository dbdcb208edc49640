import { Inode } from "./inode.ts";
import { INODE_FIELD, InodeFormat } from "./log-item.ts";

/** Fields of struct xfs_log_dinode that change their byte order: offset and width. */
const SWAPPED: readonly (readonly [at: number, width: number])[] = [
  [0x00, 2], // magic
  [0x02, 2], // mode
  [0x08, 4], // uid
  [0x0c, 4], // gid
  [0x10, 4], // nlink
  [0x14, 2], // projid
  [0x16, 2],
  [0x38, 8], // size
  [0x40, 8], // nblocks
  [0x48, 4], // extsize
  [0x54, 4], // dmevmask
  [0x58, 2], // dmstate
  [0x5a, 2], // flags
  [0x5c, 4], // gen
];
const SWAPPED_V3: typeof SWAPPED = [
  [0x68, 8], // changecount
  [0x78, 8], // flags2
  [0x80, 4], // cowextsize
  [0x98, 8], // ino
];
const TIMES = [0x20, 0x28, 0x30];
const CREATION_TIME = 0x90;
const CORE_V2 = 0x60;
const CORE_V3 = 0xb0;
const FLUSH_ITER_AT = 0x1e;
const LSN_AT = 0x70;
const FLAGS2_AT = 0x78;
const FLAGS2_BIGTIME = 0x8n;
const FLAGS2_NREXT64 = 0x10n;
const BTREE_HEADER = { V4: 0x18, V5: 0x48 } as const;
const ROOT_HEADER = 4;
const KEY = 8;
const POINTER = 8;
const DATA_FIELDS = INODE_FIELD.DATA | INODE_FIELD.EXTENTS | INODE_FIELD.BTREE_ROOT;
const ATTRIBUTE_FIELDS = INODE_FIELD.ATTRIBUTES | INODE_FIELD.ATTRIBUTE_EXTENTS | INODE_FIELD.ATTRIBUTE_BTREE_ROOT;
/** Above this a counter has wrapped, below half of it that is plain (DI_MAX_FLUSH). */
const MAX_FLUSH = 0xffff;

/** What applying an inode item came to: `older` if the disk has it newer, or what is wrong. */
export type InodeOutcome = "applied" | "older" | { readonly damage: string };

/** Writes a logged inode into `bytes`, its place on disk, as xlog_recover_inode_commit_pass2 does. */
export function applyInode(
  bytes: Buffer,
  regions: readonly Uint8Array[],
  lsn: bigint,
  hasChecksums: boolean,
): InodeOutcome {
  const [description, core] = regions;
  if (description === undefined || core === undefined) return { damage: "an inode without its core" };
  const format = new InodeFormat(description);
  const from = Buffer.from(core.buffer, core.byteOffset, core.length);
  const size = hasChecksums ? CORE_V3 : CORE_V2;
  const before = new Inode(bytes, bytes.length, format.ino);
  if (from.length < size || from.readUInt16LE(0) !== Inode.MAGIC || before.magic !== Inode.MAGIC) {
    return { damage: `inode ${format.ino} is none` };
  }
  if (isNewer(before, from, lsn, hasChecksums)) return "older";
  convertCore(bytes, from, hasChecksums);
  if (hasChecksums) bytes.writeBigUInt64BE(lsn, LSN_AT);
  else bytes.writeUInt16BE(0, FLUSH_ITER_AT);
  const after = new Inode(bytes, bytes.length, format.ino);
  if (!after.forkOffFits) return { damage: `inode ${format.ino} has no room for its forks` };
  if ((format.fields & INODE_FIELD.DEVICE) !== 0) bytes.writeUInt32BE(format.rdev, after.literalAt);
  const damage = `inode ${format.ino} has a fork that does not fit`;
  return applyForks(after, format, regions, hasChecksums) ? "applied" : { damage };
}

function isNewer(disk: Inode, logged: Buffer, lsn: bigint, hasChecksums: boolean): boolean {
  if (hasChecksums) return disk.lsn !== 0n && disk.lsn !== 0xffff_ffff_ffff_ffffn && disk.lsn > lsn;
  const flushIter = logged.readUInt16LE(FLUSH_ITER_AT);
  if (disk.flushIter === MAX_FLUSH && flushIter < MAX_FLUSH >> 1) return false;
  return flushIter < disk.flushIter;
}

/** From the byte order of the machine to that of the disk; the link to the next unlinked inode and the checksum stay. */
function convertCore(to: Buffer, from: Buffer, hasChecksums: boolean): void {
  const flags2 = hasChecksums ? from.readBigUInt64LE(FLAGS2_AT) : 0n;
  to[0x04] = from[0x04] as number;
  to[0x05] = from[0x05] as number;
  to.fill(0, 0x06, 0x08);
  to[0x52] = from[0x52] as number;
  to[0x53] = from[0x53] as number;
  for (const [at, width] of SWAPPED) swap(to, from, at, width);
  for (const at of hasChecksums ? [...TIMES, CREATION_TIME] : TIMES) {
    if ((flags2 & FLAGS2_BIGTIME) !== 0n) swap(to, from, at, 8);
    else for (const word of [at, at + 4]) swap(to, from, word, 4);
  }
  if ((flags2 & FLAGS2_NREXT64) !== 0n) {
    swap(to, from, 0x18, 8);
    swap(to, from, 0x4c, 4);
    to.fill(0, 0x50, 0x52);
  } else {
    to.fill(0, 0x18, 0x20);
    swap(to, from, 0x4c, 4);
    swap(to, from, 0x50, 2);
  }
  if (!hasChecksums) return;
  for (const [at, width] of SWAPPED_V3) swap(to, from, at, width);
  from.copy(to, 0xa0, 0xa0, CORE_V3);
}

function swap(to: Buffer, from: Buffer, at: number, width: number): void {
  for (let index = 0; index < width; index++) to[at + index] = from[at + width - 1 - index] as number;
}

/** The regions behind the core: the data fork's, if it was logged, and then that of the attributes. */
function applyForks(
  inode: Inode,
  { fields, size }: InodeFormat,
  regions: readonly Uint8Array[],
  hasChecksums: boolean,
): boolean {
  let next = 2;
  if ((fields & DATA_FIELDS) !== 0 && size > 2) {
    const isRoot = (fields & INODE_FIELD.BTREE_ROOT) !== 0;
    if (!applyFork(inode.dataFork.bytes, regions[next++], isRoot, hasChecksums)) return false;
  }
  if ((fields & ATTRIBUTE_FIELDS) !== 0 && size > next) {
    const isRoot = (fields & INODE_FIELD.ATTRIBUTE_BTREE_ROOT) !== 0;
    const fork = inode.attributeFork;
    if (fork === undefined || !applyFork(fork.bytes, regions[next], isRoot, hasChecksums)) return false;
  }
  return true;
}

function applyFork(fork: Uint8Array, region: Uint8Array | undefined, isRoot: boolean, hasChecksums: boolean): boolean {
  if (region === undefined) return false;
  if (isRoot) return applyRoot(fork, region, hasChecksums);
  // Regions are padded to 4 bytes.
  if (region.length > fork.length + 3) return false;
  fork.set(region.subarray(0, fork.length));
  return true;
}

/** The root as it is in memory, a block of its own, into the form of the inode (xfs_bmbt_to_bmdr). */
function applyRoot(fork: Uint8Array, region: Uint8Array, hasChecksums: boolean): boolean {
  const header = hasChecksums ? BTREE_HEADER.V5 : BTREE_HEADER.V4;
  if (region.length < header || fork.length < ROOT_HEADER) return false;
  const from = Buffer.from(region.buffer, region.byteOffset, region.length);
  const count = from.readUInt16BE(6);
  const room = Math.floor((fork.length - ROOT_HEADER) / (KEY + POINTER));
  const roomBefore = Math.floor((region.length - header) / (KEY + POINTER));
  if (count > room || count > roomBefore) return false;
  fork.set(from.subarray(4, 8));
  fork.set(from.subarray(header, header + count * KEY), ROOT_HEADER);
  const pointers = header + roomBefore * KEY;
  fork.set(from.subarray(pointers, pointers + count * POINTER), ROOT_HEADER + room * KEY);
  return true;
}
