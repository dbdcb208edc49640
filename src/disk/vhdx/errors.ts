import type { Diagnostic } from "../../context.ts";
import { CorruptError, UnsupportedError } from "../../errors.ts";

const TRUNCATED = "the file may be truncated: copy or export it again";

/** VHDX_BLOCK_OUT_OF_RANGE: a block leaves the file. */
export function blockOutOfRange(file: string, block: number, offset: number, size: number): CorruptError {
  return new CorruptError("VHDX_BLOCK_OUT_OF_RANGE", `block ${block} leaves the file of ${size} bytes`, {
    where: { file, offset },
    advice: TRUNCATED,
  });
}

/** VHDX_BLOCK_STATE: a block in a state that cannot be. */
export function blockStateUnknown(file: string, block: number, state: number): CorruptError {
  return new CorruptError("VHDX_BLOCK_STATE", `block ${block} is in state ${state}, which such a disk does not have`, {
    where: { file },
  });
}

/** VHDX_HEADER: neither header has its checksum. */
export function headersDamaged(file: string): CorruptError {
  return new CorruptError("VHDX_HEADER", "neither of the two headers is sound", {
    where: { file, offset: 0x10000 },
    advice: TRUNCATED,
  });
}

/** VHDX_LOG: the log leaves the file, or replaying it would take too much. */
export function logDamaged(file: string, offset: number, what: string): CorruptError {
  return new CorruptError("VHDX_LOG", `the log ${what}`, { where: { file, offset } });
}

/** VHDX_LOG_REPLAYED: the image was copied while it was open; what its log holds is taken into account. */
export function logReplayed(file: string, entries: number): Diagnostic {
  return {
    code: "VHDX_LOG_REPLAYED",
    severity: "warning",
    message: `the image was not closed cleanly; ${entries} entries of its log are taken into account`,
    where: { file },
    advice: "shut the machine down before its disk is copied",
  };
}

/** VHDX_METADATA: an item of the metadata is missing, damaged or cannot be. */
export function metadataDamaged(file: string, what: string, offset?: number): CorruptError {
  return new CorruptError("VHDX_METADATA", `the metadata has ${what}`, {
    where: offset === undefined ? { file } : { file, offset },
  });
}

/** VHDX_METADATA_UNKNOWN: an item or region that a reader must know. */
export function metadataUnknown(file: string, guid: string): UnsupportedError {
  return new UnsupportedError("VHDX_METADATA_UNKNOWN", `the image requires ${guid} to be understood`, {
    where: { file },
  });
}

/** VHDX_NOT_RECOGNISED: declared as VHDX without its signature. */
export function notVhdx(file: string): CorruptError {
  return new CorruptError("VHDX_NOT_RECOGNISED", 'the file does not start with "vhdxfile"', {
    where: { file, offset: 0 },
  });
}

/** VHDX_REGION: the region tables are damaged, or a region is missing or leaves the file. */
export function regionDamaged(file: string, what: string): CorruptError {
  return new CorruptError("VHDX_REGION", `${what}`, { where: { file, offset: 0x30000 }, advice: TRUNCATED });
}

/** VHDX_TRUNCATED: the file is shorter than its log says that it was. Bytes. */
export function fileTruncated(file: string, expected: number, found: number): CorruptError {
  return new CorruptError("VHDX_TRUNCATED", `${expected - found} of ${expected} bytes are missing`, {
    where: { file, offset: found },
    advice: TRUNCATED,
  });
}

/** VHDX_VERSION: a version of the image or of its log that is not known. */
export function versionUnknown(file: string, version: number, logVersion: number): UnsupportedError {
  return new UnsupportedError(
    "VHDX_VERSION",
    `VHDX version ${version} with a log of version ${logVersion} is not read`,
    {
      where: { file },
    },
  );
}
