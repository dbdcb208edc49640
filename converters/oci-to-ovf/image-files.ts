import type { BytePath } from "../../src/bytes/byte-path.ts";
import type { Digest } from "../../src/bytes/digest.ts";
import type { Context } from "../../src/context.ts";
import { type ImageTree, openImageTree } from "../../src/oci/image-tree.ts";
import { platformText } from "../../src/oci/platform.ts";
import type { SourceImage } from "../conversion.ts";
import { platformForeign } from "./errors.ts";

/** The merged files of an image for x86-64. Throws UnsupportedError APPLIANCE_PLATFORM and what `openImageTree` does. */
export async function openImageFiles(
  { source, image }: SourceImage,
  keep: (path: BytePath, size: number) => boolean,
  ctx: Context,
): Promise<ImageTree> {
  const { manifest, config, descriptor } = image;
  const { os = "linux", architecture = "amd64" } = config?.platform ?? {};
  if (os !== "linux" || architecture !== "amd64") {
    throw platformForeign(platformText({ os, architecture }), descriptor.digest);
  }
  const layers = manifest.layers.map((layer, index) => {
    const diffId: Digest | undefined = config?.diffIds[index];
    const open = () => source.blob(layer);
    return { name: layer.digest, mediaType: layer.mediaType, open, ...(diffId === undefined ? {} : { diffId }) };
  });
  return await openImageTree(layers, { keep }, ctx);
}
