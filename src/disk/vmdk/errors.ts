import type { Diagnostic } from "../../context.ts";
import { CorruptError, UnsupportedError } from "../../errors.ts";

const SECTOR = 512;

function warning(code: string, message: string, file: string, advice?: string): Diagnostic {
  return { code, severity: "warning", message, where: { file }, ...(advice === undefined ? {} : { advice }) };
}

/** VMDK_CAPACITY_MISMATCH: extent line and header tell sizes that no rounding explains. */
export function capacityDiffers(file: string, line: number, header: number): Diagnostic {
  return warning(
    "VMDK_CAPACITY_MISMATCH",
    `the descriptor tells ${line} sectors and the header ${header}; the header is believed`,
    file,
  );
}

/** VMDK_COMPRESSION: compressed in a way that is not read. */
export function compressionUnknown(file: string, what: string): UnsupportedError {
  return new UnsupportedError("VMDK_COMPRESSION", `${what}: only zlib streams are read`, { where: { file } });
}

/** VMDK_DESCRIPTOR: a value of the descriptor that cannot be. */
export function descriptorDamaged(file: string, what: string): CorruptError {
  return new CorruptError("VMDK_DESCRIPTOR", `in the descriptor ${what}`, { where: { file } });
}

/** VMDK_DESCRIPTOR_MISSING: a sparse file without a descriptor, as the parts of a split disk are. */
export function descriptorMissing(file: string): Diagnostic {
  return warning(
    "VMDK_DESCRIPTOR_MISSING",
    "the sparse extent has no descriptor and is read as a whole disk",
    file,
    "if it is a part of a split disk, give the descriptor file instead",
  );
}

/** VMDK_DESCRIPTOR_OUT_OF_RANGE: the descriptor leaves the file, or is larger than any. Bytes. */
export function descriptorOutOfRange(file: string, offset: number, length: number, size: number): CorruptError {
  return new CorruptError(
    "VMDK_DESCRIPTOR_OUT_OF_RANGE",
    `a descriptor of ${length} bytes is too large or leaves the file of ${size} bytes`,
    { where: { file, offset } },
  );
}

/** VMDK_DEVICE_EXTENT: the disk was a device of its host. */
export function deviceExtent(file: string, type: string): UnsupportedError {
  return new UnsupportedError("VMDK_DEVICE_EXTENT", `a ${type} extent lies on a device of its host`, {
    where: { file },
    advice: "clone the disk into a file with the tools of its host",
  });
}

/** VMDK_DIRECTORY_OUT_OF_RANGE: no grain directory lies in the file. */
export function directoryOutOfRange(file: string, sector: number, entries: number, size: number): CorruptError {
  return new CorruptError(
    "VMDK_DIRECTORY_OUT_OF_RANGE",
    `the grain directory of ${entries} entries at sector ${sector} leaves the file of ${Math.floor(size / SECTOR)} sectors`,
    { where: { file, offset: sector * SECTOR } },
  );
}

/** VMDK_ENTRY: an entry of a seSparse directory or table that cannot be. */
export function entryDamaged(file: string, offset: number, high: number, low: number): CorruptError {
  const entry = `${high.toString(16).padStart(8, "0")}${low.toString(16).padStart(8, "0")}`;
  return new CorruptError("VMDK_ENTRY", `the entry for disk offset 0x${offset.toString(16)} is 0x${entry}`, {
    where: { file },
  });
}

/** VMDK_EXTENT_LINE: an extent line that cannot be understood. */
export function extentLineDamaged(file: string, line: string): CorruptError {
  return new CorruptError("VMDK_EXTENT_LINE", `the extent line ${JSON.stringify(line.slice(0, 200))} is damaged`, {
    where: { file },
  });
}

/** VMDK_EXTENT_NOT_SPARSE: the file of a sparse extent is no sparse extent that is read. */
export function extentNotSparse(file: string, type: string): UnsupportedError {
  return new UnsupportedError(
    "VMDK_EXTENT_NOT_SPARSE",
    `the file of a ${type} extent starts like none of the sparse kinds`,
    {
      where: { file },
      advice: "export the machine without snapshots",
    },
  );
}

/** VMDK_EXTENT_TOO_SMALL: the extent line promises more than the extent's header. Sectors. */
export function extentTooSmall(file: string, expected: number, found: number): CorruptError {
  return new CorruptError(
    "VMDK_EXTENT_TOO_SMALL",
    `the descriptor expects ${expected} sectors but the extent has ${found}`,
    { where: { file } },
  );
}

/** VMDK_EXTENT_TRUNCATED: a flat file is shorter than its extent. Bytes. */
export function extentFileTruncated(file: string, expected: number, found: number): CorruptError {
  return new CorruptError(
    "VMDK_EXTENT_TRUNCATED",
    `${expected - found} of the ${expected} bytes that the descriptor expects are missing`,
    { where: { file, offset: found } },
  );
}

/** VMDK_EXTENT_TYPE: an extent type that is not known. */
export function extentTypeUnknown(file: string, type: string): UnsupportedError {
  return new UnsupportedError("VMDK_EXTENT_TYPE", `extent type ${JSON.stringify(type)} is not known`, {
    where: { file },
  });
}

/** VMDK_FLAGS: header flags that change how the file is read. */
export function flagsUnknown(file: string, flags: number): UnsupportedError {
  return new UnsupportedError("VMDK_FLAGS", `header flags 0x${flags.toString(16)} are not all known`, {
    where: { file, offset: 8 },
  });
}

/** VMDK_FOOTER_MISSING: a stream without its end, and so without its grain directory. Sectors. */
export function footerMissing(file: string, sector: number, sectors: number): CorruptError {
  return new CorruptError(
    "VMDK_FOOTER_MISSING",
    `the stream has no footer: it was followed up to sector ${sector} of ${sectors}`,
    { where: { file, offset: sector * SECTOR }, advice: "the file is truncated: copy or export it again" },
  );
}

/** VMDK_GEOMETRY: sizes in the header that cannot be. */
export function geometryDamaged(file: string, what: string): CorruptError {
  return new CorruptError("VMDK_GEOMETRY", `the header tells ${what}`, { where: { file, offset: 0 } });
}

interface Place {
  readonly grain: number;
  readonly sector: number;
}

/** VMDK_GRAIN_DAMAGED: a compressed grain does not inflate to what it should. */
export function grainDamaged(file: string, { grain, sector }: Place, what: string, cause?: unknown): CorruptError {
  return new CorruptError("VMDK_GRAIN_DAMAGED", `grain ${grain} at sector ${sector} is damaged (${what})`, {
    where: { file, offset: sector * SECTOR },
    cause,
  });
}

/** VMDK_GRAIN_MISPLACED: the marker in front of a grain names another one. */
export function grainMisplaced(file: string, { grain, sector }: Place, expected: number, found: number): CorruptError {
  return new CorruptError(
    "VMDK_GRAIN_MISPLACED",
    `grain ${grain} at sector ${sector} should hold disk sector ${expected} but says ${found}`,
    { where: { file, offset: sector * SECTOR } },
  );
}

/** VMDK_GRAIN_OUT_OF_RANGE: a grain leaves the file. */
export function grainOutOfRange(file: string, { grain, sector }: Place, size: number): CorruptError {
  return new CorruptError(
    "VMDK_GRAIN_OUT_OF_RANGE",
    `grain ${grain} at sector ${sector} leaves the file of ${Math.floor(size / SECTOR)} sectors`,
    { where: { file, offset: sector * SECTOR } },
  );
}

/** VMDK_GRAIN_TABLE_OUT_OF_RANGE: a grain table leaves the file. */
export function grainTableOutOfRange(file: string, table: number, sector: number, size: number): CorruptError {
  return new CorruptError(
    "VMDK_GRAIN_TABLE_OUT_OF_RANGE",
    `grain table ${table} at sector ${sector} leaves the file of ${Math.floor(size / SECTOR)} sectors`,
    { where: { file, offset: sector * SECTOR } },
  );
}

/** VMDK_JOURNAL: a seSparse file was not closed, and its journal is not read. */
export function journalPending(file: string): UnsupportedError {
  return new UnsupportedError("VMDK_JOURNAL", "the journal of the extent must be replayed first", {
    where: { file },
    advice: "start and shut down the machine, or let ESX consolidate its snapshots",
  });
}

/** VMDK_NEWLINES: the line ends in the header were changed on the way. */
export function newlinesDamaged(file: string): CorruptError {
  return new CorruptError("VMDK_NEWLINES", "the line ends in the header were converted", {
    where: { file, offset: 73 },
    advice: "the file was copied as text: copy it again as binary",
  });
}

/** VMDK_NO_EXTENTS: a disk without a sector. */
export function noExtents(file: string): CorruptError {
  return new CorruptError("VMDK_NO_EXTENTS", "the descriptor has no extents", { where: { file } });
}

/** VMDK_NOT_RECOGNISED: declared as VMDK, but neither a sparse extent nor a descriptor. */
export function notVmdk(file: string): CorruptError {
  return new CorruptError("VMDK_NOT_RECOGNISED", 'neither "KDMV" nor "# Disk DescriptorFile" is at the start', {
    where: { file, offset: 0 },
  });
}

/** VMDK_PARENT_CHAIN: parents in a circle, or too many. */
export function parentChainBroken(file: string, parent: string, depth: number): CorruptError {
  return new CorruptError(
    "VMDK_PARENT_CHAIN",
    `the parent ${JSON.stringify(parent)} closes a circle or comes after ${depth} others`,
    { where: { file } },
  );
}

/** VMDK_PARENT_CHANGED: the parent was written to after the child was made. */
export function parentChanged(file: string, parent: string, expected: number, found: number | undefined): CorruptError {
  return new CorruptError(
    "VMDK_PARENT_CHANGED",
    `the parent ${JSON.stringify(parent)} should have content id ${expected.toString(16)} but has ${found?.toString(16) ?? "none"}`,
    { where: { file }, advice: "the child fits only the parent as it was: find that copy" },
  );
}

/** VMDK_PARENT_UNNAMED: a child that does not tell its parent's file. */
export function parentUnnamed(file: string): CorruptError {
  return new CorruptError("VMDK_PARENT_UNNAMED", "the disk has a parent but no parentFileNameHint", {
    where: { file },
  });
}

/** VMDK_REDUNDANT_DIRECTORY: entries were taken from the second grain directory. */
export function redundantDirectoryUsed(file: string, entries: number): Diagnostic {
  return warning(
    "VMDK_REDUNDANT_DIRECTORY",
    `${entries} entries of the grain directory are damaged and were taken from the redundant one`,
    file,
  );
}

/** VMDK_SEVERAL_EXTENTS: a single file whose own descriptor lists something else than that file. */
export function severalExtents(file: string, count: number): UnsupportedError {
  return new UnsupportedError(
    "VMDK_SEVERAL_EXTENTS",
    `the descriptor inside a sparse extent lists ${count} extents instead of the one sparse one`,
    { where: { file } },
  );
}

/** VMDK_SIZE: a disk larger than numbers go. */
export function diskTooLarge(file: string, sectors: number): CorruptError {
  return new CorruptError("VMDK_SIZE", `a disk of ${sectors} sectors is too large`, { where: { file } });
}

/** VMDK_STREAM_TOO_LARGE: a disk larger than VMware has them, or more data than the tables of a stream can name. */
export function streamTooLarge(file: string, what: string): UnsupportedError {
  return new UnsupportedError("VMDK_STREAM_TOO_LARGE", `${what} of a VMDK`, {
    where: { file },
    advice: "write qcow2 or raw instead",
  });
}

/** VMDK_TABLES_TOO_LARGE: grain directories that leave the memory allowed for tables. Bytes. */
export function tablesTooLarge(file: string, bytes: number): CorruptError {
  return new CorruptError(
    "VMDK_TABLES_TOO_LARGE",
    `a grain directory of ${bytes} bytes is more than is left of the limit for tables`,
    { where: { file } },
  );
}

/** VMDK_UNCLEAN: the machine was running, or died, when the file was copied. */
export function shutDownUncleanly(file: string): Diagnostic {
  return warning("VMDK_UNCLEAN", "the disk was not closed cleanly", file);
}

/** VMDK_VERSION: a header version that is not known. */
export function versionUnknown(file: string, version: number): UnsupportedError {
  return new UnsupportedError("VMDK_VERSION", `sparse extent version ${version} is not known`, {
    where: { file, offset: 4 },
  });
}
