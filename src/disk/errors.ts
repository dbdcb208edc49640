import type { Diagnostic } from "../context.ts";
import { CorruptError, UnsupportedError } from "../errors.ts";

/** DISK_CAPACITY: the package promises another size than the disk has. Sizes are bytes. */
export function capacityDiffers(file: string, declared: number, found: number): Diagnostic {
  return {
    code: "DISK_CAPACITY",
    severity: found < declared ? "warning" : "info",
    message: `the package declares a disk of ${declared} bytes but the image holds one of ${found}`,
    where: { file },
  };
}

/** DISK_EMPTY: a disk without a single byte. */
export function diskEmpty(file: string): CorruptError {
  return new CorruptError("DISK_EMPTY", "the disk image is empty", { where: { file } });
}

/** DISK_FORMAT_MISMATCH: the declared format is not what the bytes say. */
export function formatDiffers(file: string, declared: string, found: string, used: string): Diagnostic {
  return {
    code: "DISK_FORMAT_MISMATCH",
    severity: "warning",
    message: `the disk is declared as ${declared} but starts as ${found}; it is read as ${used}`,
    where: { file },
  };
}

/** DISK_FORMAT_UNKNOWN: a format name that the catalog does not have. */
export function formatUnknown(file: string, name: string): UnsupportedError {
  return new UnsupportedError("DISK_FORMAT_UNKNOWN", `no disk format is called ${JSON.stringify(name)}`, {
    where: { file },
  });
}

/** DISK_FORMAT_UNSUPPORTED: recognised, but not read. */
export function formatUnsupported(file: string, title: string, advice: string): UnsupportedError {
  return new UnsupportedError("DISK_FORMAT_UNSUPPORTED", `${title} is not read`, { where: { file }, advice });
}
