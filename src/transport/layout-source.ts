import { type ByteSource, readAll } from "../bytes/byte-source.ts";
import { type Digest, parseDigest } from "../bytes/digest.ts";
import { checkSize, verified, verifyBytes } from "../bytes/verify.ts";
import type { Context } from "../context.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { mediaTypeUnknown } from "../oci/errors.ts";
import { DOCUMENT_LIMIT, Fields, parseJson } from "../oci/json.ts";
import { type ImageIndex, parseManifest } from "../oci/manifest.ts";
import { isIndexType, isManifestType, MEDIA_TYPES } from "../oci/media-types.ts";
import { isAttestation } from "../oci/platform.ts";
import { ambiguous, blobMissing, imageMissing, layoutMissing, layoutVersion, tagMissing } from "./errors.ts";
import type { ImageSource, ManifestBytes } from "./image-transport.ts";
import { contentOf, type LayoutFiles, readFileOf } from "./layout-files.ts";

/** The tag (or name) of an entry of index.json: image-spec "Pre-Defined Annotation Keys". */
export const REF_NAME = "org.opencontainers.image.ref.name";
/** The full name, for containerd and Docker's containerd store. */
export const CONTAINERD_NAME = "io.containerd.image.name";

export const LAYOUT_VERSION = "1.0.0";

export function blobPath(digest: Digest): string {
  const { algorithm, hex } = parseDigest(digest);
  return `blobs/${algorithm}/${hex}`;
}

/** index.json of a layout. Throws NotFoundError TRANSPORT_LAYOUT_MISSING and what `parseManifest` throws. */
export async function readLayoutIndex(files: LayoutFiles, ctx: Context): Promise<ImageIndex> {
  const file = `${files.name}/index.json`;
  const bytes = await readFileOf(files, "index.json", DOCUMENT_LIMIT);
  if (bytes === undefined) throw layoutMissing(files.name);
  const marker = await readFileOf(files, "oci-layout", DOCUMENT_LIMIT);
  if (marker === undefined) {
    const message = "the file oci-layout is missing";
    ctx.diagnostic({ code: "TRANSPORT_LAYOUT_MARKER", severity: "warning", message, where: { file: files.name } });
  } else {
    const name = `${files.name}/oci-layout`;
    const version = new Fields(parseJson(marker, name), "", name).text("imageLayoutVersion");
    if (version !== LAYOUT_VERSION) throw layoutVersion(name, version);
  }
  const index = parseManifest(bytes, MEDIA_TYPES.index, file);
  if (index.kind !== "index") throw mediaTypeUnknown(file, index.mediaType);
  return index;
}

/** The entry that a reference means: by tag or full name, or the only one there is. */
function entryNamed(index: ImageIndex, name: string | undefined, file: string, ctx: Context): Descriptor {
  const names = (entry: Descriptor) =>
    [entry.annotations?.[REF_NAME], entry.annotations?.[CONTAINERD_NAME]].filter((text) => text !== undefined);
  const known = [...new Set(index.manifests.flatMap(names))];
  const fitting = index.manifests.filter((entry) =>
    name === undefined ? !isAttestation(entry) : names(entry).includes(name),
  );
  const images = fitting.filter(({ mediaType }) => isManifestType(mediaType) || isIndexType(mediaType));
  const [first = fitting[0], ...others] = images;
  if (first === undefined) throw name === undefined ? imageMissing(file) : tagMissing(file, name, known);
  if (images.length === 0) throw mediaTypeUnknown(file, first.mediaType);
  if (others.every(({ digest }) => digest === first.digest)) return first;
  if (name !== undefined) {
    const message = `${images.length} images are named ${JSON.stringify(name)}, the first is taken`;
    ctx.diagnostic({ code: "TRANSPORT_TAG_TWICE", severity: "warning", message, where: { file } });
    return first;
  }
  // What refers to an image stands beside it without a name.
  const named = images.filter((entry) => names(entry).length > 0);
  const [only] = named;
  if (only !== undefined && named.every(({ digest }) => digest === only.digest)) return only;
  throw ambiguous(file, known);
}

/** An image in a layout. */
export class LayoutSource implements ImageSource {
  readonly #files: LayoutFiles;
  readonly #root: Descriptor;
  readonly #ctx: Context;

  /** Takes ownership of `files`. */
  constructor(files: LayoutFiles, root: Descriptor, ctx: Context) {
    this.#files = files;
    this.#root = root;
    this.#ctx = ctx;
  }

  async manifest(digest?: Digest): Promise<ManifestBytes> {
    const wanted = digest ?? this.#root.digest;
    await using file = await this.#open(wanted);
    const bytes = new Uint8Array(await readAll(file, DOCUMENT_LIMIT));
    if (wanted === this.#root.digest) {
      verifyBytes(bytes, this.#root, file.name);
      return { descriptor: this.#root, bytes };
    }
    verifyBytes(bytes, { digest: wanted, size: bytes.length }, file.name);
    const { mediaType } = parseManifest(bytes, undefined, file.name);
    return { descriptor: { mediaType, digest: wanted, size: bytes.length }, bytes };
  }

  blob(descriptor: Descriptor): AsyncGenerator<Uint8Array, void> {
    return verified(this.uncheckedBlob(descriptor), descriptor, this.#files.name);
  }

  async *uncheckedBlob(descriptor: Descriptor): AsyncGenerator<Uint8Array, void> {
    await using file = await this.#open(descriptor.digest);
    checkSize(file.size, descriptor, file.name);
    for await (const bytes of contentOf(file)) {
      this.#ctx.signal.throwIfAborted();
      yield bytes;
    }
  }

  async #open(digest: Digest): Promise<ByteSource> {
    const file = await this.#files.open(blobPath(digest));
    if (file === undefined) throw blobMissing(this.#files.name, digest);
    return file;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#files[Symbol.asyncDispose]();
  }
}

/** Opens what `name` means in the layout that `files` hold, and takes ownership of them, also when it throws. */
export async function openLayout(files: LayoutFiles, name: string | undefined, ctx: Context): Promise<ImageSource> {
  try {
    const index = await readLayoutIndex(files, ctx);
    return new LayoutSource(files, entryNamed(index, name, files.name, ctx), ctx);
  } catch (cause) {
    await files[Symbol.asyncDispose]();
    throw cause;
  }
}
