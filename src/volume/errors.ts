import type { Diagnostic } from "../context.ts";
import { CorruptError, UnsupportedError } from "../errors.ts";

function warning(code: string, message: string, file: string, offset?: number): Diagnostic {
  return { code, severity: "warning", message, where: offset === undefined ? { file } : { file, offset } };
}

/** GPT_BACKUP_USED: the primary table is damaged and the backup was read instead. */
export function backupTableUsed(file: string, reason: string): Diagnostic {
  return warning("GPT_BACKUP_USED", `the backup partition table is used because ${reason}`, file);
}

/** GPT_ENTRY: an entry that ends before it begins. */
export function entryDamaged(file: string, number: number, first: number, last: number): Diagnostic {
  return warning("GPT_ENTRY", `partition ${number} from block ${first} to ${last} is left out`, file);
}

/** GPT_UNUSABLE: neither the primary partition table nor the backup can be read. */
export function tablesUnusable(file: string, primary: string, backup: string): CorruptError {
  return new CorruptError("GPT_UNUSABLE", `neither partition table can be used: ${primary}, and ${backup}`, {
    where: { file },
  });
}

/** MBR_CHAIN_BROKEN: the chain of logical partitions ends without its last record. */
export function chainBroken(file: string, offset: number, reason: string): Diagnostic {
  return warning("MBR_CHAIN_BROKEN", `the chain of logical partitions ends early because ${reason}`, file, offset);
}

/** MBR_CHAIN_ENDLESS: logical partitions in a circle, or more than any disk has. */
export function chainEndless(file: string, offset: number, records: number): CorruptError {
  return new CorruptError(
    "MBR_CHAIN_ENDLESS",
    `the chain of logical partitions returns to an earlier record or goes on after ${records}`,
    { where: { file, offset } },
  );
}

/** VOLUME_BEYOND_DISK: a partition that leaves the disk, as on a truncated image. Bytes. */
export function beyondDisk(file: string, id: string, end: number, size: number): Diagnostic {
  return warning(
    "VOLUME_BEYOND_DISK",
    `partition ${id} ends at byte ${end} of a disk of ${size}; what lies beyond cannot be read`,
    file,
  );
}

/** VOLUME_OVERLAP: two partitions share blocks. */
export function volumesOverlap(file: string, one: string, other: string): Diagnostic {
  return warning("VOLUME_OVERLAP", `the partitions ${one} and ${other} overlap`, file);
}

/** VOLUME_SCHEME_UNSUPPORTED: a partition table that is recognised, but not read. */
export function schemeUnsupported(file: string, title: string): UnsupportedError {
  return new UnsupportedError("VOLUME_SCHEME_UNSUPPORTED", `${title} is not read`, { where: { file } });
}
