import type { BytePath } from "../../bytes/byte-path.ts";
import { type Entry, NO_XATTRS } from "../../bytes/entry.ts";
import type { DirectoryRecord } from "./directory-record.ts";
import { rockRidgeDamaged } from "./errors.ts";
import type { RockRidge } from "./rock-ridge.ts";
import type { Listed } from "./volume.ts";

/** The format bits of a mode. */
const MODE = {
  FIFO: 0o010000,
  CHARACTER: 0o020000,
  DIRECTORY: 0o040000,
  BLOCK: 0o060000,
  FILE: 0o100000,
  SYMLINK: 0o120000,
  SOCKET: 0o140000,
} as const;

/** As Linux shows what has no mode of its own: anything could be a program. */
const READ_AND_EXECUTE = 0o555;

/**
 * The inode number of a file: where its first record lies, in half bytes. The names of a hard link have records of their own,
 * so what they share counts instead: where the data lie, odd, so that `sharedData` can tell.
 */
function inodeOf(listed: Listed, fields: RockRidge): number {
  const [data, ...more] = listed.runs;
  const isShared = (fields.links ?? 1) > 1 && fields.zisofs === undefined && fields.isSparse !== true;
  if (
    isShared &&
    !listed.record.isDirectory &&
    !listed.record.isInterleaved &&
    data !== undefined &&
    more.length === 0
  ) {
    return data.offset * 2 + 1;
  }
  return listed.at * 2;
}

/** Where the data of a file with such an inode number lie, in bytes; undefined if its record has to tell. */
export function sharedData(inode: number): number | undefined {
  return inode % 2 === 1 ? (inode - 1) / 2 : undefined;
}

/** Where the first record of a file with such an inode number lies, in bytes. */
export function recordPlace(inode: number): number {
  return inode / 2;
}

/** A directory: what `self`, one of the records that stand for it, and its fields say. */
export function directoryEntry(path: BytePath, listed: Listed, self: DirectoryRecord, fields: RockRidge): Entry {
  const mode = (fields.mode ?? READ_AND_EXECUTE) & 0o7777;
  return { ...common(path, listed.at * 2, self, fields), type: "directory", mode };
}

/** What is no directory. Throws CorruptError ISO_ROCK_RIDGE where the mode cannot be that of the record. */
export function fileEntry(path: BytePath, listed: Listed, fields: RockRidge, file: string): Entry {
  const base = common(path, inodeOf(listed, fields), listed.record, fields);
  const mode = fields.mode ?? MODE.FILE | READ_AND_EXECUTE;
  const permissions = { ...base, mode: mode & 0o7777 };
  const { target, major = 0, minor = 0 } = fields;
  switch (mode & 0o170000) {
    case MODE.FILE:
      return { ...permissions, type: "file", size: fields.zisofs?.size ?? listed.size };
    case MODE.SYMLINK:
      if (target === undefined || target === "") throw rockRidgeDamaged("a symlink without target", file, path);
      return { ...permissions, type: "symlink", target };
    case MODE.CHARACTER:
      return { ...permissions, type: "character-device", major, minor };
    case MODE.BLOCK:
      return { ...permissions, type: "block-device", major, minor };
    case MODE.FIFO:
      return { ...permissions, type: "fifo" };
    case MODE.SOCKET:
      return { ...permissions, type: "socket" };
    default:
      throw rockRidgeDamaged(`mode 0o${mode.toString(8)} of what is no directory`, file, path);
  }
}

function common(path: BytePath, inode: number, record: DirectoryRecord, fields: RockRidge) {
  const { links = 1, uid = 0, gid = 0, mtime = record.date } = fields;
  return { path, inode, links, uid, gid, mtime, xattrs: NO_XATTRS };
}
