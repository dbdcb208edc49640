import { referenceForm } from "./errors.ts";

/** `PATH[:NAME]`: the first colon divides, so a path with a colon cannot be named; skopeo has the same rule. */
export interface PathReference {
  readonly path: string;
  readonly name: string | undefined;
}

/** Throws UsageError TRANSPORT_REFERENCE for an empty path or an empty name. */
export function splitPath(details: string): PathReference {
  const colon = details.indexOf(":");
  const path = colon < 0 ? details : details.slice(0, colon);
  const name = colon < 0 ? undefined : details.slice(colon + 1);
  if (path === "") throw referenceForm(details, "names no file or directory");
  if (name === "") throw referenceForm(details, "ends in a colon without a name behind it");
  return { path, name };
}

/** What containers/image takes for the name of an image in a layout, which is a tag or a full name. */
const LAYOUT_NAME = /^[A-Za-z0-9]+(?:(?:[-._:@+]|--)[A-Za-z0-9]+)*(?:\/[A-Za-z0-9]+(?:(?:[-._:@+]|--)[A-Za-z0-9]+)*)*$/;

export function parseLayoutReference(details: string): PathReference {
  const reference = splitPath(details);
  if (reference.name !== undefined && !LAYOUT_NAME.test(reference.name)) {
    throw referenceForm(reference.name, "is not a tag or name that an image layout can hold");
  }
  return reference;
}

/** A full image name, as distribution's reference grammar normalises it. */
export interface ImageName {
  /** With the registry: `docker.io/library/web:latest`. */
  readonly full: string;
  /** As it was written, with its tag: `web:latest`. */
  readonly familiar: string;
  readonly tag: string;
}

const COMPONENT = "[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*";
const DOMAIN = "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*(?::[0-9]+)?";
const NAME = new RegExp(`^(?:(${DOMAIN})/)?(${COMPONENT}(?:/${COMPONENT})*)(?::([A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?$`);
const MOST_NAME = 255;
const DEFAULT_DOMAIN = "docker.io";

/** Throws UsageError TRANSPORT_REFERENCE. Without a tag it is `latest`; without a registry, Docker's own is meant. */
export function parseImageName(text: string): ImageName {
  const [, first, path = "", tag = "latest"] = text.length > MOST_NAME ? [] : (NAME.exec(text) ?? []);
  if (path === "") throw referenceForm(text, "is not an image name like repository:tag");
  const isDomain = first !== undefined && (/[.:A-Z]/.test(first) || first === "localhost");
  const repository = first === undefined || isDomain ? path : `${first}/${path}`;
  if (first !== undefined && !isDomain && !new RegExp(`^${COMPONENT}$`).test(first)) {
    throw referenceForm(text, "is not an image name like repository:tag");
  }
  const familiar = `${isDomain ? `${first}/` : ""}${repository}:${tag}`;
  if (isDomain && first !== DEFAULT_DOMAIN) return { full: familiar, familiar, tag };
  const official = repository.includes("/") ? repository : `library/${repository}`;
  return { full: `${DEFAULT_DOMAIN}/${official}:${tag}`, familiar: `${repository}:${tag}`, tag };
}

/** Like `parseImageName`, for text that may be no name at all. */
export function imageNameIn(text: string): ImageName | undefined {
  return text.length <= MOST_NAME && NAME.test(text) ? parseImageName(text) : undefined;
}
