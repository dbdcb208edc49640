import { type BytePath, displayPath } from "../../bytes/byte-path.ts";
import type { Context } from "../../context.ts";
import { CorruptError, UnsupportedError, type Where } from "../../errors.ts";

function at(file: string, path: BytePath, offset?: number): { where: Where } {
  return { where: { file, path: displayPath(path), ...(offset === undefined ? {} : { offset }) } };
}

export function compressionUnknown(algorithm: string, file: string, path: BytePath): UnsupportedError {
  const name = JSON.stringify(displayPath(algorithm));
  return new UnsupportedError(
    "ISO_COMPRESSION",
    `the file is compressed by ${name}, which is not read`,
    at(file, path),
  );
}

export function compressedFileDamaged(what: string, file: string, path: BytePath, cause?: unknown): CorruptError {
  return new CorruptError("ISO_COMPRESSED_FILE", `the compressed file ${what}`, { ...at(file, path), cause });
}

export function continuationTooLong(limit: number, file: string, path: BytePath): CorruptError {
  const what = `Rock Ridge fields are continued more than ${limit} times`;
  return new CorruptError("ISO_CONTINUATION", what, at(file, path));
}

export function descriptorDamaged(what: string, file: string, offset: number): CorruptError {
  return new CorruptError("ISO_DESCRIPTOR", `volume descriptor: ${what}`, { where: { file, offset } });
}

export function directoryDamaged(what: string, file: string, path: BytePath, offset: number): CorruptError {
  return new CorruptError("ISO_DIRECTORY", what, at(file, path, offset));
}

export function directoryRevisited(file: string, path: BytePath): CorruptError {
  return new CorruptError("ISO_DIRECTORY_LOOP", "the directory is in the tree twice", at(file, path));
}

export function directoryTooLarge(bytes: number, limit: number, file: string, path: BytePath): CorruptError {
  const what = `a directory of ${bytes} bytes is more than the ${limit} that are read`;
  return new CorruptError("ISO_DIRECTORY_TOO_LARGE", what, at(file, path));
}

export function interleaved(file: string, path: BytePath): UnsupportedError {
  return new UnsupportedError("ISO_INTERLEAVED", "the file is interleaved with others", at(file, path));
}

export function nameUnsafe(name: BytePath, file: string, path: BytePath): CorruptError {
  return new CorruptError("ISO_NAME", `no file can be named ${JSON.stringify(displayPath(name))}`, at(file, path));
}

export function rockRidgeDamaged(what: string, file: string, path: BytePath): CorruptError {
  return new CorruptError("ISO_ROCK_RIDGE", `Rock Ridge field: ${what}`, at(file, path));
}

export function sparse(file: string, path: BytePath): UnsupportedError {
  return new UnsupportedError(
    "ISO_SPARSE",
    "the file is stored sparsely (Rock Ridge SF), which is not read",
    at(file, path),
  );
}

export function tooDeep(limit: number, file: string, path: BytePath): CorruptError {
  return new CorruptError("ISO_TOO_DEEP", `directories are nested more than ${limit} deep`, at(file, path));
}

export function tooManyEntries(limit: number, file: string): CorruptError {
  return new CorruptError("ISO_TOO_MANY_ENTRIES", `there are more than ${limit} entries`, { where: { file } });
}

/** A recoverable oddity. `path` is inside the file system. */
export function warn(ctx: Context, code: string, message: string, file: string, path: BytePath): void {
  ctx.diagnostic({ code, severity: "warning", message, ...at(file, path) });
}
