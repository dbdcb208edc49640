import { CorruptError, UnsupportedError, UsageError } from "../../src/errors.ts";

const quote = (text: string): string => JSON.stringify(text);

export function diskInPieces(file: string): UnsupportedError {
  return new UnsupportedError("PACKAGE_DISK_IN_PIECES", "this is the description of a disk whose data is elsewhere", {
    where: { file },
    advice: "put it into a folder with an .ovf that lists all its files, or convert it into one file first",
  });
}

export function layoutMissing(file: string, found: number): CorruptError {
  return new CorruptError("PACKAGE_LAYOUT", `the artifact has ${found} layouts instead of one`, { where: { file } });
}

export function layoutNonsense(file: string, what: string): CorruptError {
  return new CorruptError("PACKAGE_LAYOUT", `the layout of the package makes no sense: ${what}`, { where: { file } });
}

export function layoutVersion(file: string, found: string, known: string): UnsupportedError {
  return new UnsupportedError("PACKAGE_LAYOUT_VERSION", `the layout is ${quote(found)} instead of ${quote(known)}`, {
    where: { file },
    advice: "a later version of transload made the artifact: use that",
  });
}

export function memberUnsafe(name: string, file: string): UnsupportedError {
  return new UnsupportedError("PACKAGE_MEMBER_NAME", `${quote(name)} cannot be the name of a file in a folder`, {
    where: { file },
    advice: "convert it into an archive (ova:), which keeps all names as they are",
  });
}

export function membersTooMany(file: string, limit: number): UnsupportedError {
  return new UnsupportedError("PACKAGE_MEMBERS", `the list of members takes more than ${limit} bytes`, {
    where: { file },
    advice: "registries take no larger manifests",
  });
}

/** `wanted` is how the package is written. */
export function targetWrong(held: string, target: string, wanted: string): UsageError {
  return new UsageError("PACKAGE_TARGET", `the artifact holds ${held}, which cannot become ${target}`, {
    advice: `write ${wanted}`,
  });
}

export function titleUnsafe(title: string, why: string, file: string): CorruptError {
  return new CorruptError("PACKAGE_TITLE", `the title ${quote(title)} of a layer ${why}`, { where: { file } });
}
