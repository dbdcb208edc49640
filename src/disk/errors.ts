import type { Diagnostic } from "../context.ts";
import { CorruptError, NotFoundError, UnsupportedError } from "../errors.ts";

/** DISK_CAPACITY: the package promises another size than the disk has. Sizes are bytes. */
export function capacityDiffers(file: string, declared: number, found: number): Diagnostic {
  return {
    code: "DISK_CAPACITY",
    severity: found < declared ? "warning" : "info",
    message: `the package declares a disk of ${declared} bytes but the image holds one of ${found}`,
    where: { file },
  };
}

/** DISK_CHAIN: an image that is its own parent by some way, or has too many. */
export function chainBroken(file: string, name: string, depth: number): CorruptError {
  return new CorruptError("DISK_CHAIN", `${JSON.stringify(name)} closes a circle or comes after ${depth} others`, {
    where: { file },
  });
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

/** DISK_PARENT_CHANGED: what stands under the parent's name is not the parent, or not as it was. */
export function parentChanged(file: string, parent: string, expected: string): CorruptError {
  return new CorruptError("DISK_PARENT_CHANGED", `${JSON.stringify(parent)} is not the parent ${expected}`, {
    where: { file },
    advice: "the child fits only the parent as it was: find that copy",
  });
}

/** DISK_PARENT_MISSING: the package does not hold the parent. */
export function parentMissing(file: string, parent: string, names: readonly string[]): NotFoundError {
  const looked = names.map((name) => JSON.stringify(name)).join(" and ");
  return new NotFoundError("DISK_PARENT_MISSING", `the parent ${parent} is not there`, {
    where: { file },
    advice: `put it beside the image${looked === "" ? "" : ` as ${looked}`}, or merge the images first`,
  });
}

/** DISK_TABLES_TOO_LARGE: block maps that leave the memory allowed for tables. Bytes. */
export function tablesTooLarge(file: string, bytes: number): CorruptError {
  return new CorruptError(
    "DISK_TABLES_TOO_LARGE",
    `a table of ${bytes} bytes is more than is left of the limit for tables`,
    { where: { file } },
  );
}

/** DISK_WRAPPED_TWICE: gzip inside gzip. */
export function wrappedTwice(file: string): UnsupportedError {
  return new UnsupportedError("DISK_WRAPPED_TWICE", "the image is gzip inside gzip", {
    where: { file },
    advice: "decompress it first",
  });
}

/** DISK_WRAPPING: the image is gzip, and went through a temporary file. */
export function wrappingUndone(file: string, size: number): Diagnostic {
  return {
    code: "DISK_WRAPPING",
    severity: "info",
    message: `the image is gzip and was decompressed once into a temporary file of ${size} bytes`,
    where: { file },
  };
}
