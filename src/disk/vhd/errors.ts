import type { Diagnostic } from "../../context.ts";
import { CorruptError, UnsupportedError } from "../../errors.ts";

/** VHD_BLOCK_OUT_OF_RANGE: a block leaves the file. */
export function blockOutOfRange(file: string, block: number, sector: number, size: number): CorruptError {
  return new CorruptError(
    "VHD_BLOCK_OUT_OF_RANGE",
    `block ${block} at sector ${sector} leaves the file of ${size} bytes`,
    { where: { file, offset: sector * 512 }, advice: "the file is truncated: copy or export it again" },
  );
}

/** VHD_CHECKSUM: neither copy of the footer, or not the header, has its checksum. */
export function checksumWrong(file: string, what: string, offset: number): CorruptError {
  return new CorruptError("VHD_CHECKSUM", `the checksum of the ${what} is wrong`, { where: { file, offset } });
}

/** VHD_FOOTER: the copy of the footer at the start of the file is used. */
export function footerCopyUsed(file: string): Diagnostic {
  return {
    code: "VHD_FOOTER",
    severity: "warning",
    message: "the footer is missing or damaged; its copy at the start is used",
    where: { file },
    advice: "the file may be truncated: copy or export it again",
  };
}

/** VHD_GEOMETRY: sizes in footer or header that cannot be. */
export function geometryDamaged(file: string, what: string): CorruptError {
  return new CorruptError("VHD_GEOMETRY", `the image tells ${what}`, { where: { file } });
}

/** VHD_NOT_RECOGNISED: declared as VHD without a footer. */
export function notVhd(file: string): CorruptError {
  return new CorruptError("VHD_NOT_RECOGNISED", 'no footer with "conectix" is at the start or the end', {
    where: { file },
  });
}

/** VHD_TABLE_OUT_OF_RANGE: header or block allocation table leave the file. */
export function tableOutOfRange(
  file: string,
  what: string,
  offset: number,
  length: number,
  size: number,
): CorruptError {
  return new CorruptError("VHD_TABLE_OUT_OF_RANGE", `the ${what} of ${length} bytes leaves the file of ${size} bytes`, {
    where: { file, offset },
  });
}

/** VHD_TRUNCATED: a fixed disk is shorter than it says. Bytes. */
export function fixedTruncated(file: string, expected: number, found: number): CorruptError {
  return new CorruptError("VHD_TRUNCATED", `${expected - found} of the ${expected} bytes of the disk are missing`, {
    where: { file, offset: found },
  });
}

/** VHD_TYPE: a disk type that is not known. */
export function typeUnknown(file: string, type: number): UnsupportedError {
  return new UnsupportedError("VHD_TYPE", `VHD disks of type ${type} are not read`, { where: { file } });
}
