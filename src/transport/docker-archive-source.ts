import type { ByteSource } from "../bytes/byte-source.ts";
import { compressionOf, MAGIC_BYTES } from "../bytes/decompress.ts";
import { type Digest, parseDigest, sha256 } from "../bytes/digest.ts";
import { hashed, verified } from "../bytes/verify.ts";
import type { Context } from "../context.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { type ImageConfig, parseImageConfig } from "../oci/image-config.ts";
import { DOCUMENT_LIMIT, Fields, parseJson } from "../oci/json.ts";
import { layerMediaTypeOf } from "../oci/layer-media-type.ts";
import { imageManifest, parseManifest } from "../oci/manifest.ts";
import { isManifestType, MEDIA_TYPES } from "../oci/media-types.ts";
import { ambiguous, archiveManifest, blobMissing, legacyArchive, tagMissing } from "./errors.ts";
import type { ImageSource, ManifestBytes } from "./image-transport.ts";
import { contentOf, type LayoutFiles, readFileOf } from "./layout-files.ts";
import { blobPath, LayoutSource, readLayoutIndex } from "./layout-source.ts";
import { imageNameIn, parseImageName } from "./reference.ts";

/** What containers/image reads of a manifest.json. */
const MANIFEST_LIMIT = 1 << 20;

/** One image of a manifest.json. */
interface ArchiveItem {
  readonly config: string;
  readonly names: readonly string[];
  readonly layers: readonly string[];
}

/**
 * The image that `name` means in an archive of `docker save`: a name like `web:1.0`, `@0` for the first image and so on, or
 * undefined for the only one. Where the archive is an OCI layout as well and has the manifest of that image, that manifest
 * holds; otherwise one is made from manifest.json. Takes ownership of `files`, also when it throws.
 */
export async function openDockerArchive(
  files: LayoutFiles,
  name: string | undefined,
  ctx: Context,
): Promise<ImageSource> {
  try {
    const item = chooseItem(await readItems(files), name, files.name);
    const configBytes = await readFileOf(files, item.config, DOCUMENT_LIMIT);
    if (configBytes === undefined) {
      throw archiveManifest(files.name, `the config ${JSON.stringify(item.config)} is not in the archive`);
    }
    const own = await ownManifest(files, sha256(configBytes), ctx);
    if (own !== undefined) return new LayoutSource(files, own, ctx);
    return await DockerArchiveSource.make(files, item, configBytes, ctx);
  } catch (cause) {
    await files[Symbol.asyncDispose]();
    throw cause;
  }
}

async function readItems(files: LayoutFiles): Promise<readonly ArchiveItem[]> {
  const bytes = await readFileOf(files, "manifest.json", MANIFEST_LIMIT);
  if (bytes === undefined) {
    const legacy = await readFileOf(files, "repositories", MANIFEST_LIMIT);
    throw legacy === undefined ? archiveManifest(files.name, "manifest.json is missing") : legacyArchive(files.name);
  }
  const file = `${files.name}/manifest.json`;
  const list = new Fields({ images: parseJson(bytes, file, MANIFEST_LIMIT) }, "", file).objects("images");
  if (list.length === 0) throw archiveManifest(file, "no image is listed");
  return list.map((fields) => ({
    config: fields.text("Config"),
    names: fields.texts("RepoTags"),
    layers: fields.texts("Layers"),
  }));
}

function chooseItem(items: readonly ArchiveItem[], name: string | undefined, file: string): ArchiveItem {
  const known = items.flatMap(({ names }) => names);
  const [first] = items;
  if (name === undefined) {
    if (first === undefined || items.length > 1) throw ambiguous(file, known);
    return first;
  }
  const index = /^@([0-9]{1,9})$/.exec(name)?.[1];
  const { full } = index === undefined ? parseImageName(name) : { full: "" };
  const found =
    index === undefined
      ? items.find(({ names }) => names.some((other) => imageNameIn(other)?.full === full))
      : items[Number(index)];
  if (found === undefined) throw tagMissing(file, name, known);
  return found;
}

/** The manifest of the image with this config, if the archive is a layout that has all of it. */
async function ownManifest(files: LayoutFiles, config: Digest, ctx: Context): Promise<Descriptor | undefined> {
  if (!(await holds(files, "index.json"))) return undefined;
  for (const entry of (await readLayoutIndex(files, ctx)).manifests) {
    if (!isManifestType(entry.mediaType)) continue;
    const bytes = await readFileOf(files, blobPath(entry.digest), DOCUMENT_LIMIT);
    if (bytes === undefined) continue;
    const manifest = parseManifest(bytes, entry.mediaType, files.name);
    if (manifest.kind !== "manifest" || manifest.config.digest !== config) continue;
    const there = await Promise.all(manifest.layers.map(({ digest }) => holds(files, blobPath(digest))));
    if (there.every((found) => found)) return entry;
  }
  return undefined;
}

async function holds(files: LayoutFiles, path: string): Promise<boolean> {
  const file = await files.open(path);
  await file?.[Symbol.asyncDispose]();
  return file !== undefined;
}

class DockerArchiveSource implements ImageSource {
  readonly #files: LayoutFiles;
  readonly #paths: ReadonlyMap<Digest, string>;
  readonly #manifest: ManifestBytes;
  readonly #ctx: Context;

  private constructor(files: LayoutFiles, paths: ReadonlyMap<Digest, string>, manifest: ManifestBytes, ctx: Context) {
    this.#files = files;
    this.#paths = paths;
    this.#manifest = manifest;
    this.#ctx = ctx;
  }

  static async make(
    files: LayoutFiles,
    item: ArchiveItem,
    configBytes: Uint8Array,
    ctx: Context,
  ): Promise<DockerArchiveSource> {
    const file = `${files.name} (${item.config})`;
    const config = parseImageConfig(configBytes, file);
    checkLayers(item, config, files.name);
    const configDescriptor = { mediaType: MEDIA_TYPES.config, digest: sha256(configBytes), size: configBytes.length };
    const paths = new Map([[configDescriptor.digest, item.config]]);
    const layers: Descriptor[] = [];
    const known = new Map<string, Descriptor>();
    for (const [index, path] of item.layers.entries()) {
      const layer = known.get(path) ?? (await layerDescriptor(files, path, config.diffIds[index] as Digest, ctx));
      known.set(path, layer);
      paths.set(layer.digest, path);
      layers.push(layer);
    }
    const bytes = imageManifest({ mediaType: MEDIA_TYPES.manifest, config: configDescriptor, layers });
    const descriptor = { mediaType: MEDIA_TYPES.manifest, digest: sha256(bytes), size: bytes.length };
    return new DockerArchiveSource(files, paths, { descriptor, bytes }, ctx);
  }

  async manifest(digest: Digest = this.#manifest.descriptor.digest): Promise<ManifestBytes> {
    if (digest !== this.#manifest.descriptor.digest) throw blobMissing(this.#files.name, digest);
    return this.#manifest;
  }

  blob(descriptor: Descriptor): AsyncGenerator<Uint8Array, void> {
    return verified(this.uncheckedBlob(descriptor), descriptor, this.#files.name);
  }

  async *uncheckedBlob(descriptor: Descriptor): AsyncGenerator<Uint8Array, void> {
    const path = this.#paths.get(descriptor.digest);
    if (path === undefined) throw blobMissing(this.#files.name, descriptor.digest);
    await using file = await openMember(this.#files, path);
    for await (const bytes of contentOf(file)) {
      this.#ctx.signal.throwIfAborted();
      yield bytes;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#files[Symbol.asyncDispose]();
  }
}

async function openMember(files: LayoutFiles, path: string): Promise<ByteSource> {
  const file = await files.open(path);
  if (file === undefined) throw archiveManifest(files.name, `the layer ${JSON.stringify(path)} is not in the archive`);
  return file;
}

/** A layer may stand in the list twice only if it is the same one. */
function checkLayers({ layers }: ArchiveItem, { diffIds }: ImageConfig, file: string): void {
  if (layers.length !== diffIds.length) {
    throw archiveManifest(file, `${layers.length} layers are listed for ${diffIds.length} diff_ids`);
  }
  const seen = new Map<string, Digest | undefined>();
  for (const [index, path] of layers.entries()) {
    const diffId = diffIds[index];
    if (seen.has(path) && seen.get(path) !== diffId) {
      throw archiveManifest(file, `the layer ${JSON.stringify(path)} stands for two different diff_ids`);
    }
    seen.set(path, diffId);
  }
}

/** A plain layer's digest is its DiffID; a compressed one is hashed, which reads it once. */
async function layerDescriptor(files: LayoutFiles, path: string, diffId: Digest, ctx: Context): Promise<Descriptor> {
  await using file = await openMember(files, path);
  const compression = compressionOf(await file.read(0, Math.min(MAGIC_BYTES, file.size)));
  const mediaType = layerMediaTypeOf(compression);
  if (compression === "none") return { mediaType, digest: parseDigest(diffId).digest, size: file.size };
  return { mediaType, ...(await hashed(contentOf(file), ctx.signal)) };
}
