import type { Digest } from "../../src/bytes/digest.ts";
import type { Context } from "../../src/context.ts";
import type { Descriptor, Platform } from "../../src/oci/descriptor.ts";
import { type Execution, imageConfig } from "../../src/oci/image-config.ts";
import { imageManifest } from "../../src/oci/manifest.ts";
import { MEDIA_TYPES } from "../../src/oci/media-types.ts";
import type { ImageDestination } from "../../src/transport/image-transport.ts";

/** An image of one layer, which the destination has already. */
export interface SingleLayerImage {
  readonly layer: Descriptor;
  readonly diffId: Digest;
  readonly platform: Platform;
  readonly execution: Execution;
  readonly annotations: Readonly<Record<string, string>>;
  /** What the layer holds. */
  readonly comment: string;
}

/** Puts the config and the manifest of an image behind its layer. */
export async function putImage(
  destination: ImageDestination,
  { layer, diffId, platform, execution, annotations, comment }: SingleLayerImage,
  ctx: Context,
): Promise<{ readonly manifest: Descriptor; readonly config: Descriptor }> {
  const created =
    ctx.epoch === undefined ? {} : { created: new Date(ctx.epoch * 1000).toISOString().replace(".000Z", "Z") };
  const configBytes = imageConfig({
    ...created,
    platform,
    execution,
    diffIds: [diffId],
    history: [{ ...created, createdBy: "transload convert", comment }],
  });
  const config = await destination.putBlob(() => once(configBytes), {
    mediaType: MEDIA_TYPES.config,
    size: configBytes.length,
  });
  const manifestBytes = imageManifest({
    mediaType: MEDIA_TYPES.manifest,
    config: plain(config),
    layers: [plain(layer)],
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
