import type { Digest } from "../bytes/digest.ts";
import { checkSize } from "../bytes/verify.ts";
import type { Context } from "../context.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { documentTooLarge } from "../oci/errors.ts";
import { parseManifest } from "../oci/manifest.ts";
import { isIndexType, isManifestType } from "../oci/media-types.ts";
import { imageNested } from "./errors.ts";
import type { ImageDestination, ImageSource, ManifestBytes } from "./image-transport.ts";

/** What an image is made of, below indexes too. */
export interface ImageParts {
  /** Each once, in front of those that list them; the root is the last. */
  readonly manifests: readonly ManifestBytes[];
  /** Configs, layers and whatever else is no manifest, each once. */
  readonly blobs: readonly Descriptor[];
}

export interface Copied {
  /** Bytes of blobs that were read and written. */
  readonly copied: number;
  /** Bytes of blobs that the destination had. */
  readonly reused: number;
}

const MOST_DEPTH = 4;
/** Bytes of all manifests together. */
const MOST_MANIFESTS = 64 << 20;
/** Blobs under way at the same time: one is read while the other is written. */
const AT_A_TIME = 2;

/**
 * All that `root` refers to. Reads manifests only. Throws CorruptError TRANSPORT_INDEX_DEPTH, OCI_DOCUMENT_TOO_LARGE and what
 * `parseManifest` does.
 */
export async function imageParts(source: ImageSource, root: ManifestBytes, ctx: Context): Promise<ImageParts> {
  const manifests = new Map<Digest, ManifestBytes>();
  const blobs = new Map<Digest, Descriptor>();
  let bytes = 0;
  const visit = async (found: ManifestBytes, depth: number): Promise<void> => {
    const { digest, mediaType } = found.descriptor;
    ctx.signal.throwIfAborted();
    if (depth > MOST_DEPTH) throw imageNested(root.descriptor.digest, MOST_DEPTH);
    bytes += found.bytes.length;
    if (bytes > MOST_MANIFESTS) throw documentTooLarge(root.descriptor.digest, bytes, MOST_MANIFESTS);
    const document = parseManifest(found.bytes, mediaType, digest);
    for (const part of document.kind === "index" ? document.manifests : [document.config, ...document.layers]) {
      if (document.kind === "manifest" || !(isManifestType(part.mediaType) || isIndexType(part.mediaType))) {
        blobs.set(part.digest, part);
      } else if (!manifests.has(part.digest)) {
        const child = await source.manifest(part.digest);
        checkSize(child.bytes.length, part, digest);
        await visit({ descriptor: part, bytes: child.bytes }, depth + 1);
      }
    }
    manifests.set(digest, found);
  };
  await visit(root, 0);
  return { manifests: [...manifests.values()], blobs: [...blobs.values()] };
}

/**
 * Copies an image into a destination that is not committed yet: manifests byte for byte, blobs in one pass each, but not those
 * that the destination has. Throws what source and destination throw, CorruptError DIGEST_MISMATCH, DIGEST_SIZE included.
 */
export async function copyParts(
  source: ImageSource,
  parts: ImageParts,
  destination: ImageDestination,
  ctx: Context,
): Promise<Copied> {
  const copied = await copyBlobs(source, parts, destination, ctx);
  for (const { bytes, descriptor } of parts.manifests) {
    ctx.signal.throwIfAborted();
    await destination.putManifest(bytes, descriptor.mediaType);
  }
  return copied;
}

async function copyBlobs(
  source: ImageSource,
  { blobs, manifests }: ImageParts,
  destination: ImageDestination,
  ctx: Context,
): Promise<Copied> {
  const stop = new AbortController();
  const signal = AbortSignal.any([ctx.signal, stop.signal]);
  const total = blobs.reduce((sum, { size }) => sum + size, 0);
  const item = manifests.at(-1)?.descriptor.digest ?? "";
  const sums = { copied: 0, reused: 0 };
  const progress = (): void => ctx.progress({ stage: "push", item, done: sums.copied + sums.reused, total });
  const copyBlob = async (blob: Descriptor): Promise<void> => {
    const { mediaType, digest, size } = blob;
    let done = 0;
    const content = async function* (): AsyncGenerator<Uint8Array, void> {
      // An upload that was broken begins again.
      sums.copied -= done;
      done = 0;
      for await (const bytes of source.uncheckedBlob?.(blob) ?? source.blob(blob)) {
        signal.throwIfAborted();
        yield bytes;
        done += bytes.length;
        sums.copied += bytes.length;
        progress();
      }
    };
    if (!(await destination.has(digest))) await destination.putBlob(content, { mediaType, digest, size });
    if (done === 0) sums.reused += size;
    progress();
  };
  const waiting = blobs.values();
  const work = async (): Promise<void> => {
    for (const blob of waiting) {
      signal.throwIfAborted();
      await copyBlob(blob);
    }
  };
  const workers = Array.from({ length: AT_A_TIME }, () => work().catch((cause) => stop.abort(cause)));
  await Promise.all(workers);
  signal.throwIfAborted();
  return sums;
}
