import { type Digest, parseDigest } from "../bytes/digest.ts";
import { type Fields, sorted } from "./json.ts";

/** A reference to content by digest: image-spec, "OCI Content Descriptors". */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly platform?: Platform;
  readonly artifactType?: string;
}

/** In Go's words: `linux`, `amd64`, `arm64` with variant `v8`... */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

/** Strict on media type, digest and size. Throws CorruptError OCI_DOCUMENT_FORM, DIGEST_FORM, UnsupportedError DIGEST_ALGORITHM. */
export function parseDescriptor(fields: Fields): Descriptor {
  const annotations = fields.textMap("annotations");
  const platform = fields.object("platform");
  const artifactType = fields.optionalText("artifactType");
  return {
    mediaType: fields.text("mediaType"),
    digest: parseDigest(fields.text("digest")).digest,
    size: fields.count("size"),
    ...(annotations === undefined ? {} : { annotations }),
    ...(platform === undefined ? {} : { platform: parsePlatform(platform) }),
    ...(artifactType === undefined ? {} : { artifactType }),
  };
}

function parsePlatform(fields: Fields): Platform {
  const variant = fields.optionalText("variant");
  return {
    os: fields.optionalText("os") ?? "",
    architecture: fields.optionalText("architecture") ?? "",
    ...(variant === undefined || variant === "" ? {} : { variant }),
  };
}

/** The descriptor for `jsonBytes`, its keys in our fixed order. */
export function descriptorJson(descriptor: Descriptor): object {
  const { platform } = descriptor;
  return {
    mediaType: descriptor.mediaType,
    digest: descriptor.digest,
    size: descriptor.size,
    annotations: sorted(descriptor.annotations),
    platform: platform && { architecture: platform.architecture, os: platform.os, variant: platform.variant },
    artifactType: descriptor.artifactType,
  };
}
