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
}

/** A place that takes one image. Nothing is visible before commit; disposing without commit removes everything. */
export interface ImageDestination extends AsyncDisposable {
  has(digest: Digest): Promise<boolean>;
  /** Writes and hashes in one pass. Digest and size need not be known before; where they are given, they are checked. */
  putBlob(
    content: AsyncIterable<Uint8Array>,
    expected: Partial<Descriptor> & { readonly mediaType: string },
  ): Promise<Descriptor>;
  /** The last call is the image (or its index). */
  putManifest(bytes: Uint8Array, mediaType: string): Promise<Descriptor>;
  commit(): Promise<void>;
}

export interface DestinationOptions {
  /** Replace what stands at the destination under this name. */
  readonly force: boolean;
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
