import { type Descriptor, descriptorJson, parseDescriptor } from "./descriptor.ts";
import { manifestAmbiguous, manifestMediaType, mediaTypeUnknown, schemaVersion } from "./errors.ts";
import { Fields, jsonBytes, parseJson, sorted } from "./json.ts";
import { isIndexType, isManifestType, MEDIA_TYPES } from "./media-types.ts";

interface DocumentBase {
  readonly mediaType: string;
  readonly artifactType?: string;
  /** The manifest that this one refers to. */
  readonly subject?: Descriptor;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** One image (or artifact) for one platform: image-spec, "OCI Image Manifest", and Docker's schema 2. */
export interface ImageManifest extends DocumentBase {
  readonly kind: "manifest";
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

/** Images for several platforms: image-spec, "OCI Image Index", and Docker's manifest list. */
export interface ImageIndex extends DocumentBase {
  readonly kind: "index";
  readonly manifests: readonly Descriptor[];
}

/**
 * A manifest or an index. `mediaType` is what the descriptor or the registry calls it: where the document names its own, the
 * two must agree, and a document must not be readable as both (CVE-2021-41190). Throws CorruptError OCI_MANIFEST_MEDIA_TYPE,
 * OCI_MANIFEST_AMBIGUOUS, OCI_DOCUMENT_*, UnsupportedError OCI_SCHEMA_VERSION, OCI_MEDIA_TYPE.
 */
export function parseManifest(
  bytes: Uint8Array,
  mediaType: string | undefined,
  file: string,
): ImageManifest | ImageIndex {
  const fields = new Fields(parseJson(bytes, file), "", file);
  const own = fields.optionalText("mediaType") || undefined;
  if (own !== undefined && mediaType !== undefined && own !== mediaType) throw manifestMediaType(file, own, mediaType);
  const version = fields.count("schemaVersion");
  if (version !== 2) throw schemaVersion(file, version);
  const hasLayers = fields.has("config") || fields.has("layers");
  if (hasLayers && fields.has("manifests")) throw manifestAmbiguous(file);
  const type = own ?? mediaType ?? guessed(fields, hasLayers);
  if (isManifestType(type)) return parseImageManifest(fields, type);
  if (isIndexType(type)) return parseImageIndex(fields, type);
  throw mediaTypeUnknown(file, type);
}

/** A document that nobody names is of the world of its parts. */
function guessed(fields: Fields, hasLayers: boolean): string {
  const part = hasLayers ? fields.object("config") : fields.objects("manifests")[0];
  const isDocker = part?.optionalText("mediaType")?.startsWith("application/vnd.docker.") === true;
  if (hasLayers) return isDocker ? MEDIA_TYPES.dockerManifest : MEDIA_TYPES.manifest;
  return isDocker ? MEDIA_TYPES.dockerManifestList : MEDIA_TYPES.index;
}

function parseImageManifest(fields: Fields, mediaType: string): ImageManifest {
  return {
    kind: "manifest",
    ...parseBase(fields, mediaType),
    config: parseDescriptor(fields.object("config") ?? new Fields(undefined, "config", fields.file)),
    layers: fields.objects("layers").map(parseDescriptor),
  };
}

function parseImageIndex(fields: Fields, mediaType: string): ImageIndex {
  return {
    kind: "index",
    ...parseBase(fields, mediaType),
    manifests: fields.objects("manifests").map(parseDescriptor),
  };
}

function parseBase(fields: Fields, mediaType: string): DocumentBase {
  const artifactType = fields.optionalText("artifactType");
  const subject = fields.object("subject");
  const annotations = fields.textMap("annotations");
  return {
    mediaType,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(subject === undefined ? {} : { subject: parseDescriptor(subject) }),
    ...(annotations === undefined ? {} : { annotations }),
  };
}

/** The bytes of a manifest: `mediaType` always written, keys in a fixed order, no spaces. */
export function imageManifest(manifest: Omit<ImageManifest, "kind">): Uint8Array {
  return jsonBytes({
    schemaVersion: 2,
    mediaType: manifest.mediaType,
    artifactType: manifest.artifactType,
    config: descriptorJson(manifest.config),
    layers: manifest.layers.map(descriptorJson),
    subject: manifest.subject && descriptorJson(manifest.subject),
    annotations: sorted(manifest.annotations),
  });
}

/** The bytes of an index, written as `imageManifest` does. */
export function imageIndex(index: Omit<ImageIndex, "kind">): Uint8Array {
  return jsonBytes({
    schemaVersion: 2,
    mediaType: index.mediaType,
    artifactType: index.artifactType,
    manifests: index.manifests.map(descriptorJson),
    subject: index.subject && descriptorJson(index.subject),
    annotations: sorted(index.annotations),
  });
}
