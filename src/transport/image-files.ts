import type { Context } from "../context.ts";
import { type ImageTree, type ImageTreeOptions, openImageTree, type TreeLayer } from "../oci/image-tree.ts";
import { layerCompression } from "../oci/layer-media-type.ts";
import { noFiles } from "./errors.ts";
import type { ImageSource } from "./image-transport.ts";
import type { OpenImage } from "./open-image.ts";

/**
 * The files of a container image, as its layers have them together. Borrows the source, which is read again for contents.
 * Throws UnsupportedError TRANSPORT_NO_FILES for an artifact, and what `openImageTree` does.
 */
export async function openImageFiles(
  source: ImageSource,
  image: OpenImage,
  options: ImageTreeOptions,
  ctx: Context,
): Promise<ImageTree> {
  const { descriptor, manifest, config } = image;
  const isImage = manifest.layers.every(({ mediaType }) => layerCompression(mediaType) !== undefined);
  if (config === undefined || !isImage) {
    throw noFiles(descriptor.digest, manifest.artifactType ?? manifest.config.mediaType);
  }
  const { diffIds } = config;
  const areNamed = diffIds.length === manifest.layers.length;
  if (!areNamed) {
    const message = `${diffIds.length} diff_ids stand for ${manifest.layers.length} layers: none of them is checked`;
    ctx.diagnostic({ code: "OCI_DIFF_ID_COUNT", severity: "warning", message, where: { file: descriptor.digest } });
  }
  const layers = manifest.layers.map((layer, index): TreeLayer => {
    const diffId = areNamed ? diffIds[index] : undefined;
    return {
      name: layer.digest,
      mediaType: layer.mediaType,
      ...(diffId === undefined ? {} : { diffId }),
      open: () => observed(source, layer, ctx),
    };
  });
  return await openImageTree(layers, options, ctx);
}

async function* observed(
  source: ImageSource,
  layer: OpenImage["descriptor"],
  ctx: Context,
): AsyncGenerator<Uint8Array, void> {
  let done = 0;
  for await (const bytes of source.blob(layer)) {
    done += bytes.length;
    ctx.progress({ stage: "read", item: layer.digest, done, total: layer.size });
    yield bytes;
  }
}
