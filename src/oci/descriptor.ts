import type { Digest } from "../bytes/digest.ts";

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
