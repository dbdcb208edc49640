import { CorruptError, OutputError, type Where } from "../errors.ts";

const quote = (text: string): string => JSON.stringify(text);

export function arDamaged(file: string, offset: number, reason: string): CorruptError {
  return new CorruptError("ARCHIVE_AR", `the ar archive is damaged: ${reason}`, { where: { file, offset } });
}

export function checksumWrong(file: string, offset: number, expected: number, found: number): CorruptError {
  return new CorruptError(
    "ARCHIVE_CHECKSUM",
    `the archive is damaged: a member header sums up to ${expected} but says ${found}`,
    { where: { file, offset } },
  );
}

export function contentSizeWrong(name: string, expected: number, found: number): OutputError {
  return new OutputError(
    "ARCHIVE_CONTENT_SIZE",
    `the content of ${quote(name)} was announced with ${expected} bytes but has ${found < expected ? "only" : "at least"} ${found}`,
  );
}

export function cpioDamaged(file: string, offset: number, reason: string): CorruptError {
  return new CorruptError("ARCHIVE_CPIO", `the cpio archive is damaged: ${reason}`, { where: { file, offset } });
}

export function indexTooLarge(file: string, offset: number, limit: number): CorruptError {
  return new CorruptError(
    "ARCHIVE_INDEX_TOO_LARGE",
    `the headers of the archive take up more than the ${limit} bytes that are allowed for them`,
    { where: { file, offset } },
  );
}

export function nameUnsafe(name: string): OutputError {
  return new OutputError(
    "ARCHIVE_NAME_UNSAFE",
    `the member name ${quote(name)} is not 1 to 100 ASCII characters, which every reader understands`,
  );
}

export function notTar(file: string): CorruptError {
  return new CorruptError("ARCHIVE_NOT_TAR", "this is not a tar archive", { where: { file } });
}

export function numberMalformed(field: string, text: string, where: Where): CorruptError {
  const sentence = `the field ${field} of a member header holds ${quote(text)} and no number`;
  return new CorruptError("ARCHIVE_NUMBER", sentence, { where });
}

export function numberTooLarge(field: string, where: Where): CorruptError {
  return new CorruptError("ARCHIVE_NUMBER", `the field ${field} of a member header is out of range`, { where });
}

export function paxNumberMalformed(file: string, offset: number, key: string, text: string): CorruptError {
  return new CorruptError("ARCHIVE_NUMBER", `the pax record ${key} holds ${quote(text.slice(0, 40))} and no number`, {
    where: { file, offset },
  });
}

export function paxRecordMalformed(file: string, offset: number): CorruptError {
  return new CorruptError("ARCHIVE_PAX_RECORD", "a pax header holds no record where one should begin", {
    where: { file, offset },
  });
}

export function rpmDamaged(file: string, offset: number, reason: string): CorruptError {
  return new CorruptError("ARCHIVE_RPM", `the RPM package is damaged: ${reason}`, { where: { file, offset } });
}

export function sizeNegative(file: string, offset: number, size: number): CorruptError {
  return new CorruptError("ARCHIVE_NUMBER", `a member says that it is ${size} bytes long`, { where: { file, offset } });
}

/** `what` begins the sentence: a member's name in quotes, or "a member header". */
export function archiveTruncated(what: string, missing: number, size: number, file: string, end: number): CorruptError {
  return new CorruptError(
    "ARCHIVE_TRUNCATED",
    `the archive is cut off: ${missing} of the ${size} bytes of ${what} are missing`,
    { where: { file, offset: end } },
  );
}

export function memberMissing(file: string, end: number): CorruptError {
  return new CorruptError(
    "ARCHIVE_TRUNCATED",
    "the archive is cut off: an extended header announces a member that is missing",
    { where: { file, offset: end } },
  );
}
