import type { Digest } from "../bytes/digest.ts";
import { CorruptError, NotFoundError, OutputError, TemporaryError, UnsupportedError, UsageError } from "../errors.ts";

const quote = (text: string): string => JSON.stringify(text);

const MOST_LISTED = 20;

/** For an advice, which nobody reads to the end of a thousand names. */
function listed(names: readonly string[]): string {
  const more = names.length > MOST_LISTED ? ` and ${names.length - MOST_LISTED} more` : "";
  return `${names.slice(0, MOST_LISTED).map(quote).join(", ")}${more}`;
}

export function ambiguous(file: string, names: readonly string[]): UsageError {
  const known = names.length === 0 ? "none of them has a name" : `they are named ${listed(names)}`;
  return new UsageError("TRANSPORT_AMBIGUOUS", "there is more than one image and none is named in the reference", {
    where: { file },
    advice: `Add the name of one behind a colon: ${known}.`,
  });
}

export function archiveManifest(file: string, what: string): CorruptError {
  return new CorruptError("TRANSPORT_ARCHIVE_MANIFEST", what, { where: { file } });
}

export function blobMissing(file: string, digest: Digest): CorruptError {
  return new CorruptError("TRANSPORT_BLOB_MISSING", `${digest} is not there although the image refers to it`, {
    where: { file },
  });
}

export function imageMissing(file: string): NotFoundError {
  return new NotFoundError("TRANSPORT_IMAGE_MISSING", "there is no image", { where: { file } });
}

export function imageNested(file: string, limit: number): CorruptError {
  return new CorruptError("TRANSPORT_INDEX_DEPTH", `indexes are nested more than ${limit} deep`, { where: { file } });
}

export function layoutMissing(file: string): NotFoundError {
  return new NotFoundError("TRANSPORT_LAYOUT_MISSING", "there is no OCI image layout: index.json is missing", {
    where: { file },
  });
}

export function layoutVersion(file: string, version: string): UnsupportedError {
  return new UnsupportedError("TRANSPORT_LAYOUT_VERSION", `image layout version ${quote(version)} instead of "1.0.0"`, {
    where: { file },
  });
}

export function legacyArchive(file: string): UnsupportedError {
  return new UnsupportedError("TRANSPORT_LEGACY_ARCHIVE", "an archive without manifest.json, from Docker before 1.10", {
    where: { file },
    advice: "Load and save it again with a later version.",
  });
}

export function locked(file: string): TemporaryError {
  return new TemporaryError("TRANSPORT_LOCKED", "another program keeps writing to the image layout", {
    where: { file },
  });
}

/** `what` is the type of an artifact. */
export function noFiles(file: string, what: string): UnsupportedError {
  return new UnsupportedError("TRANSPORT_NO_FILES", `an artifact of type ${quote(what)} has no tree of files`, {
    where: { file },
  });
}

export function notLoadable(file: string, what: string): UnsupportedError {
  return new UnsupportedError("TRANSPORT_NOT_LOADABLE", `${what} cannot be loaded from a docker archive`, {
    where: { file },
    advice: "Write to oci: or oci-archive: instead.",
  });
}

export function outputForeign(file: string): OutputError {
  return new OutputError("TRANSPORT_OUTPUT_FOREIGN", "the directory holds something else than an OCI image layout", {
    where: { file },
  });
}

export function platformMissing(file: string, wanted: string, found: readonly string[]): NotFoundError {
  return new NotFoundError("TRANSPORT_PLATFORM_MISSING", `there is no image for ${wanted}`, {
    where: { file },
    advice: `There are images for ${found.length === 0 ? "no platform at all" : listed(found)}.`,
  });
}

export function referenceForm(reference: string, what: string): UsageError {
  return new UsageError("TRANSPORT_REFERENCE", `${quote(reference)} ${what}`);
}

export function tagExists(file: string, tag: string, digest: string): OutputError {
  return new OutputError("TRANSPORT_TAG_EXISTS", `the image layout has ${quote(tag)} already, as ${digest}`, {
    where: { file },
    advice: "Replace it with --force, or choose another tag.",
  });
}

export function tagMissing(file: string, tag: string, names: readonly string[]): NotFoundError {
  return new NotFoundError("TRANSPORT_TAG_MISSING", `there is no image named ${quote(tag)}`, {
    where: { file },
    advice: names.length === 0 ? "No image has a name." : `There are ${listed(names)}.`,
  });
}
