import { type BytePath, displayPath } from "../../bytes/byte-path.ts";
import type { Context } from "../../context.ts";
import { CorruptError, type ErrorDetails } from "../../errors.ts";

function at(file: string, path: BytePath): ErrorDetails {
  return { where: path === "" ? { file } : { file, path: displayPath(path) } };
}

export function bootSectorDamaged(what: string, file: string): CorruptError {
  return new CorruptError("EXFAT_BOOT_SECTOR", `the boot sector is damaged: ${what}`, { where: { file, offset: 0 } });
}

export function chainBroken(cluster: number, next: string, file: string, path: BytePath): CorruptError {
  return new CorruptError("EXFAT_CHAIN_BROKEN", `cluster ${cluster} is followed by ${next}`, at(file, path));
}

export function chainLoops(cluster: number, file: string, path: BytePath): CorruptError {
  return new CorruptError("EXFAT_CHAIN_LOOP", `the chain of clusters comes back to cluster ${cluster}`, at(file, path));
}

export function chainShort(found: number, expected: number, file: string, path: BytePath): CorruptError {
  const what = `${expected} clusters are expected but the chain ends after ${found}`;
  return new CorruptError("EXFAT_CHAIN_SHORT", what, at(file, path));
}

export function clusterOutOfRange(
  first: number,
  count: number,
  clusters: number,
  file: string,
  path: BytePath,
): CorruptError {
  const what = `it has ${count} clusters from ${first} on, but they run from 2 to ${clusters + 1}`;
  return new CorruptError("EXFAT_CLUSTER_OUT_OF_RANGE", what, at(file, path));
}

export function directoryDamaged(what: string, position: number, file: string, path: BytePath): CorruptError {
  return new CorruptError("EXFAT_DIRECTORY", `entry ${position / 32} of a directory: ${what}`, {
    ...at(file, path),
    advice: "Repair a copy of the disk with fsck.exfat and convert that.",
  });
}

export function directoryRevisited(file: string, path: BytePath): CorruptError {
  return new CorruptError("EXFAT_DIRECTORY_LOOP", "the directory is in the tree twice", at(file, path));
}

export function directoryTooLarge(bytes: number, limit: number, file: string, path: BytePath): CorruptError {
  const what = `a directory has at most ${limit} bytes, but this one has ${bytes} or more`;
  return new CorruptError("EXFAT_DIRECTORY_TOO_LARGE", what, at(file, path));
}

export function nameUnsafe(name: BytePath, file: string, path: BytePath): CorruptError {
  return new CorruptError("EXFAT_NAME", `no file can be named ${JSON.stringify(displayPath(name))}`, at(file, path));
}

export function sizeDamaged(what: string, file: string, path: BytePath): CorruptError {
  return new CorruptError("EXFAT_SIZE", what, at(file, path));
}

export function tooDeep(limit: number, file: string, path: BytePath): CorruptError {
  return new CorruptError("EXFAT_TOO_DEEP", `directories are nested more than ${limit} deep`, at(file, path));
}

export function tooManyEntries(limit: number, file: string): CorruptError {
  return new CorruptError("EXFAT_TOO_MANY_ENTRIES", `there are more than ${limit} entries`, { where: { file } });
}

/** Damage that can be read past. */
export function warn(
  ctx: Context,
  code: "EXFAT_BACKUP" | "EXFAT_DIRTY" | "EXFAT_ENTRY",
  message: string,
  file: string,
  path: BytePath,
): void {
  ctx.diagnostic({ code, severity: "warning", message, where: { file, path: displayPath(path) } });
}
