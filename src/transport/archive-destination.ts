import { randomUUID } from "node:crypto";
import { type FileHandle, open, rename, stat, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { BLOCK, encodeTarHeader, paddingOf } from "../archive/tar-encode.ts";
import { type Digest, sha256 } from "../bytes/digest.ts";
import type { Context } from "../context.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { jsonBytes } from "../oci/json.ts";
import { type ImageIndex, type ImageManifest, imageIndex, parseManifest } from "../oci/manifest.ts";
import { isConfigType, MEDIA_TYPES } from "../oci/media-types.ts";
import { described, once, writeAll, writeBlob } from "./blob-writer.ts";
import { blobMissing, notLoadable, outputExists, outputFailed } from "./errors.ts";
import type { DestinationOptions, ImageDestination } from "./image-transport.ts";
import { blobPath, LAYOUT_VERSION } from "./layout-source.ts";
import { type Naming, namedEntry } from "./naming.ts";
import { writeThrough } from "./stdio.ts";

const PIECE = 1 << 20;

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
  readonly #path: string;
  readonly #options: ArchiveOptions;
  readonly #ctx: Context;
  readonly #temp: string;
  readonly #handle: FileHandle;
  readonly #streams: boolean;
  readonly #blobs = new Map<Digest, number>();
  #end = 0;
  #image: { readonly descriptor: Descriptor; readonly bytes: Uint8Array } | undefined;
  /** Blobs are written one after another, also where they are put at the same time. */
  #turn: Promise<unknown> = Promise.resolve();
  #open = true;

  private constructor(
    path: string,
    options: ArchiveOptions,
    ctx: Context,
    temp: string,
    handle: FileHandle,
    streams: boolean,
  ) {
    this.#path = path;
    this.#options = options;
    this.#ctx = ctx;
    this.#temp = temp;
    this.#handle = handle;
    this.#streams = streams;
  }

  /** Throws OutputError TRANSPORT_OUTPUT_EXISTS, unless `force` is set, and TRANSPORT_OUTPUT_PLACE. */
  static async open(path: string, options: ArchiveOptions, ctx: Context): Promise<ArchiveDestination> {
    const found = path === "-" ? undefined : await stat(path).catch(() => undefined);
    if (found?.isFile() === true && !options.force) throw outputExists(path);
    if (found?.isDirectory() === true)
      throw outputFailed(Object.assign(new Error("directory"), { code: "EISDIR" }), path);
    const streams = path === "-" || (found !== undefined && !found.isFile());
    const name = `.${streams ? "archive" : basename(path)}.${randomUUID()}.transload-part`;
    const temp = join(streams ? ctx.tmp : dirname(path), name);
    try {
      const handle = await open(temp, "wx+", 0o666);
      const destination = new ArchiveDestination(path, options, ctx, temp, handle, streams);
      await destination.#begin();
      return destination;
    } catch (cause) {
      throw outputFailed(cause, path);
    }
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
    await writeAll(this.#handle, bytes, this.#end, this.#path);
    this.#end += bytes.length;
  }

  async has(digest: Digest): Promise<boolean> {
    return this.#blobs.has(digest);
  }

  async putBlob(
    content: AsyncIterable<Uint8Array>,
    expected: Partial<Descriptor> & { readonly mediaType: string },
  ): Promise<Descriptor> {
    const turn = this.#turn.then(() => this.#append(content, expected));
    this.#turn = turn.catch(() => undefined);
    return await turn;
  }

  async #append(
    content: AsyncIterable<Uint8Array>,
    expected: Partial<Descriptor> & { readonly mediaType: string },
  ): Promise<Descriptor> {
    const place = { handle: this.#handle, offset: this.#end + BLOCK, name: this.#path, signal: this.#ctx.signal };
    const found = await writeBlob(content, expected, place);
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
    const image = parseManifest(this.#image.bytes, this.#image.descriptor.mediaType, this.#path);
    this.#checkBlobs(image);
    const loadable = dockerManifest(image, this.#options.naming);
    if (loadable === undefined && this.#options.mustLoad) {
      throw notLoadable(this.#path, image.kind === "index" ? "an index of images" : "an artifact");
    }
    const entry = namedEntry(this.#image.descriptor, this.#options.naming);
    await this.#file("index.json", imageIndex({ mediaType: MEDIA_TYPES.index, manifests: [entry] }));
    if (loadable !== undefined) await this.#file("manifest.json", loadable);
    await this.#put(Buffer.alloc(2 * BLOCK));
    await this.#publish();
  }

  #checkBlobs(image: ImageManifest | ImageIndex): void {
    const parts = image.kind === "index" ? image.manifests : [image.config, ...image.layers];
    const missing = parts.find(({ digest }) => !this.#blobs.has(digest));
    if (missing !== undefined) throw blobMissing(this.#path, missing.digest);
  }

  async #file(name: string, bytes: Uint8Array): Promise<void> {
    await this.#put(fileHeader(name, bytes.length));
    await this.#put(bytes);
    await this.#put(Buffer.alloc(paddingOf(bytes.length)));
  }

  async #publish(): Promise<void> {
    try {
      await this.#handle.truncate(this.#end);
      if (this.#streams) await this.#copyOut();
      await this.#handle.close();
      this.#open = false;
      if (this.#streams) return await unlink(this.#temp);
      const taken = !this.#options.force && (await stat(this.#path).catch(() => undefined)) !== undefined;
      if (taken) {
        await unlink(this.#temp);
        throw outputExists(this.#path);
      }
      await rename(this.#temp, this.#path);
    } catch (cause) {
      throw outputFailed(cause, this.#path);
    }
  }

  async #copyOut(): Promise<void> {
    const { signal } = this.#ctx;
    await using output = this.#path === "-" ? undefined : await open(this.#path, "w");
    const buffer = Buffer.alloc(PIECE);
    for (let at = 0; at < this.#end; ) {
      const { bytesRead } = await this.#handle.read(buffer, 0, PIECE, at);
      await writeThrough(buffer.subarray(0, bytesRead), signal, output?.fd);
      at += bytesRead;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await this.#turn;
    await this.#handle.close();
    await unlink(this.#temp).catch(() => undefined);
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
