import type { Context } from "../src/context.ts";
import { type OpenImage, openImage } from "../src/transport/open-image.ts";
import type { ConvertRequest, ImageConversion, SourceImage } from "./conversion.ts";
import { imageUnsupported } from "./errors.ts";
import { parsePlatform } from "./guest/platform.ts";
import { isDiskImage } from "./oci-to-ovf/disk-kind.ts";
import { transportOf } from "./open.ts";
import { isPackageArtifact } from "./package-form/artifact.ts";
import type { Reference } from "./reference.ts";

/** What becomes of an image: the first kind that it is of, loaded then. */
const IMAGE_KINDS: readonly {
  is(image: OpenImage, request: Pick<ConvertRequest, "as">): boolean;
  load(): Promise<ImageConversion>;
}[] = [
  {
    is: ({ manifest }) => isPackageArtifact(manifest),
    load: () => import("./oci-to-ovf/package-conversion.ts").then((module) => module.conversion),
  },
  {
    // Of an image that does not look like one, the form says so.
    is: (image, { as }) => as === "disk" || isDiskImage(image),
    load: () => import("./oci-to-ovf/disk-conversion.ts").then((module) => module.conversion),
  },
  {
    is: ({ config }) => config !== undefined,
    load: () => import("./oci-to-ovf/appliance-conversion.ts").then((module) => module.conversion),
  },
];

/**
 * Opens the image at a reference, which is written `text`, and gives it to the conversion of its kind. It is closed when `work` is
 * done. Throws UnsupportedError CONVERT_IMAGE_KIND, and what the transport throws.
 */
export async function withImage<T>(
  text: string,
  reference: Reference,
  request: Pick<ConvertRequest, "as" | "platform">,
  ctx: Context,
  work: (conversion: ImageConversion, from: SourceImage) => Promise<T>,
): Promise<T> {
  const { platform } = request;
  await using source = await (await transportOf(reference)).openSource(reference.details, ctx);
  const image = await openImage(source, platform === undefined ? undefined : parsePlatform(platform), ctx);
  const kind = IMAGE_KINDS.find(({ is }) => is(image, request));
  if (kind === undefined) throw imageUnsupported(text, image.manifest.artifactType ?? image.manifest.config.mediaType);
  return await work(await kind.load(), { source, image });
}
