import { type Digest, sha256 } from "../../bytes/digest.ts";
import type { Context } from "../../context.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import { type ImageIndex, type ImageManifest, parseManifest } from "../../oci/manifest.ts";
import { isIndexType, isManifestType } from "../../oci/media-types.ts";
import { described } from "../blob-writer.ts";
import { blobMissing } from "../errors.ts";
import type { BlobContent, DestinationOptions, ImageDestination, ManifestBytes } from "../image-transport.ts";
import { headBlob } from "./blobs.ts";
import type { RegistryClient } from "./client.ts";
import { tagTaken } from "./errors.ts";
import { headManifest, putManifest } from "./manifests.ts";
import type { RegistryReference } from "./reference.ts";
import { addReferrer } from "./referrers.ts";
import { uploadBlob } from "./upload.ts";

export interface PushOptions extends Pick<DestinationOptions, "force"> {
  readonly reference: RegistryReference;
  /** A repository of the same registry whose blobs may be mounted. */
  readonly mountFrom: string | undefined;
}

/**
 * An image in a registry. Blobs go there at once, where nobody finds them without a manifest; the manifests follow on commit,
 * the image's own as the last, which makes its tag. Blobs of a push that was given up are left to the registry's own cleaning.
 */
export class RegistryDestination implements ImageDestination {
  readonly #client: RegistryClient;
  readonly #options: PushOptions;
  readonly #ctx: Context;
  /** Blobs that are there, with their sizes. */
  readonly #present = new Map<Digest, number>();
  readonly #manifests: ManifestBytes[] = [];

  /** Takes ownership of `client`. */
  constructor(client: RegistryClient, options: PushOptions, ctx: Context) {
    this.#client = client;
    this.#options = options;
    this.#ctx = ctx;
  }

  async has(digest: Digest): Promise<boolean> {
    return this.#present.has(digest) || (await headBlob(this.#client, digest)) !== undefined;
  }

  async putBlob(
    content: BlobContent,
    expected: Partial<Descriptor> & { readonly mediaType: string },
  ): Promise<Descriptor> {
    const { digest, size, mediaType } = expected;
    if (digest !== undefined) {
      const found = this.#present.get(digest) ?? (await headBlob(this.#client, digest));
      // A registry that names another size has something else, or nothing whole.
      if (found !== undefined && found >= 0 && (size === undefined || found === size)) {
        this.#present.set(digest, found);
        return described({ digest, size: found }, mediaType);
      }
    }
    const wanted = { ...(digest === undefined ? {} : { digest }), ...(size === undefined ? {} : { size }) };
    const sent = await uploadBlob(this.#client, content, wanted, this.#options.mountFrom, this.#ctx);
    this.#present.set(sent.digest, sent.size);
    return described(sent, mediaType);
  }

  async putManifest(bytes: Uint8Array, mediaType: string): Promise<Descriptor> {
    const descriptor = { mediaType, digest: sha256(bytes), size: bytes.length };
    this.#manifests.push({ descriptor, bytes });
    return descriptor;
  }

  async commit(): Promise<void> {
    const image = this.#manifests.at(-1);
    if (image === undefined) throw new Error("a registry needs a manifest before an image is committed");
    const { tag, text } = this.#options.reference;
    if (!this.#options.force) {
      const taken = await headManifest(this.#client, tag);
      if (taken !== undefined && taken !== image.descriptor.digest) throw tagTaken(text, taken);
    }
    for (const manifest of this.#manifests) await this.#checkParts(parsed(manifest, text));
    for (const manifest of this.#manifests) await this.#put(manifest, manifest === image ? tag : undefined);
  }

  async #put({ descriptor, bytes }: ManifestBytes, tag: string | undefined): Promise<void> {
    const document = parsed({ descriptor, bytes }, this.#options.reference.text);
    const { knowsSubject } = await putManifest(this.#client, tag ?? descriptor.digest, bytes, descriptor);
    if (document.subject !== undefined && !knowsSubject) {
      await addReferrer(this.#client, document.subject.digest, document, descriptor);
    }
  }

  /** Not every registry looks whether it has what a manifest refers to. */
  async #checkParts(document: ImageManifest | ImageIndex): Promise<void> {
    const parts = document.kind === "index" ? document.manifests : [document.config, ...document.layers];
    for (const { digest, mediaType } of parts) {
      const isDocument = document.kind === "index" && (isManifestType(mediaType) || isIndexType(mediaType));
      const isThere = isDocument ? await this.#hasManifest(digest) : await this.has(digest);
      if (!isThere) throw blobMissing(this.#options.reference.text, digest);
    }
  }

  async #hasManifest(digest: Digest): Promise<boolean> {
    const isPut = this.#manifests.some(({ descriptor }) => descriptor.digest === digest);
    return isPut || (await headManifest(this.#client, digest)) !== undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client[Symbol.dispose]();
  }
}

function parsed({ descriptor, bytes }: ManifestBytes, file: string): ImageManifest | ImageIndex {
  return parseManifest(bytes, descriptor.mediaType, file);
}
