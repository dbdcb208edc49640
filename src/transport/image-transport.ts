import type { Digest } from "../bytes/digest.ts";
import type { Context } from "../context.ts";
import type { Descriptor } from "../oci/descriptor.ts";

/** A manifest or index as its bytes, which the digest covers. */
export interface ManifestBytes {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

/** A place that holds one image, or several under tags. */
export interface ImageSource extends AsyncDisposable {
  /** Without a digest: what the reference names, which may be an index. Digest and size are checked. */
  manifest(digest?: Digest): Promise<ManifestBytes>;
  /** Size and digest are checked before the end is reached: whoever reads to the end has the right bytes. */
  blob(descriptor: Descriptor): AsyncIterable<Uint8Array>;
  /** The same for whoever checks size and digest itself, as `putBlob` does: hashing twice is half the time of a copy. */
  uncheckedBlob?(descriptor: Descriptor): AsyncIterable<Uint8Array>;
  /** The manifests that name this one as their subject, where a place keeps a list of them. */
  referrers?(digest: Digest): Promise<readonly Descriptor[]>;
}

/** A blob's bytes. A function gives the same bytes again each time: a registry asks again when an upload was broken. */
export type BlobContent = AsyncIterable<Uint8Array> | (() => AsyncIterable<Uint8Array>);

/** Begins to read a blob from its beginning. */
export function bytesOf(content: BlobContent): AsyncIterable<Uint8Array> {
  return typeof content === "function" ? content() : content;
}

/** A place that takes one image. Nothing is visible before commit; disposing without commit removes everything. */
export interface ImageDestination extends AsyncDisposable {
  has(digest: Digest): Promise<boolean>;
  /**
   * Writes and hashes in one pass. Digest and size need not be known before; where they are given, they are checked. Content
   * whose digest is known and which is there already may not be read at all.
   */
  putBlob(content: BlobContent, expected: Partial<Descriptor> & { readonly mediaType: string }): Promise<Descriptor>;
  /** The last call is the image (or its index). */
  putManifest(bytes: Uint8Array, mediaType: string): Promise<Descriptor>;
  commit(): Promise<void>;
}

export interface DestinationOptions {
  /** Replace what stands at the destination under this name. */
  readonly force: boolean;
  /** A reference of the same transport whose blobs may be taken over without being sent: a registry's cross-repository mount. */
  readonly mountFrom?: string;
  /** Full image name `repository:tag` for archives that carry one; the reference's own wins. */
  readonly name?: string;
}

/** One transport: everything behind `prefix:` in a reference. */
export interface ImageTransport {
  readonly name: string;
  /** `details` is the reference without its prefix. Throws NotFoundError, CorruptError, UsageError. */
  openSource(details: string, ctx: Context): Promise<ImageSource>;
  openDestination(details: string, options: DestinationOptions, ctx: Context): Promise<ImageDestination>;
}
