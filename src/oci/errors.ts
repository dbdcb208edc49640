import { CorruptError, UnsupportedError, type Where } from "../errors.ts";

export function layerChanged(file: string, what: string): CorruptError {
  return new CorruptError("LAYER_CHANGED", `the layer reads differently the second time: ${what}`, { where: { file } });
}

export function layerCompressionWrong(where: Where, mediaType: string, found: string): CorruptError {
  return new CorruptError(
    "LAYER_COMPRESSION",
    `the media type is ${JSON.stringify(mediaType)} but the first bytes say ${found}`,
    { where },
  );
}

export function contentLength(path: string, expected: number, found: number | undefined): CorruptError {
  return new CorruptError(
    "LAYER_CONTENT_LENGTH",
    `the content has ${found ?? "no"} bytes where ${expected} are expected`,
    {
      where: { path },
    },
  );
}

export function layerEntries(where: Where, limit: number): CorruptError {
  return new CorruptError("LAYER_ENTRIES", `a layer has more than ${limit} entries`, { where });
}

export function entryNotExpressible(path: string, reason: string): UnsupportedError {
  return new UnsupportedError("LAYER_ENTRY_NOT_EXPRESSIBLE", `no image layer can hold this: ${reason}`, {
    where: { path },
    advice: "leave it out with --exclude",
  });
}

export function layerEntryType(where: Where, type: string): UnsupportedError {
  return new UnsupportedError("LAYER_ENTRY_TYPE", `a layer entry of type ${JSON.stringify(type)}`, {
    where,
    advice: "No container client takes this type of entry; build the layer without it.",
  });
}

/** `found` is the type of what stands there, if anything does. */
export function layerLinkTarget(where: Where, target: string, found: string | undefined): CorruptError {
  const what = found === undefined ? "is not there" : `is a ${found}`;
  return new CorruptError("LAYER_LINK_TARGET", `the hard link's target ${JSON.stringify(target)} ${what}`, { where });
}

export function layerMediaType(where: Where, mediaType: string): UnsupportedError {
  return new UnsupportedError("LAYER_MEDIA_TYPE", `${JSON.stringify(mediaType)} is not a layer that can be read`, {
    where,
  });
}

export function layerMetadata(where: Where, limit: number): CorruptError {
  return new CorruptError("LAYER_METADATA", `the names and attributes of the image take more than ${limit} bytes`, {
    where,
  });
}

export function layerNumber(where: Where, field: string, value: number): CorruptError {
  return new CorruptError("LAYER_NUMBER", `the ${field} of a layer entry is ${value}`, { where });
}

/** `what` ends a sentence that begins with "a path of a layer". */
export function layerPath(where: Where, what: string): CorruptError {
  return new CorruptError("LAYER_PATH", `a path of a layer ${what}`, { where });
}

export function layerPaxSize(where: Where, size: number, limit: number): CorruptError {
  return new CorruptError("LAYER_PAX_SIZE", `an extended header of ${size} bytes is above the limit of ${limit}`, {
    where,
  });
}

export function layerSparse(where: Where, what: string): CorruptError {
  return new CorruptError("LAYER_SPARSE", `a sparse file has ${what}`, { where });
}

export function diffIdWrong(file: string, found: string, expected: string): CorruptError {
  return new CorruptError("OCI_DIFF_ID", `the layer uncompressed is ${found} instead of ${expected}`, {
    where: { file },
  });
}

export function documentForm(file: string, what: string): CorruptError {
  return new CorruptError("OCI_DOCUMENT_FORM", what, { where: { file } });
}

export function documentTooLarge(file: string, size: number, limit: number): CorruptError {
  return new CorruptError("OCI_DOCUMENT_TOO_LARGE", `a document of ${size} bytes is above the limit of ${limit}`, {
    where: { file },
  });
}

export function duplicateKey(file: string, key: string): CorruptError {
  return new CorruptError("OCI_DUPLICATE_KEY", `the key ${JSON.stringify(key)} stands twice in one object`, {
    where: { file },
  });
}

export function manifestAmbiguous(file: string): CorruptError {
  return new CorruptError("OCI_MANIFEST_AMBIGUOUS", "a document is both a manifest and an index", { where: { file } });
}

export function manifestMediaType(file: string, found: string, expected: string): CorruptError {
  return new CorruptError(
    "OCI_MANIFEST_MEDIA_TYPE",
    `the document calls itself ${JSON.stringify(found)} but is stored as ${JSON.stringify(expected)}`,
    { where: { file } },
  );
}

export function mediaTypeUnknown(file: string, mediaType: string): UnsupportedError {
  return new UnsupportedError("OCI_MEDIA_TYPE", `${JSON.stringify(mediaType)} is no image manifest or index`, {
    where: { file },
  });
}

export function schemaVersion(file: string, found: number): UnsupportedError {
  return new UnsupportedError("OCI_SCHEMA_VERSION", `schemaVersion ${found} instead of 2`, { where: { file } });
}
