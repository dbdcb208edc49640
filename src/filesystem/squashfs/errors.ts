import { type BytePath, displayPath } from "../../bytes/byte-path.ts";
import { CorruptError, UnsupportedError, type Where } from "../../errors.ts";

function at(file: string, path?: BytePath): { where: Where } {
  return { where: path === undefined ? { file } : { file, path: displayPath(path) } };
}

export function blockDamaged(what: string, file: string, offset: number, cause?: unknown): CorruptError {
  return new CorruptError("SQUASHFS_BLOCK", `a block ${what}`, { where: { file, offset }, cause });
}

export function compressorUnknown(compressor: number, file: string): UnsupportedError {
  return new UnsupportedError(
    "SQUASHFS_COMPRESSOR",
    `the compressor has the number ${compressor}, which is not known`,
    at(file),
  );
}

export function compressorOptionsDamaged(what: string, file: string): CorruptError {
  return new CorruptError("SQUASHFS_COMPRESSOR_OPTIONS", `the options of the compressor ${what}`, at(file));
}

export function directoryDamaged(what: string, file: string, path: BytePath): CorruptError {
  return new CorruptError("SQUASHFS_DIRECTORY", what, at(file, path));
}

export function directoryRevisited(file: string, path: BytePath): CorruptError {
  return new CorruptError("SQUASHFS_DIRECTORY_LOOP", "the directory is in the tree twice", at(file, path));
}

export function inodeDamaged(what: string, file: string, path: BytePath): CorruptError {
  return new CorruptError("SQUASHFS_INODE", `the inode ${what}`, at(file, path));
}

export function nameUnsafe(name: BytePath, file: string, path: BytePath): CorruptError {
  return new CorruptError("SQUASHFS_NAME", `no file can be named ${JSON.stringify(displayPath(name))}`, at(file, path));
}

export function superBlockDamaged(what: string, file: string): CorruptError {
  return new CorruptError("SQUASHFS_SUPERBLOCK", `squashfs superblock: ${what}`, { where: { file, offset: 0 } });
}

export function tableDamaged(what: string, file: string): CorruptError {
  return new CorruptError("SQUASHFS_TABLE", what, at(file));
}

export function tableTooLarge(bytes: number, limit: number, file: string, path: BytePath): UnsupportedError {
  const what = `${bytes} bytes of tables are more than the ${limit} that are held in memory`;
  return new UnsupportedError("SQUASHFS_TABLE_TOO_LARGE", what, at(file, path));
}

export function tooDeep(limit: number, file: string, path: BytePath): CorruptError {
  return new CorruptError("SQUASHFS_TOO_DEEP", `directories are nested more than ${limit} deep`, at(file, path));
}

export function tooManyEntries(limit: number, file: string): CorruptError {
  return new CorruptError("SQUASHFS_TOO_MANY_ENTRIES", `there are more than ${limit} entries`, at(file));
}

export function versionUnsupported(version: string, file: string): UnsupportedError {
  return new UnsupportedError("SQUASHFS_VERSION", `squashfs ${version} is not read, only 4.0`, at(file));
}

export function xattrsDamaged(what: string, file: string, path: BytePath): CorruptError {
  return new CorruptError("SQUASHFS_XATTR", `extended attributes ${what}`, at(file, path));
}
