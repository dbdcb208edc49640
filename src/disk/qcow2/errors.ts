import type { Diagnostic } from "../../context.ts";
import { CorruptError, UnsupportedError } from "../../errors.ts";

/** QCOW2_BACKING_FORMAT: the image does not tell as what its backing file is to be read, and that has a format. */
export function backingFormatMissing(file: string, name: string, found: string): UnsupportedError {
  return new UnsupportedError(
    "QCOW2_BACKING_FORMAT",
    `the backing file ${JSON.stringify(name)} looks like ${found}, but the image does not say that it is`,
    { where: { file }, advice: `if it is, say so with qemu-img rebase -u -b ${JSON.stringify(name)} -F ${found}` },
  );
}

/** QCOW2_CLUSTER_DAMAGED: a compressed cluster does not inflate to what it should. */
export function clusterDamaged(file: string, offset: number, what: string, cause?: unknown): CorruptError {
  return new CorruptError("QCOW2_CLUSTER_DAMAGED", `a compressed cluster is damaged (${what})`, {
    where: { file, offset },
    cause,
  });
}

/** QCOW2_CLUSTER_OUT_OF_RANGE: a cluster leaves the file. Bytes. */
export function clusterOutOfRange(file: string, at: number, offset: number, size: number): CorruptError {
  return new CorruptError(
    "QCOW2_CLUSTER_OUT_OF_RANGE",
    `the cluster for disk offset 0x${at.toString(16)} leaves the file of ${size} bytes`,
    { where: { file, offset }, advice: "the file is truncated: copy or export it again" },
  );
}

/** QCOW2_COMPRESSION: a compression that is not known. */
export function compressionUnknown(file: string, type: number): UnsupportedError {
  return new UnsupportedError("QCOW2_COMPRESSION", `compression type ${type} is not known`, {
    where: { file, offset: 0x68 },
  });
}

/** QCOW2_CORRUPT: QEMU found damage and marked the image. */
export function markedCorrupt(file: string): CorruptError {
  return new CorruptError("QCOW2_CORRUPT", "QEMU has marked the image as corrupt", {
    where: { file, offset: 0x48 },
    advice: "repair a copy with qemu-img check -r all",
  });
}

/** QCOW2_ENCRYPTED: clusters are encrypted. */
export function encrypted(file: string, method: number): UnsupportedError {
  return new UnsupportedError("QCOW2_ENCRYPTED", `the image is encrypted with ${method === 1 ? "AES" : "LUKS"}`, {
    where: { file, offset: 0x20 },
    advice: "decrypt it first with qemu-img convert",
  });
}

/** QCOW2_ENTRY: a table entry that cannot be. */
export function entryDamaged(file: string, at: number, what: string): CorruptError {
  return new CorruptError("QCOW2_ENTRY", `the entry for disk offset 0x${at.toString(16)} tells ${what}`, {
    where: { file },
  });
}

/** QCOW2_EXTENSION: a header extension leaves the header. */
export function extensionDamaged(file: string, offset: number, type: number, length: number): CorruptError {
  return new CorruptError(
    "QCOW2_EXTENSION",
    `header extension 0x${type.toString(16)} of ${length} bytes leaves the header`,
    { where: { file, offset } },
  );
}

/** QCOW2_FEATURE: features that change how the image is read. */
export function featureUnknown(file: string, bits: number): UnsupportedError {
  return new UnsupportedError("QCOW2_FEATURE", `incompatible features 0x${bits.toString(16)} are not known`, {
    where: { file, offset: 0x48 },
  });
}

/** QCOW2_FILE_NAME: an image names its base or its data by something else than a file beside it. */
export function fileNameRefused(file: string, name: string): UnsupportedError {
  return new UnsupportedError("QCOW2_FILE_NAME", `${JSON.stringify(name)} is not the name of a file beside the image`, {
    where: { file },
    advice: "only files of the same folder or package are read",
  });
}

/** QCOW2_GEOMETRY: sizes in the header that cannot be. */
export function geometryDamaged(file: string, what: string): CorruptError {
  return new CorruptError("QCOW2_GEOMETRY", `the header tells ${what}`, { where: { file, offset: 0 } });
}

/** QCOW2_NOT_RECOGNISED: declared as QCOW2, or called that by another image, without its magic. */
export function notQcow2(file: string): CorruptError {
  return new CorruptError("QCOW2_NOT_RECOGNISED", 'the file does not start with "QFI\\xfb"', {
    where: { file, offset: 0 },
  });
}

/** QCOW2_TABLE_OUT_OF_RANGE: an L1 or L2 table leaves the file, or does not start at a cluster. */
export function tableOutOfRange(
  file: string,
  level: 1 | 2,
  offset: number,
  length: number,
  size: number,
): CorruptError {
  return new CorruptError(
    "QCOW2_TABLE_OUT_OF_RANGE",
    `an L${level} table of ${length} bytes is not aligned or leaves the file of ${size} bytes`,
    { where: { file, offset } },
  );
}

/** QCOW2_TOO_LARGE: a disk beyond what QEMU opens. Bytes. */
export function diskTooLarge(file: string, size: number, most: number): UnsupportedError {
  return new UnsupportedError(
    "QCOW2_TOO_LARGE",
    `a disk of ${size} bytes is more than the ${most} that QCOW2 can have`,
    {
      where: { file },
    },
  );
}

/** QCOW2_UNCLEAN: the image was not closed. */
export function notClosed(file: string): Diagnostic {
  return {
    code: "QCOW2_UNCLEAN",
    severity: "warning",
    message: "the image was not closed cleanly; its reference counts may be stale, which does not matter for reading",
    where: { file },
  };
}
