import { type BytePath, displayPath } from "../../bytes/byte-path.ts";
import type { Context, Diagnostic } from "../../context.ts";
import { CorruptError, NotFoundError, UnsupportedError } from "../../errors.ts";

export function chunkDamaged(what: string, file: string): CorruptError {
  return new CorruptError("BTRFS_CHUNK", `btrfs chunk: ${what}`, { where: { file } });
}

export function compressionUnsupported(what: string, file: string): UnsupportedError {
  return new UnsupportedError("BTRFS_CODING", `an extent ${what}, which transload cannot read`, { where: { file } });
}

export function deviceMissing(devid: number, logical: number, file: string): NotFoundError {
  const sentence = `device ${devid} of the file system is not here, and what lies at 0x${logical.toString(16)} needs it`;
  return new NotFoundError("BTRFS_DEVICE_MISSING", sentence, { where: { file }, advice: ALL_DISKS });
}

export function directoryDamaged(what: string, file: string, path: BytePath): CorruptError {
  return new CorruptError("BTRFS_DIRECTORY", what, { where: { file, path: displayPath(path) }, advice: REPAIR });
}

export function directoryRevisited(inode: number, file: string, path: BytePath): CorruptError {
  return new CorruptError("BTRFS_DIRECTORY_CYCLE", `directory inode ${inode} is reached a second time`, {
    where: { file, path: displayPath(path) },
  });
}

export function extentDamaged(inode: number, what: string, file: string): CorruptError {
  return new CorruptError("BTRFS_EXTENT", `extent of inode ${inode}: ${what}`, { where: { file } });
}

export function featureUnsupported(names: readonly string[], file: string): UnsupportedError {
  const sentence = `the file system uses ${names.join(", ")}, which transload cannot read`;
  return new UnsupportedError("BTRFS_FEATURE", sentence, { where: { file } });
}

export function inodeDamaged(inode: number, what: string, file: string, path?: BytePath): CorruptError {
  const where = path === undefined ? { file } : { file, path: displayPath(path) };
  return new CorruptError("BTRFS_INODE", `inode ${inode} ${what}`, { where });
}

/** `logical` is the node's address in the file system. */
export function nodeDamaged(logical: number, what: string, file: string): CorruptError {
  const sentence = `the tree node at logical address 0x${logical.toString(16)} ${what}`;
  return new CorruptError("BTRFS_NODE", sentence, { where: { file }, advice: REPAIR });
}

export function subvolumeMissing(subvolume: string | number, file: string): NotFoundError {
  return new NotFoundError("BTRFS_SUBVOLUME", `there is no subvolume ${JSON.stringify(subvolume)}`, {
    where: { file },
    advice: "Name a subvolume as `btrfs subvolume list` shows it, by path from the top level or by id.",
  });
}

export function superBlockDamaged(what: string, file: string, offset: number): CorruptError {
  return new CorruptError("BTRFS_SUPERBLOCK", `btrfs superblock: ${what}`, { where: { file, offset } });
}

export function symlinkDamaged(inode: number, what: string, file: string, path: BytePath): CorruptError {
  return new CorruptError("BTRFS_SYMLINK", `symlink inode ${inode} ${what}`, {
    where: { file, path: displayPath(path) },
  });
}

export function tooDeep(depth: number, file: string, path: BytePath): CorruptError {
  return new CorruptError("BTRFS_TOO_DEEP", `directories are nested more than ${depth} deep`, {
    where: { file, path: displayPath(path) },
  });
}

export function tooManyEntries(entries: number, file: string): CorruptError {
  return new CorruptError("BTRFS_TOO_MANY_ENTRIES", `there are more than ${entries} entries`, { where: { file } });
}

/** A recoverable oddity. `path` is inside the file system. */
export function warn(ctx: Context, code: string, message: string, file: string, path?: BytePath): void {
  const where = path === undefined ? { file } : { file, path: displayPath(path) };
  const advice = ADVICE[code];
  const diagnostic: Diagnostic = { code, severity: "warning", message, where };
  ctx.diagnostic(advice === undefined ? diagnostic : { ...diagnostic, advice });
}

const ALL_DISKS = "Give all disks of the machine together.";
const REPAIR = "Repair a copy of the disk with btrfs check, or copy its files with btrfs restore, and convert that.";

const ADVICE: Readonly<Record<string, string>> = {
  BTRFS_DEVICE_MISSING: ALL_DISKS,
  BTRFS_LOG: "Start the machine once and shut it down, then export it again.",
};
