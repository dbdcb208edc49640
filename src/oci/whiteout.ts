import { type BytePath, baseName, joinPath, parentPath } from "../bytes/byte-path.ts";

const PREFIX = ".wh.";
const OPAQUE = ".wh..wh..opq";
const RESERVED = ".wh..wh.";

/** What a layer entry whose name begins with `.wh.` means: image-spec "Layer Filesystem Changeset", "Whiteouts". */
export type Whiteout =
  /** `path` of the lower layers is gone. */
  | { readonly kind: "whiteout"; readonly path: BytePath }
  /** The directory `path` shows nothing of the lower layers. */
  | { readonly kind: "opaque"; readonly path: BytePath }
  /** Left by aufs; every client ignores it. */
  | { readonly kind: "reserved"; readonly path: BytePath };

/** Undefined for an ordinary name. */
export function whiteoutOf(path: BytePath): Whiteout | undefined {
  const name = baseName(path);
  if (!name.startsWith(PREFIX)) return undefined;
  if (name === OPAQUE) return { kind: "opaque", path: parentPath(path) };
  if (name.startsWith(RESERVED) || name === PREFIX) return { kind: "reserved", path };
  return { kind: "whiteout", path: joinPath(parentPath(path), name.slice(PREFIX.length)) };
}
