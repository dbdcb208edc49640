import { type BytePath, displayPath } from "../../bytes/byte-path.ts";
import type { Context, Diagnostic } from "../../context.ts";
import { CorruptError, UnsupportedError, type Where } from "../../errors.ts";

const BOOT_ONCE = "Start the machine once and shut it down, then export it again.";
const REPAIR = "Repair a copy of the disk with xfs_repair and convert that.";

function place(file: string, path: BytePath | undefined): Where {
  return path === undefined ? { file } : { file, path: displayPath(path) };
}

export function directoryDamaged(what: string, file: string, path: BytePath): CorruptError {
  return new CorruptError("XFS_DIRECTORY", what, { where: place(file, path), advice: REPAIR });
}

export function directoryRevisited(inode: number, file: string, path: BytePath): CorruptError {
  return new CorruptError("XFS_DIRECTORY_CYCLE", `directory inode ${inode} is reached a second time`, {
    where: place(file, path),
  });
}

export function extentsDamaged(inode: number, what: string, file: string): CorruptError {
  return new CorruptError("XFS_EXTENTS", `extents of inode ${inode}: ${what}`, { where: { file } });
}

export function featureUnsupported(names: readonly string[], file: string): UnsupportedError {
  return new UnsupportedError("XFS_FEATURE", `the file system uses ${names.join(", ")}, which transload cannot read`, {
    where: { file },
  });
}

export function inodeDamaged(inode: number, what: string, file: string, path?: BytePath): CorruptError {
  return new CorruptError("XFS_INODE", `inode ${inode} ${what}`, { where: place(file, path) });
}

export function inProgress(file: string): CorruptError {
  return new CorruptError("XFS_IN_PROGRESS", "the file system was never completed by mkfs.xfs or xfs_copy", {
    where: { file },
    advice: "Make the copy again, or leave the volume out.",
  });
}

export function logDamaged(what: string, file: string, offset?: number): CorruptError {
  return new CorruptError("XFS_LOG", `the log is damaged and cannot be replayed: ${what}`, {
    where: offset === undefined ? { file } : { file, offset },
    advice: BOOT_ONCE,
  });
}

export function logUnsupported(what: string, file: string): UnsupportedError {
  return new UnsupportedError("XFS_LOG_UNSUPPORTED", `the log was not replayed, and transload cannot: ${what}`, {
    where: { file },
    advice: BOOT_ONCE,
  });
}

export function needsRepair(file: string): UnsupportedError {
  return new UnsupportedError("XFS_NEEDS_REPAIR", "the file system is marked as in need of repair", {
    where: { file },
    advice: REPAIR,
  });
}

export function onRealtimeDevice(file: string, path: BytePath): UnsupportedError {
  return new UnsupportedError("XFS_REALTIME", "the file lies on a realtime device, which is not read", {
    where: place(file, path),
    advice: "Copy it inside the running machine to a file that is not on the realtime device, or leave it out.",
  });
}

export function superBlockDamaged(what: string, file: string): CorruptError {
  return new CorruptError("XFS_SUPERBLOCK", `XFS superblock: ${what}`, { where: { file, offset: 0 } });
}

export function symlinkDamaged(inode: number, what: string, file: string, path: BytePath): CorruptError {
  return new CorruptError("XFS_SYMLINK", `symlink inode ${inode} ${what}`, { where: place(file, path) });
}

export function tooDeep(depth: number, file: string, path: BytePath): CorruptError {
  return new CorruptError("XFS_TOO_DEEP", `directories are nested more than ${depth} deep`, {
    where: place(file, path),
  });
}

export function tooManyEntries(entries: number, file: string): CorruptError {
  return new CorruptError("XFS_TOO_MANY_ENTRIES", `there are more than ${entries} entries`, { where: { file } });
}

/** A recoverable oddity. */
export function warn(ctx: Context, code: string, message: string, where: Where): void {
  const diagnostic: Diagnostic = { code, severity: "warning", message, where };
  ctx.diagnostic(code === "XFS_LOG_EXTERNAL" ? { ...diagnostic, advice: BOOT_ONCE } : diagnostic);
}
