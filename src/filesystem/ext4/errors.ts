import { type BytePath, displayPath } from "../../bytes/byte-path.ts";
import type { Context, Diagnostic } from "../../context.ts";
import { CorruptError, UnsupportedError } from "../../errors.ts";

export function blockOutOfRange(inode: number, block: number, blocks: number, file: string): CorruptError {
  return new CorruptError("EXT_BLOCK_OUT_OF_RANGE", `inode ${inode} points to block ${block} of ${blocks}`, {
    where: { file },
  });
}

export function directoryDamaged(what: string, file: string, path: BytePath): CorruptError {
  return new CorruptError("EXT_DIRECTORY", what, {
    where: { file, path: displayPath(path) },
    advice: "Repair a copy of the disk with e2fsck and convert that.",
  });
}

export function directoryRevisited(inode: number, file: string, path: BytePath): CorruptError {
  return new CorruptError("EXT_DIRECTORY_CYCLE", `directory inode ${inode} is reached a second time`, {
    where: { file, path: displayPath(path) },
  });
}

export function encrypted(file: string, path: BytePath): UnsupportedError {
  return new UnsupportedError("EXT_ENCRYPTED", "the file is encrypted (fscrypt) and cannot be read without its key", {
    where: { file, path: displayPath(path) },
    advice: "Decrypt it inside the running machine, or leave it out.",
  });
}

export function extentTreeDamaged(inode: number, what: string, file: string): CorruptError {
  return new CorruptError("EXT_EXTENT_TREE", `extent tree of inode ${inode}: ${what}`, { where: { file } });
}

export function featureUnsupported(names: readonly string[], file: string): UnsupportedError {
  return new UnsupportedError("EXT_FEATURE", `the file system uses ${names.join(", ")}, which transload cannot read`, {
    where: { file },
  });
}

export function inodeDamaged(inode: number, what: string, file: string, path?: BytePath): CorruptError {
  const where = path === undefined ? { file } : { file, path: displayPath(path) };
  return new CorruptError("EXT_INODE", `inode ${inode} ${what}`, { where });
}

export function superBlockDamaged(what: string, file: string, offset: number): CorruptError {
  return new CorruptError("EXT_SUPERBLOCK", `ext superblock: ${what}`, { where: { file, offset } });
}

export function symlinkDamaged(inode: number, what: string, file: string, path: BytePath): CorruptError {
  return new CorruptError("EXT_SYMLINK", `symlink inode ${inode} ${what}`, {
    where: { file, path: displayPath(path) },
  });
}

export function tooDeep(depth: number, file: string, path: BytePath): CorruptError {
  return new CorruptError("EXT_TOO_DEEP", `directories are nested more than ${depth} deep`, {
    where: { file, path: displayPath(path) },
  });
}

export function tooManyEntries(entries: number, file: string): CorruptError {
  return new CorruptError("EXT_TOO_MANY_ENTRIES", `there are more than ${entries} entries`, { where: { file } });
}

/** A recoverable oddity. `path` is inside the file system. */
export function warn(ctx: Context, code: string, message: string, file: string, path?: BytePath): void {
  const where = path === undefined ? { file } : { file, path: displayPath(path) };
  const advice = ADVICE[code];
  const diagnostic: Diagnostic = { code, severity: "warning", message, where };
  ctx.diagnostic(advice === undefined ? diagnostic : { ...diagnostic, advice });
}

const ADVICE: Readonly<Record<string, string>> = {
  EXT_ENCRYPTED: "Decrypt it inside the running machine, or leave it out.",
  EXT_JOURNAL: "Start the machine once and shut it down, then export it again.",
};
