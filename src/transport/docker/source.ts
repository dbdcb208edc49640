import type { Digest } from "../../bytes/digest.ts";
import { verified } from "../../bytes/verify.ts";
import type { Context } from "../../context.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import { blobMissing } from "../errors.ts";
import type { ImageSource, ManifestBytes } from "../image-transport.ts";
import { downloadBlob } from "./blobs.ts";
import type { RegistryClient } from "./client.ts";
import { getManifest } from "./manifests.ts";
import { listReferrers } from "./referrers.ts";

/** An image in a registry. */
export class RegistrySource implements ImageSource {
  readonly #client: RegistryClient;
  readonly #root: ManifestBytes;
  readonly #ctx: Context;

  /** Takes ownership of `client`. */
  constructor(client: RegistryClient, root: ManifestBytes, ctx: Context) {
    this.#client = client;
    this.#root = root;
    this.#ctx = ctx;
  }

  async manifest(digest?: Digest): Promise<ManifestBytes> {
    if (digest === undefined || digest === this.#root.descriptor.digest) return this.#root;
    const found = await getManifest(this.#client, digest);
    if (found === undefined) throw blobMissing(this.#name, digest);
    return found;
  }

  blob(descriptor: Descriptor): AsyncIterable<Uint8Array> {
    return verified(this.uncheckedBlob(descriptor), descriptor, this.#name);
  }

  uncheckedBlob(descriptor: Descriptor): AsyncIterable<Uint8Array> {
    return downloadBlob(this.#client, descriptor, this.#ctx);
  }

  async referrers(digest: Digest): Promise<readonly Descriptor[]> {
    return await listReferrers(this.#client, digest);
  }

  get #name(): string {
    const { host, repository } = this.#client.endpoint;
    return `${host}/${repository}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client[Symbol.dispose]();
  }
}
