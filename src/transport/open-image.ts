import { checkSize } from "../bytes/verify.ts";
import type { Context } from "../context.ts";
import type { Descriptor, Platform } from "../oci/descriptor.ts";
import { documentTooLarge } from "../oci/errors.ts";
import { type ImageConfig, parseImageConfig } from "../oci/image-config.ts";
import { DOCUMENT_LIMIT } from "../oci/json.ts";
import { type ImageIndex, type ImageManifest, parseManifest } from "../oci/manifest.ts";
import { isConfigType } from "../oci/media-types.ts";
import { choosePlatform, imagesAmong, platformText } from "../oci/platform.ts";
import { imageNested, platformMissing } from "./errors.ts";
import type { ImageSource } from "./image-transport.ts";

/** One image for one platform. */
export interface OpenImage {
  readonly descriptor: Descriptor;
  readonly manifest: ImageManifest;
  /** Undefined for an artifact, whose config is something else. */
  readonly config: ImageConfig | undefined;
  readonly configBytes: Uint8Array;
}

/** buildx nests indexes one deep. */
const MOST_DEPTH = 4;

/**
 * The image that a source's reference leads to, through indexes. Without `platform`, an index with one image needs no choice
 * and others give the image for Linux on the first architecture they list. Throws NotFoundError TRANSPORT_PLATFORM_MISSING,
 * CorruptError TRANSPORT_INDEX_DEPTH, and what the documents' parsers throw.
 */
export async function openImage(source: ImageSource, platform: Platform | undefined, ctx: Context): Promise<OpenImage> {
  let found = await source.manifest();
  for (let depth = 0; depth <= MOST_DEPTH; depth++) {
    ctx.signal.throwIfAborted();
    const { descriptor, bytes } = found;
    const document = parseManifest(bytes, descriptor.mediaType, descriptor.digest);
    if (document.kind === "manifest") {
      const configBytes = await smallBlob(source, document.config);
      const isImage = isConfigType(document.config.mediaType);
      const config = isImage ? parseImageConfig(configBytes, document.config.digest) : undefined;
      return { descriptor, manifest: document, config, configBytes };
    }
    const chosen = choose(document, platform, descriptor.digest);
    found = { bytes: (await source.manifest(chosen.digest)).bytes, descriptor: chosen };
    checkSize(found.bytes.length, chosen, descriptor.digest);
  }
  throw imageNested(found.descriptor.digest, MOST_DEPTH);
}

function choose(index: ImageIndex, wanted: Platform | undefined, file: string): Descriptor {
  const images = imagesAmong(index.manifests);
  const [first] = images;
  if (wanted === undefined && first !== undefined) {
    return images.find((entry) => entry.platform?.os === "linux") ?? first;
  }
  const chosen = wanted === undefined ? undefined : choosePlatform(images, wanted);
  if (chosen !== undefined) return chosen;
  const found = images.flatMap((entry) => (entry.platform === undefined ? [] : [platformText(entry.platform)]));
  throw platformMissing(file, wanted === undefined ? "any platform" : platformText(wanted), found);
}

/** A config or another small document, whole and checked. */
export async function smallBlob(source: ImageSource, descriptor: Descriptor): Promise<Uint8Array> {
  if (descriptor.size > DOCUMENT_LIMIT) throw documentTooLarge(descriptor.digest, descriptor.size, DOCUMENT_LIMIT);
  const parts: Uint8Array[] = [];
  for await (const bytes of source.blob(descriptor)) parts.push(new Uint8Array(bytes));
  return Buffer.concat(parts);
}
