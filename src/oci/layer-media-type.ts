import type { Compression } from "../bytes/decompress.ts";
import { MEDIA_TYPES } from "./media-types.ts";

/** How a layer of this media type is compressed; undefined if it is no layer that we can read (an artifact's, an encrypted one). */
export function layerCompression(mediaType: string): Compression | undefined {
  const layer =
    /^application\/vnd\.(?:oci\.image\.layer\.(?:nondistributable\.)?v1|docker\.image\.rootfs\.(?:foreign\.)?diff)\.tar(?:[+.](gzip|zstd))?$/;
  const [whole, suffix] = layer.exec(mediaType) ?? [];
  if (whole === undefined) return undefined;
  if (suffix === undefined) return "none";
  return suffix === "gzip" ? "gzip" : "zstd";
}

/** The media type that we give a layer compressed like this. */
export function layerMediaTypeOf(compression: Compression): string {
  if (compression === "none") return MEDIA_TYPES.layer;
  return compression === "gzip" ? MEDIA_TYPES.layerGzip : MEDIA_TYPES.layerZstd;
}
