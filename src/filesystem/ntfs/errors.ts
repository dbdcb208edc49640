import { type BytePath, displayPath } from "../../bytes/byte-path.ts";
import type { Context, Diagnostic } from "../../context.ts";
import { CorruptError, UnsupportedError, type Where } from "../../errors.ts";

const REPAIR = "Check the volume with chkdsk in Windows, shut it down and export the machine again.";

function at(file: string, path: BytePath): Where {
  return { file, path: displayPath(path) };
}

export function attributeDamaged(record: number, what: string, file: string): CorruptError {
  return new CorruptError("NTFS_ATTRIBUTE", `file record ${record}: ${what}`, { where: { file }, advice: REPAIR });
}

export function bootSectorDamaged(what: string, file: string): CorruptError {
  return new CorruptError("NTFS_BOOT_SECTOR", `the boot sector is damaged: ${what}`, { where: { file, offset: 0 } });
}

export function compressedDamaged(unit: number, what: string, file: string): CorruptError {
  return new CorruptError("NTFS_COMPRESSED", `compression unit ${unit} is damaged: ${what}`, { where: { file } });
}

export function compressionUnknown(what: string, file: string): UnsupportedError {
  return new UnsupportedError("NTFS_COMPRESSION", `the file is compressed in a way that is not known: ${what}`, {
    where: { file },
  });
}

export function contentElsewhere(what: string, file: string, path: BytePath): UnsupportedError {
  return new UnsupportedError("NTFS_REPARSE", `${what}, so its content cannot be read`, {
    where: at(file, path),
    advice: ADVICE.NTFS_REPARSE,
  });
}

export function directoryRevisited(record: number, file: string, path: BytePath): CorruptError {
  return new CorruptError("NTFS_DIRECTORY_CYCLE", `directory ${record} is reached a second time`, {
    where: at(file, path),
  });
}

export function encrypted(file: string, path: BytePath): UnsupportedError {
  return new UnsupportedError("NTFS_ENCRYPTED", "the file is encrypted (EFS) and cannot be read without its key", {
    where: at(file, path),
    advice: ADVICE.NTFS_ENCRYPTED,
  });
}

export function fixupDamaged(what: string, sector: number, file: string): CorruptError {
  return new CorruptError("NTFS_FIXUP", `${what} was not written to its end: sector ${sector} is of another time`, {
    where: { file },
    advice: REPAIR,
  });
}

export function indexDamaged(record: number, what: string, file: string): CorruptError {
  return new CorruptError("NTFS_INDEX", `directory ${record}: ${what}`, { where: { file }, advice: REPAIR });
}

export function nameUnsafe(name: BytePath, file: string, path: BytePath): CorruptError {
  return new CorruptError("NTFS_NAME", `no file can be named ${JSON.stringify(displayPath(name))}`, {
    where: at(file, path),
  });
}

export function recordDamaged(what: string, how: string, file: string): CorruptError {
  return new CorruptError("NTFS_RECORD", `${what} ${how}`, { where: { file }, advice: REPAIR });
}

export function runsDamaged(record: number, what: string, file: string): CorruptError {
  return new CorruptError("NTFS_RUNS", `runs of file record ${record}: ${what}`, { where: { file }, advice: REPAIR });
}

export function tooDeep(limit: number, file: string, path: BytePath): CorruptError {
  return new CorruptError("NTFS_TOO_DEEP", `directories are nested more than ${limit} deep`, { where: at(file, path) });
}

export function tooLarge(what: string, bytes: number, limit: number, file: string): CorruptError {
  return new CorruptError("NTFS_TOO_LARGE", `${what} has ${bytes} bytes, which is more than ${limit}`, {
    where: { file },
  });
}

export function tooManyEntries(limit: number, file: string): CorruptError {
  return new CorruptError("NTFS_TOO_MANY_ENTRIES", `there are more than ${limit} entries`, { where: { file } });
}

const ADVICE = {
  NTFS_DIRTY: "Start the machine, shut it down without fast start-up, then export it again.",
  NTFS_ENCRYPTED: "Decrypt it in the running machine, or leave it out.",
  NTFS_REPARSE:
    "Restore it in the running machine (compact /u, a download, or the end of deduplication), or leave it out.",
  NTFS_STREAMS: "Copy what matters in them to files in the running machine.",
} as const;

/** What can be read past but is not carried. */
export function warn(ctx: Context, code: keyof typeof ADVICE, message: string, where: Where): void {
  const diagnostic: Diagnostic = { code, severity: "warning", message, where, advice: ADVICE[code] };
  ctx.diagnostic(diagnostic);
}
