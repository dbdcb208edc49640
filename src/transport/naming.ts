import type { Descriptor } from "../oci/descriptor.ts";
import { CONTAINERD_NAME, REF_NAME } from "./layout-source.ts";
import { type ImageName, imageNameIn, parseImageName } from "./reference.ts";

/** The names under which an image is written. */
export interface Naming {
  /** For `org.opencontainers.image.ref.name`. */
  readonly refName: string | undefined;
  /** For containerd's annotation and RepoTags. */
  readonly imageName: ImageName | undefined;
}

/** `tag` is the reference's own; `name` is the full name that the caller gives besides. Throws UsageError TRANSPORT_REFERENCE. */
export function namingOf(tag: string | undefined, name: string | undefined): Naming {
  if (tag !== undefined && /[:/]/.test(tag)) return { refName: tag, imageName: imageNameIn(tag) };
  const imageName = name === undefined ? undefined : parseImageName(name);
  if (tag === undefined) return { refName: imageName?.tag, imageName };
  if (imageName === undefined || imageName.tag === tag) return { refName: tag, imageName };
  return {
    refName: tag,
    imageName: parseImageName(`${imageName.familiar.slice(0, -imageName.tag.length - 1)}:${tag}`),
  };
}

/** The image's entry in index.json, with the annotations that every client's loader understands. */
export function namedEntry(image: Descriptor, { refName, imageName }: Naming): Descriptor {
  const annotations = {
    ...(imageName === undefined ? {} : { [CONTAINERD_NAME]: imageName.full }),
    ...(refName === undefined ? {} : { [REF_NAME]: refName }),
  };
  return refName === undefined && imageName === undefined ? image : { ...image, annotations };
}
