import type { BytePath } from "../../bytes/byte-path.ts";
import { displayPath } from "../../bytes/byte-path.ts";
import { CorruptError, UnsupportedError, type Where } from "../../errors.ts";

function at(file: string, path?: BytePath): { where: Where } {
  return { where: path === undefined ? { file } : { file, path: displayPath(path) } };
}

export function bootSectorDamaged(flaw: string, file: string): CorruptError {
  return new CorruptError("FAT_BOOT_SECTOR", `the boot sector is not that of a FAT volume: ${flaw}`, {
    where: { file, offset: 0 },
  });
}

export function chainBroken(cluster: number, next: string, file: string, path: BytePath): CorruptError {
  return new CorruptError("FAT_CHAIN_BROKEN", `cluster ${cluster} is followed by ${next}`, at(file, path));
}

export function chainLoops(cluster: number, file: string, path: BytePath): CorruptError {
  return new CorruptError("FAT_CHAIN_LOOP", `the chain of clusters comes back to cluster ${cluster}`, at(file, path));
}

export function chainShort(found: number, expected: number, file: string, path: BytePath): CorruptError {
  return new CorruptError(
    "FAT_CHAIN_SHORT",
    `${expected} clusters are expected but the chain ends after ${found}`,
    at(file, path),
  );
}

export function directoryRevisited(file: string, path: BytePath): CorruptError {
  return new CorruptError("FAT_DIRECTORY_LOOP", "the directory is in the tree twice", at(file, path));
}

export function directoryTooLarge(bytes: number, limit: number, file: string, path: BytePath): CorruptError {
  return new CorruptError(
    "FAT_DIRECTORY_TOO_LARGE",
    `a directory has at most ${limit} bytes, but this one has ${bytes} or more`,
    at(file, path),
  );
}

export function firstClusterMissing(cluster: number, clusters: number, file: string, path: BytePath): CorruptError {
  return new CorruptError(
    "FAT_FIRST_CLUSTER",
    `the first cluster is ${cluster}, but they run from 2 to ${clusters + 1}`,
    at(file, path),
  );
}

export function nameUnsafe(name: BytePath, file: string, path: BytePath): CorruptError {
  return new CorruptError("FAT_NAME", `no file can be named ${JSON.stringify(displayPath(name))}`, at(file, path));
}

export function tableTooLarge(bytes: number, limit: number, file: string): UnsupportedError {
  return new UnsupportedError(
    "FAT_TABLE_TOO_LARGE",
    `the table has ${bytes} bytes, which is more than the ${limit} that are held in memory`,
    at(file),
  );
}

export function tooDeep(limit: number, file: string, path: BytePath): CorruptError {
  return new CorruptError("FAT_TOO_DEEP", `directories are nested more than ${limit} deep`, at(file, path));
}

export function tooManyEntries(limit: number, file: string): CorruptError {
  return new CorruptError("FAT_TOO_MANY_ENTRIES", `there are more than ${limit} entries`, at(file));
}
