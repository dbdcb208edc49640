import { BLOCK, encodeTarHeader, paddingOf } from "../archive/tar-encode.ts";
import { type Digest, sha256 } from "../bytes/digest.ts";
import { OutputFile } from "../bytes/output-file.ts";
import type { Context } from "../context.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { jsonBytes } from "../oci/json.ts";
import { type ImageIndex, type ImageManifest, imageIndex, parseManifest } from "../oci/manifest.ts";
import { isConfigType, MEDIA_TYPES } from "../oci/media-types.ts";
import { described, once, writeBlob } from "./blob-writer.ts";
import { blobMissing, notLoadable } from "./errors.ts";
import { type BlobContent, bytesOf, type DestinationOptions, type ImageDestination } from "./image-transport.ts";
import { blobPath, LAYOUT_VERSION } from "./layout-source.ts";
import { type Naming, namedEntry } from "./naming.ts";

export interface ArchiveOptions extends DestinationOptions {
  readonly naming: Naming;
  /** Refuse what `docker load` cannot take. */
  readonly mustLoad: boolean;
}

/**
 * An OCI layout and a `docker save` archive in one tar: what the loaders of docker, podman, containerd and skopeo all take.
 * Blobs are streamed into a temporary file beside the output (in `ctx.tmp` for `-` and for what cannot be renamed): the header
 * of a blob is written once its size is known. There is no second copy of a file, and the same calls give the same bytes.
 */
export class ArchiveDestination implements ImageDestination {
  readonly #output: OutputFile;
  readonly #options: ArchiveOptions;
  readonly #ctx: Context;
  readonly #blobs = new Map<Digest, number>();
  #end = 0;
  #image: { readonly descriptor: Descriptor; readonly bytes: Uint8Array } | undefined;
  /** Blobs are written one after another, also where they are put at the same time. */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(output: OutputFile, options: ArchiveOptions, ctx: Context) {
    this.#output = output;
    this.#options = options;
    this.#ctx = ctx;
  }

  /** Throws what OutputFile does. */
  static async open(path: string, options: ArchiveOptions, ctx: Context): Promise<ArchiveDestination> {
    const destination = new ArchiveDestination(await OutputFile.open(path, options, ctx), options, ctx);
    await destination.#begin();
    return destination;
  }

  async #begin(): Promise<void> {
    const layout = jsonBytes({ imageLayoutVersion: LAYOUT_VERSION });
    await this.#put(
      Buffer.concat([directory("blobs/"), directory("blobs/sha256/"), fileHeader("oci-layout", layout.length)]),
    );
    await this.#put(layout);
    await this.#put(Buffer.alloc(paddingOf(layout.length)));
  }

  async #put(bytes: Uint8Array): Promise<void> {
    await this.#output.write(bytes, this.#end);
    this.#end += bytes.length;
  }

  async has(digest: Digest): Promise<boolean> {
    return this.#blobs.has(digest);
  }

  async putBlob(
    content: BlobContent,
    expected: Partial<Descriptor> & { readonly mediaType: string },
  ): Promise<Descriptor> {
    const turn = this.#turn.then(() => this.#append(content, expected));
    this.#turn = turn.catch(() => undefined);
    return await turn;
  }

  async #append(
    content: BlobContent,
    expected: Partial<Descriptor> & { readonly mediaType: string },
  ): Promise<Descriptor> {
    const place = {
      handle: this.#output.handle,
      offset: this.#end + BLOCK,
      name: this.#output.name,
      signal: this.#ctx.signal,
    };
    const found = await writeBlob(bytesOf(content), expected, place);
    if (!this.#blobs.has(found.digest)) {
      await this.#put(fileHeader(blobPath(found.digest), found.size));
      this.#end += found.size;
      await this.#put(Buffer.alloc(paddingOf(found.size)));
      this.#blobs.set(found.digest, found.size);
    }
    return described(found, expected.mediaType);
  }

  async putManifest(bytes: Uint8Array, mediaType: string): Promise<Descriptor> {
    const descriptor = await this.putBlob(once(bytes), { mediaType, digest: sha256(bytes) });
    this.#image = { descriptor, bytes };
    return descriptor;
  }

  async commit(): Promise<void> {
    await this.#turn;
    if (this.#image === undefined) throw new Error("an archive needs a manifest before it is committed");
    const image = parseManifest(this.#image.bytes, this.#image.descriptor.mediaType, this.#output.name);
    this.#checkBlobs(image);
    const loadable = dockerManifest(image, this.#options.naming);
    if (loadable === undefined && this.#options.mustLoad) {
      throw notLoadable(this.#output.name, image.kind === "index" ? "an index of images" : "an artifact");
    }
    const entry = namedEntry(this.#image.descriptor, this.#options.naming);
    await this.#file("index.json", imageIndex({ mediaType: MEDIA_TYPES.index, manifests: [entry] }));
    if (loadable !== undefined) await this.#file("manifest.json", loadable);
    await this.#put(Buffer.alloc(2 * BLOCK));
    await this.#output.commit(this.#end);
  }

  #checkBlobs(image: ImageManifest | ImageIndex): void {
    const parts = image.kind === "index" ? image.manifests : [image.config, ...image.layers];
    const missing = parts.find(({ digest }) => !this.#blobs.has(digest));
    if (missing !== undefined) throw blobMissing(this.#output.name, missing.digest);
  }

  async #file(name: string, bytes: Uint8Array): Promise<void> {
    await this.#put(fileHeader(name, bytes.length));
    await this.#put(bytes);
    await this.#put(Buffer.alloc(paddingOf(bytes.length)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#turn;
    await this.#output[Symbol.asyncDispose]();
  }
}

const NEVER = { seconds: 0, nanoseconds: 0 };

function directory(name: string): Buffer {
  return encodeTarHeader({ name, type: "5", mode: 0o755, uid: 0, gid: 0, size: 0, mtime: NEVER });
}

/** Always one block, since the place is kept before the size is known: above 8 GiB the base-256 size has to do without pax. */
function fileHeader(name: string, size: number): Buffer {
  return encodeTarHeader({ name, type: "0", mode: 0o644, uid: 0, gid: 0, size, mtime: NEVER }).subarray(-BLOCK);
}

/** manifest.json of `docker save`, or undefined for what Docker cannot load. */
function dockerManifest(image: ImageManifest | ImageIndex, { imageName }: Naming): Uint8Array | undefined {
  if (image.kind === "index" || !isConfigType(image.config.mediaType)) return undefined;
  return jsonBytes([
    {
      Config: blobPath(image.config.digest),
      RepoTags: imageName === undefined ? null : [imageName.familiar],
      Layers: image.layers.map(({ digest }) => blobPath(digest)),
    },
  ]);
}
