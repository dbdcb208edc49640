import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { parseDigest } from "../bytes/digest.ts";
import { outputFailed, writeAll } from "../bytes/output-file.ts";
import { checkDigest, checkSize, type Expected } from "../bytes/verify.ts";
import { isZeros } from "../bytes/zeros.ts";
import type { Descriptor } from "../oci/descriptor.ts";

export interface BlobPlace {
  readonly handle: FileHandle;
  /** Where in the file the blob begins. */
  readonly offset: number;
  /** For messages. */
  readonly name: string;
  readonly signal: AbortSignal;
}

/**
 * Writes a blob into a file and hashes it at the same time: each chunk is on its way to the disk while it is hashed, and chunks
 * of zeros become holes. What stood behind `offset` is lost. Throws CorruptError DIGEST_MISMATCH or DIGEST_SIZE where it is not
 * what was expected, and what `content` throws.
 */
export async function writeBlob(
  content: AsyncIterable<Uint8Array>,
  expected: Partial<Expected>,
  { handle, offset, name, signal }: BlobPlace,
): Promise<Expected> {
  const algorithm = expected.digest === undefined ? "sha256" : parseDigest(expected.digest).algorithm;
  const hash = createHash(algorithm);
  let size = 0;
  let written = 0;
  // What a blob left there that was given up, or was there already, would show through the holes of this one.
  await truncate(handle, offset, name);
  for await (const bytes of content) {
    signal.throwIfAborted();
    const isHole = isZeros(bytes);
    const writing = isHole ? undefined : writeAll(handle, bytes, offset + size, name);
    try {
      hash.update(bytes);
    } finally {
      await writing;
    }
    size += bytes.length;
    if (!isHole) written = size;
  }
  if (written < size) await truncate(handle, offset + size, name);
  const found: Expected = { digest: `${algorithm}:${hash.digest("hex")}`, size };
  const wanted: Expected = { ...found, ...defined(expected) };
  checkSize(size, wanted, name);
  checkDigest(found.digest, wanted, name);
  return found;
}

async function truncate(handle: FileHandle, size: number, name: string): Promise<void> {
  try {
    await handle.truncate(size);
  } catch (cause) {
    throw outputFailed(cause, name);
  }
}

function defined({ digest, size }: Partial<Expected>): Partial<Expected> {
  return { ...(digest === undefined ? {} : { digest }), ...(size === undefined ? {} : { size }) };
}

/** What a destination answers for a blob. */
export function described(found: Expected, mediaType: string): Descriptor {
  return { mediaType, digest: found.digest, size: found.size };
}

export async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
  yield bytes;
}
