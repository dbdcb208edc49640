import { type BytePath, displayPath } from "../../bytes/byte-path.ts";
import type { Context, Diagnostic } from "../../context.ts";
import { CorruptError, OutputError, UnsupportedError, UsageError } from "../../errors.ts";

export function blockOutOfRange(inode: number, block: number, blocks: number, file: string): CorruptError {
  return new CorruptError("EXT_BLOCK_OUT_OF_RANGE", `inode ${inode} points to block ${block} of ${blocks}`, {
    where: { file },
  });
}

/** EXT_CONTENT_DIFFERS: the tree gave other bytes than its metadata had announced. */
export function contentDiffers(what: string, path: BytePath): CorruptError {
  return new CorruptError("EXT_CONTENT_DIFFERS", `the content of a file ${what}`, {
    where: { path: displayPath(path) },
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

/** EXT_LABEL: too long for the superblock. */
export function labelTooLong(label: string, bytes: number): UsageError {
  return new UsageError("EXT_LABEL", `the label ${JSON.stringify(label)} has ${bytes} bytes, ext4 holds 16`);
}

/** EXT_SIZE: a file system of this size cannot be made. Sizes are bytes. */
export function sizeTooLarge(size: number, most: number): OutputError {
  return new OutputError("EXT_SIZE", `a file system of ${size} bytes is larger than ${most}`);
}

/** EXT_SIZE_TOO_SMALL: what is to be written does not fit. Sizes are bytes. */
export function sizeTooSmall(size: number, needed: number): OutputError {
  return new OutputError("EXT_SIZE_TOO_SMALL", `the files do not fit into a file system of ${size} bytes`, {
    advice: `Give it at least ${needed} bytes.`,
  });
}

export function superBlockDamaged(what: string, file: string, offset: number): CorruptError {
  return new CorruptError("EXT_SUPERBLOCK", `ext superblock: ${what}`, { where: { file, offset } });
}

export function symlinkDamaged(inode: number, what: string, file: string, path: BytePath): CorruptError {
  return new CorruptError("EXT_SYMLINK", `symlink inode ${inode} ${what}`, {
    where: { file, path: displayPath(path) },
  });
}

/** EXT_TIME: a time that no inode can hold. */
export function timeClamped(seconds: number, path: BytePath): Diagnostic {
  return {
    code: "EXT_TIME",
    severity: "warning",
    message: `${seconds} seconds since 1970 are not between 1901 and 2446; the nearest time is written`,
    where: { path: displayPath(path) },
  };
}

export function tooDeep(depth: number, file: string, path: BytePath): CorruptError {
  return new CorruptError("EXT_TOO_DEEP", `directories are nested more than ${depth} deep`, {
    where: { file, path: displayPath(path) },
  });
}

export function tooManyEntries(entries: number, file: string): CorruptError {
  return new CorruptError("EXT_TOO_MANY_ENTRIES", `there are more than ${entries} entries`, { where: { file } });
}

/** EXT_NOT_EXPRESSIBLE: what ext4 has no form for. */
export function treeNotExpressible(what: string, path: BytePath): UnsupportedError {
  return new UnsupportedError("EXT_NOT_EXPRESSIBLE", `ext4 cannot hold this: ${what}`, {
    where: { path: displayPath(path) },
  });
}

/** EXT_UUID: not the form of a UUID. */
export function uuidInvalid(uuid: string): UsageError {
  return new UsageError("EXT_UUID", `${JSON.stringify(uuid)} is no UUID`);
}

/** EXT_XATTR_LEFT_OUT: an attribute that ext4 cannot hold. */
export function xattrLeftOut(name: string, why: string, path: BytePath): Diagnostic {
  return {
    code: "EXT_XATTR_LEFT_OUT",
    severity: "warning",
    message: `the extended attribute ${JSON.stringify(name)} is left out: ${why}`,
    where: { path: displayPath(path) },
  };
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
