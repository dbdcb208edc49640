import type { Digest } from "../../src/bytes/digest.ts";
import type { Context } from "../../src/context.ts";
import type { Descriptor, Platform } from "../../src/oci/descriptor.ts";
import { type Execution, imageConfig } from "../../src/oci/image-config.ts";
import { imageManifest } from "../../src/oci/manifest.ts";
import { MEDIA_TYPES } from "../../src/oci/media-types.ts";
import type { ImageDestination } from "../../src/transport/image-transport.ts";

/** A layer that the destination has already. */
export interface ImageLayer {
  readonly layer: Descriptor;
  readonly diffId: Digest;
}

export interface LayeredImage {
  /** Lowest first. */
  readonly layers: readonly ImageLayer[];
  readonly platform: Platform;
  readonly execution: Execution;
  readonly annotations: Readonly<Record<string, string>>;
  /** What the layers hold. */
  readonly comment: string;
}

/** Puts the config and the manifest of an image behind its layers. */
export async function putImage(
  destination: ImageDestination,
  { layers, platform, execution, annotations, comment }: LayeredImage,
  ctx: Context,
): Promise<{ readonly manifest: Descriptor; readonly config: Descriptor }> {
  const created =
    ctx.epoch === undefined ? {} : { created: new Date(ctx.epoch * 1000).toISOString().replace(".000Z", "Z") };
  const configBytes = imageConfig({
    ...created,
    platform,
    execution,
    diffIds: layers.map(({ diffId }) => diffId),
    history: layers.map(() => ({ ...created, createdBy: "transload convert", comment })),
  });
  const config = await destination.putBlob(() => once(configBytes), {
    mediaType: MEDIA_TYPES.config,
    size: configBytes.length,
  });
  const manifestBytes = imageManifest({
    mediaType: MEDIA_TYPES.manifest,
    config: plain(config),
    layers: layers.map(({ layer }) => plain(layer)),
    annotations,
  });
  return { manifest: await destination.putManifest(manifestBytes, MEDIA_TYPES.manifest), config };
}

function plain({ mediaType, digest, size }: Descriptor): Descriptor {
  return { mediaType, digest, size };
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}
