import { randomUUID } from "node:crypto";
import { mkdir, open, readdir, rename, rm, rmdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Digest, sha256 } from "../bytes/digest.ts";
import { outputFailed, writeAll } from "../bytes/output-file.ts";
import type { Context } from "../context.ts";
import { type Descriptor, descriptorJson } from "../oci/descriptor.ts";
import { DOCUMENT_LIMIT, Fields, type Json, jsonBytes, parseJson } from "../oci/json.ts";
import { parseManifest } from "../oci/manifest.ts";
import { MEDIA_TYPES } from "../oci/media-types.ts";
import { described, once, writeBlob } from "./blob-writer.ts";
import { blobMissing, outputForeign, tagExists } from "./errors.ts";
import { type BlobContent, bytesOf, type DestinationOptions, type ImageDestination } from "./image-transport.ts";
import { DirectoryFiles, readFileOf } from "./layout-files.ts";
import { withLock } from "./layout-lock.ts";
import { blobPath, LAYOUT_VERSION, REF_NAME, readLayoutIndex } from "./layout-source.ts";
import { type Naming, namedEntry } from "./naming.ts";

/** Working directories in a layout begin like this; one that is left over belonged to a run that was killed, and can go. */
const STAGING_PREFIX = ".transload-";

/**
 * An image in a layout directory, beside the images that are there. Blobs wait in a working directory inside the layout until
 * commit renames them to their places; index.json changes last, as a whole.
 */
export class LayoutDestination implements ImageDestination {
  readonly #directory: string;
  readonly #staging: string;
  readonly #naming: Naming;
  readonly #options: DestinationOptions;
  readonly #ctx: Context;
  readonly #isNew: boolean;
  readonly #staged = new Map<Digest, string>();
  #image: { readonly descriptor: Descriptor; readonly bytes: Uint8Array } | undefined;

  private constructor(directory: string, naming: Naming, options: DestinationOptions, ctx: Context, isNew: boolean) {
    this.#directory = directory;
    this.#staging = join(directory, `${STAGING_PREFIX}${randomUUID()}`);
    this.#naming = naming;
    this.#options = options;
    this.#ctx = ctx;
    this.#isNew = isNew;
  }

  /** Throws OutputError TRANSPORT_OUTPUT_FOREIGN for a directory with other things in it, OUTPUT_PLACE. */
  static async open(
    directory: string,
    naming: Naming,
    options: DestinationOptions,
    ctx: Context,
  ): Promise<LayoutDestination> {
    try {
      const names = await readdir(directory).catch((cause: NodeJS.ErrnoException) => {
        if (cause.code === "ENOENT") return undefined;
        throw cause;
      });
      const others = names?.filter((name) => !name.startsWith(STAGING_PREFIX) && name !== "lost+found") ?? [];
      if (others.length > 0 && !others.includes("index.json") && !others.includes("oci-layout")) {
        throw outputForeign(directory);
      }
      if (others.includes("index.json")) await readLayoutIndex(new DirectoryFiles(directory), ctx);
      const destination = new LayoutDestination(directory, naming, options, ctx, names === undefined);
      await mkdir(destination.#staging, { recursive: true });
      return destination;
    } catch (cause) {
      throw outputFailed(cause, directory);
    }
  }

  async has(digest: Digest): Promise<boolean> {
    return this.#staged.has(digest) || (await sizeOf(join(this.#directory, blobPath(digest)))) !== undefined;
  }

  async putBlob(
    content: BlobContent,
    expected: Partial<Descriptor> & { readonly mediaType: string },
  ): Promise<Descriptor> {
    const temp = join(this.#staging, randomUUID());
    try {
      await using handle = await open(temp, "wx");
      const place = { handle, offset: 0, name: this.#directory, signal: this.#ctx.signal };
      const found = await writeBlob(bytesOf(content), expected, place);
      if (this.#staged.has(found.digest)) await rm(temp);
      else this.#staged.set(found.digest, temp);
      return described(found, expected.mediaType);
    } catch (cause) {
      await rm(temp, { force: true });
      throw outputFailed(cause, this.#directory);
    }
  }

  async putManifest(bytes: Uint8Array, mediaType: string): Promise<Descriptor> {
    const descriptor = await this.putBlob(once(bytes), { mediaType, digest: sha256(bytes) });
    this.#image = { descriptor, bytes };
    return descriptor;
  }

  async commit(): Promise<void> {
    const image = this.#image;
    if (image === undefined) throw new Error("a layout needs a manifest before it is committed");
    try {
      await this.#checkBlobs(image.bytes, image.descriptor);
      await withLock(this.#directory, this.#ctx.signal, () => this.#publish(image.descriptor));
      await rm(this.#staging, { recursive: true, force: true });
    } catch (cause) {
      throw outputFailed(cause, this.#directory);
    }
  }

  async #checkBlobs(bytes: Uint8Array, descriptor: Descriptor): Promise<void> {
    const image = parseManifest(bytes, descriptor.mediaType, this.#directory);
    for (const part of image.kind === "index" ? image.manifests : [image.config, ...image.layers]) {
      const path = this.#staged.get(part.digest) ?? join(this.#directory, blobPath(part.digest));
      if ((await sizeOf(path)) !== part.size) throw blobMissing(this.#directory, part.digest);
    }
  }

  /** Runs under the lock. */
  async #publish(image: Descriptor): Promise<void> {
    const index = await this.#newIndex(image);
    await this.#replace("oci-layout", jsonBytes({ imageLayoutVersion: LAYOUT_VERSION }));
    for (const [digest, temp] of this.#staged) {
      const path = join(this.#directory, blobPath(digest));
      await mkdir(dirname(path), { recursive: true });
      await rename(temp, path);
    }
    await this.#replace("index.json", index);
  }

  /** index.json as it is, with the image added or in the place of what had its tag; entries that we do not know stay. */
  async #newIndex(image: Descriptor): Promise<Uint8Array> {
    const { refName } = this.#naming;
    const entry = descriptorJson(namedEntry(image, this.#naming)) as Json;
    const bytes = await readFileOf(new DirectoryFiles(this.#directory), "index.json", DOCUMENT_LIMIT);
    const document = bytes === undefined ? {} : parseJson(bytes, this.#directory);
    new Fields(document, "", this.#directory).objects("manifests");
    const old = document as { readonly [key: string]: Json };
    const entries = (old["manifests"] ?? []) as readonly Json[];
    const isReplaced = (other: Json): boolean => {
      const fields = new Fields(other, "manifests[]", this.#directory);
      const tag = fields.textMap("annotations")?.[REF_NAME];
      const same = fields.text("digest") === image.digest;
      if (tag !== refName || (tag === undefined && !same)) return false;
      if (tag !== undefined && !same && !this.#options.force) {
        throw tagExists(this.#directory, tag, fields.text("digest"));
      }
      return true;
    };
    const place = entries.findIndex(isReplaced);
    const kept = entries.filter((other) => !isReplaced(other));
    const manifests = kept.toSpliced(place < 0 ? kept.length : place, 0, entry);
    return jsonBytes({ ...old, schemaVersion: 2, mediaType: MEDIA_TYPES.index, manifests });
  }

  async #replace(name: string, bytes: Uint8Array): Promise<void> {
    const temp = join(this.#staging, name);
    {
      await using handle = await open(temp, "w");
      await writeAll(handle, bytes, 0, this.#directory);
      await handle.datasync();
    }
    await rename(temp, join(this.#directory, name));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#staging, { recursive: true, force: true });
    // Fails, as it should, for a directory that is not empty.
    if (this.#isNew) await rmdir(this.#directory).catch(() => undefined);
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  return (await stat(path).catch(() => undefined))?.size;
}
