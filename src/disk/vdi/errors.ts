import { CorruptError, UnsupportedError } from "../../errors.ts";

/** VDI_BLOCK_OUT_OF_RANGE: a block ends behind the end of the file. Bytes. */
export function blockOutOfRange(file: string, block: number, index: number, end: number, size: number): CorruptError {
  return new CorruptError(
    "VDI_BLOCK_OUT_OF_RANGE",
    `block ${block}, which is number ${index} of the file, should end at 0x${end.toString(16)}, ${end - size} bytes behind the end`,
    { where: { file }, advice: "the file is truncated: copy or export it again" },
  );
}

/** VDI_BLOCK_REPEATED: two blocks of the disk in the same place. */
export function blockRepeated(file: string, block: number, index: number): CorruptError {
  return new CorruptError(
    "VDI_BLOCK_REPEATED",
    `block ${block} is number ${index} of the file, as an earlier block is`,
    { where: { file } },
  );
}

/** VDI_GEOMETRY: sizes in the header that cannot be. */
export function geometryDamaged(file: string, what: string): CorruptError {
  return new CorruptError("VDI_GEOMETRY", `the header tells ${what}`, { where: { file, offset: 0x170 } });
}

/** VDI_MAP_OUT_OF_RANGE: the map of blocks leaves the file. */
export function mapOutOfRange(file: string, offset: number, blocks: number, size: number): CorruptError {
  return new CorruptError("VDI_MAP_OUT_OF_RANGE", `a map of ${blocks} blocks leaves the file of ${size} bytes`, {
    where: { file, offset },
  });
}

/** VDI_NOT_RECOGNISED: declared as VDI without its signature. */
export function notVdi(file: string): CorruptError {
  return new CorruptError("VDI_NOT_RECOGNISED", "the signature 0xbeda107f is not there", {
    where: { file, offset: 0x40 },
  });
}

/** VDI_TYPE: an image type that is not known, undo images among them. */
export function typeUnknown(file: string, type: number): UnsupportedError {
  return new UnsupportedError("VDI_TYPE", `VDI images of type ${type} are not read`, { where: { file, offset: 0x4c } });
}

/** VDI_VERSION: another version than 1, as VirtualBox wrote before 2006. */
export function versionUnknown(file: string, version: number): UnsupportedError {
  return new UnsupportedError(
    "VDI_VERSION",
    `VDI images of version ${version >>> 16}.${version & 0xffff} are not read`,
    { where: { file, offset: 0x44 }, advice: "let VirtualBox clone the disk, which makes it version 1.1" },
  );
}
