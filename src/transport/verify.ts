import { createHash } from "node:crypto";
import { type Digest, parseDigest } from "../bytes/digest.ts";
import { checkSize } from "../bytes/verify.ts";
import type { Context, Diagnostic } from "../context.ts";
import { ConverterError } from "../errors.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { type ImageConfig, parseImageConfig } from "../oci/image-config.ts";
import { layerCompression } from "../oci/layer-media-type.ts";
import { readLayer } from "../oci/layer-reader.ts";
import { type Finding, LayerRules } from "../oci/layer-rules.ts";
import { type ImageManifest, parseManifest } from "../oci/manifest.ts";
import { isConfigType, isIndexType, isManifestType } from "../oci/media-types.ts";
import { isAttestation } from "../oci/platform.ts";
import type { ImageSource } from "./image-transport.ts";
import { smallBlob } from "./open-image.ts";

export interface VerifyReport {
  readonly root: Descriptor;
  /** Manifests of images and artifacts, not counting indexes. */
  readonly images: number;
  /** Layers and configs, each counted once. */
  readonly blobs: number;
  /** Of the blobs. */
  readonly bytes: number;
  readonly findings: readonly Finding[];
  /** No finding is an error. */
  readonly ok: boolean;
}

const MOST_DEPTH = 4;
const MOST_FINDINGS = 10_000;

/**
 * Reads an image whole and checks it: sizes, digests and media types of every document and blob, the DiffIDs against the
 * uncompressed layers, the history against their number, and each layer's entries against what real clients take. What is wrong
 * becomes a finding; only faults of the machine (and an abort) are thrown.
 */
export async function verifyImage(source: ImageSource, ctx: Context): Promise<VerifyReport> {
  const verifier = new Verifier(source, ctx);
  const { descriptor } = await source.manifest();
  await verifier.document(descriptor, 0);
  const { images, blobs, bytes, findings } = verifier;
  return {
    root: descriptor,
    images,
    blobs,
    bytes,
    findings,
    ok: findings.every(({ severity }) => severity !== "error"),
  };
}

class Verifier {
  readonly #source: ImageSource;
  readonly #ctx: Context;
  readonly #seen = new Set<Digest>();
  readonly #diffIds = new Map<Digest, Digest>();
  readonly findings: Finding[] = [];
  images = 0;
  blobs = 0;
  bytes = 0;

  constructor(source: ImageSource, ctx: Context) {
    this.#source = source;
    this.#ctx = ctx;
  }

  #add(finding: Finding): void {
    if (this.findings.length < MOST_FINDINGS) this.findings.push(finding);
  }

  #error(code: string, message: string, file: string): void {
    this.#add({ severity: "error", code, message, where: { file } });
  }

  /** Input that is wrong becomes a finding; a disk that fails, or a registry, says nothing about the image. */
  async #attempt<T>(file: string, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (cause) {
      const isVerdict = cause instanceof ConverterError && [65, 66, 69].includes(cause.exitCode);
      if (!isVerdict) throw cause;
      this.#add({ severity: "error", code: cause.code, message: cause.message, where: cause.where ?? { file } });
      return undefined;
    }
  }

  async document(descriptor: Descriptor, depth: number): Promise<void> {
    if (this.#seen.has(descriptor.digest)) return;
    this.#seen.add(descriptor.digest);
    const document = await this.#attempt(descriptor.digest, async () => {
      const { bytes } = await this.#source.manifest(descriptor.digest);
      checkSize(bytes.length, descriptor, descriptor.digest);
      return parseManifest(bytes, descriptor.mediaType, descriptor.digest);
    });
    if (document === undefined) return;
    if (document.kind === "manifest") {
      this.images += 1;
      return await this.#image(document, descriptor.digest);
    }
    if (depth >= MOST_DEPTH)
      return this.#error("TRANSPORT_INDEX_DEPTH", "indexes are nested too deep", descriptor.digest);
    for (const entry of document.manifests) {
      this.#ctx.signal.throwIfAborted();
      if (isManifestType(entry.mediaType) || isIndexType(entry.mediaType)) await this.document(entry, depth + 1);
      else if (!isAttestation(entry)) {
        const message = `the media type ${JSON.stringify(entry.mediaType)} is no manifest or index`;
        this.#add({ severity: "warning", code: "OCI_MEDIA_TYPE", message, where: { file: entry.digest } });
      }
    }
  }

  async #image(manifest: ImageManifest, file: string): Promise<void> {
    const isImage = isConfigType(manifest.config.mediaType);
    const configBytes = await this.#attempt(manifest.config.digest, () => this.#config(manifest.config));
    const config =
      configBytes !== undefined && isImage
        ? await this.#attempt(file, async () => parseImageConfig(configBytes, manifest.config.digest))
        : undefined;
    if (config !== undefined) this.#counts(manifest, config, file);
    for (const [index, layer] of manifest.layers.entries()) {
      if (!isImage || layerCompression(layer.mediaType) === undefined) await this.#blob(layer, isImage);
      else await this.#layer(layer, index, config?.diffIds[index]);
    }
  }

  async #config(descriptor: Descriptor): Promise<Uint8Array> {
    const bytes = await smallBlob(this.#source, descriptor);
    this.#count(descriptor);
    return bytes;
  }

  #count(descriptor: Descriptor): void {
    if (this.#seen.has(descriptor.digest)) return;
    this.#seen.add(descriptor.digest);
    this.blobs += 1;
    this.bytes += descriptor.size;
  }

  #counts(manifest: ImageManifest, { diffIds, history }: ImageConfig, file: string): void {
    const layers = manifest.layers.length;
    if (diffIds.length !== layers) {
      this.#error("OCI_DIFF_ID_COUNT", `${diffIds.length} diff_ids stand for ${layers} layers`, file);
    }
    const steps = history.filter((step) => step.emptyLayer !== true).length;
    if (history.length > 0 && steps !== layers) {
      const message = `${steps} steps of the history made a layer, but there are ${layers} layers`;
      this.#add({ severity: "warning", code: "OCI_HISTORY_COUNT", message, where: { file } });
    }
  }

  /** A blob that is no layer we can look into. */
  async #blob(descriptor: Descriptor, shouldBeLayer: boolean): Promise<void> {
    if (this.#seen.has(descriptor.digest)) return;
    if (shouldBeLayer) {
      const message = `the media type ${JSON.stringify(descriptor.mediaType)} is not a layer that can be read`;
      this.#add({ severity: "warning", code: "LAYER_MEDIA_TYPE", message, where: { file: descriptor.digest } });
    }
    await this.#attempt(descriptor.digest, () => this.#readBlob(descriptor));
    this.#count(descriptor);
  }

  async #readBlob(descriptor: Descriptor): Promise<void> {
    for await (const _ of this.#observed(descriptor)) this.#ctx.signal.throwIfAborted();
  }

  async #layer(descriptor: Descriptor, index: number, diffId: Digest | undefined): Promise<void> {
    const { digest } = descriptor;
    if (!this.#seen.has(digest)) {
      const found = await this.#attempt(digest, () => this.#readLayer(descriptor, index, diffId));
      if (found !== undefined) this.#diffIds.set(digest, found);
      // Entries that cannot be read say nothing about the blob's own digest.
      else if (!/^(?:DIGEST|TRANSPORT)_/.test(this.findings.at(-1)?.code ?? "")) {
        await this.#attempt(digest, () => this.#readBlob(descriptor));
      }
      this.#count(descriptor);
    }
    const found = this.#diffIds.get(digest);
    if (found === undefined || diffId === undefined || found === diffId) return;
    if (parseDigest(found).algorithm !== parseDigest(diffId).algorithm) return;
    this.#error("OCI_DIFF_ID", `the layer uncompressed is ${found} instead of ${diffId}`, digest);
  }

  async #readLayer(descriptor: Descriptor, index: number, diffId: Digest | undefined): Promise<Digest> {
    const { digest, mediaType } = descriptor;
    const algorithm = diffId === undefined ? "sha256" : parseDigest(diffId).algorithm;
    const hash = createHash(algorithm);
    const rules = new LayerRules(digest, index === 0);
    const diagnostic = (note: Diagnostic): void => this.#add(note);
    const options = { name: digest, mediaType, onPlain: (bytes: Uint8Array) => void hash.update(bytes) };
    const blob = this.#observed(descriptor);
    for await (const item of readLayer(blob, options, { ...this.#ctx, diagnostic })) {
      for (const finding of rules.check(item)) this.#add(finding);
    }
    return `${algorithm}:${hash.digest("hex")}`;
  }

  async *#observed(descriptor: Descriptor): AsyncGenerator<Uint8Array, void> {
    let done = 0;
    for await (const bytes of this.#source.blob(descriptor)) {
      done += bytes.length;
      this.#ctx.progress({ stage: "verify", item: descriptor.digest, done, total: descriptor.size });
      yield bytes;
    }
  }
}
