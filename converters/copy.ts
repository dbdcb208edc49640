import type { Context } from "../src/context.ts";
import type { Descriptor } from "../src/oci/descriptor.ts";
import { isIndexType } from "../src/oci/media-types.ts";
import { platformText } from "../src/oci/platform.ts";
import { copyParts, type ImageParts, imageParts } from "../src/transport/copy.ts";
import type { ImageSource, ManifestBytes } from "../src/transport/image-transport.ts";
import { openImage } from "../src/transport/open-image.ts";
import type { Conversion, ConvertRequest, Places } from "./conversion.ts";
import { parsePlatform } from "./guest/platform.ts";
import { transportOf } from "./open.ts";

/** Image to image: manifests byte for byte, blobs in one pass each. */
export const conversion: Conversion = {
  async plan(request, { from }, ctx) {
    await using source = await (await transportOf(from)).openSource(from.details, ctx);
    const { root, platform } = await chosen(source, request, ctx);
    const { manifests, blobs } = await imageParts(source, root, ctx);
    const uses = [
      `${root.descriptor.digest}${platform === undefined ? "" : ` for ${platform}`}`,
      ...(manifests.length === 1 ? [] : [`${manifests.length - 1} manifests below it`]),
      ...blobs.map(({ digest, size, mediaType }) => `${digest} ${size} bytes of ${mediaType}`),
    ];
    return { form: "copy", uses, omissions: [], secrets: [], tempBytes: 0 };
  },

  async run(request, { from, to }: Places, ctx) {
    const { tag, force = false } = request;
    await using source = await (await transportOf(from)).openSource(from.details, ctx);
    const { root, platform } = await chosen(source, request, ctx);
    const parts = await imageParts(source, root, ctx);
    const mountFrom = from.transport === to.transport ? { mountFrom: from.details } : {};
    const options = { force, ...mountFrom, ...(tag === undefined ? {} : { name: tag }) };
    await using destination = await (await transportOf(to)).openDestination(to.details, options, ctx);
    const { copied, reused } = await copyParts(source, parts, destination, ctx);
    await destination.commit();
    const { digest, mediaType } = root.descriptor;
    const size = sizeOf(parts);
    return {
      source: { size, kind: from.transport },
      target: { mode: "copy", digest, mediaType, size, ...(platform === undefined ? {} : { platform }) },
      bytesWritten: copied + size - blobBytes(parts.blobs),
      bytesReused: reused,
      tempBytes: 0,
    };
  },
};

/** The index as a whole, or the one image that is meant. */
async function chosen(
  source: ImageSource,
  { all = false, platform }: ConvertRequest,
  ctx: Context,
): Promise<{ readonly root: ManifestBytes; readonly platform: string | undefined }> {
  const whole = await source.manifest();
  if (all && isIndexType(whole.descriptor.mediaType)) return { root: whole, platform: undefined };
  const wanted = platform === undefined ? undefined : parsePlatform(platform);
  const { descriptor, config } = await openImage(source, wanted, ctx);
  const { bytes } = await source.manifest(descriptor.digest);
  return { root: { descriptor, bytes }, platform: config && platformText(config.platform) };
}

function blobBytes(blobs: readonly Descriptor[]): number {
  return blobs.reduce((sum, { size }) => sum + size, 0);
}

function sizeOf({ manifests, blobs }: ImageParts): number {
  return manifests.reduce((sum, { bytes }) => sum + bytes.length, blobBytes(blobs));
}
