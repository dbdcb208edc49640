import { type BytePath, displayPath, parentPath, pathBytes } from "../../src/bytes/byte-path.ts";
import type { ImageManifest } from "../../src/oci/manifest.ts";
import { hrefProblem } from "../../src/ovf/href.ts";
import type { MemberRole } from "../../src/ovf/package.ts";
import { LABEL_PREFIX } from "../guest/labels.ts";

/** The artifact type of a package in an image: docs/package-form.md. */
export const PACKAGE_TYPE = "application/vnd.transload.ovf.package.v1";
/** The layer that tells how the others make up the package. */
export const LAYOUT_TYPE = "application/vnd.transload.ovf.layout.v1+json";
/** Bytes between and behind the members of an archive that are too many for the layout. */
export const FILLER_TYPE = "application/vnd.transload.ovf.filler.v1";

/** The file name that clients give a layer: image-spec, "Pre-Defined Annotation Keys". */
export const TITLE = "org.opencontainers.image.title";
/** On each piece of a file that is in pieces: the whole file's name. */
export const WHOLE_FILE = `${LABEL_PREFIX}file`;

/** A piece of a file: large enough for few requests, small enough to be sent again when a connection breaks. */
export const PIECE_BYTES = 512 << 20;

const ROLES: readonly MemberRole[] = [
  "descriptor",
  "manifest",
  "certificate",
  "disk",
  "iso",
  "nvram",
  "message-bundle",
  "other",
];

export function isPackageArtifact({ artifactType }: ImageManifest): boolean {
  return artifactType === PACKAGE_TYPE;
}

/** The media type of a member's bytes. */
export function memberType(role: MemberRole): string {
  return `application/vnd.transload.ovf.${role}.v1`;
}

export function roleOf(mediaType: string): MemberRole | undefined {
  return ROLES.find((role) => memberType(role) === mediaType);
}

/** A member's name as a path below any folder; undefined where it leads elsewhere or is no name at all. */
export function safePath(name: BytePath): BytePath | undefined {
  const path = name.replace(/^(\.\/+)+/, "");
  if (hrefProblem(path) !== undefined || path.includes("\\")) return undefined;
  const parts = path.split("/");
  return parts.some((part) => part === "" || part === "." || part.length > 255) ? undefined : path;
}

const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

/** The same as a title: what can be shown and written anywhere. */
export function titleOf(name: BytePath): string | undefined {
  const path = safePath(name);
  if (path === undefined) return undefined;
  const text = displayPath(path);
  return !pathBytes(path).equals(Buffer.from(text, "utf8")) || UNPRINTABLE.test(text) ? undefined : text;
}

/** The title of one of several pieces: DSP0243 7.1 names them so, and `cat NAME.0*` joins them. */
export function pieceName(name: BytePath, index: number): BytePath {
  return `${name}.${`${index}`.padStart(9, "0")}`;
}

/** Titles of one artifact: whoever unpacks it gets a file for each, so none may stand in the way of another. */
export class Titles {
  readonly #files = new Set<string>();
  readonly #folders = new Set<string>();

  /** False where the title is taken. */
  take(title: string): boolean {
    const folders: string[] = [];
    for (let at = parentPath(title); at !== ""; at = parentPath(at)) folders.push(at);
    if (this.#files.has(title) || this.#folders.has(title) || folders.some((each) => this.#files.has(each))) {
      return false;
    }
    this.#files.add(title);
    for (const each of folders) this.#folders.add(each);
    return true;
  }
}
