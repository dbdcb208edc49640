import { createHash } from "node:crypto";
import { CorruptError } from "../errors.ts";
import { type Digest, parseDigest } from "./digest.ts";

/** What content must turn out to be; `size` in bytes. */
export interface Expected {
  readonly digest: Digest;
  readonly size: number;
}

/** Throws CorruptError DIGEST_SIZE unless the sizes are equal. */
export function checkSize(size: number, expected: Expected, file: string): void {
  if (size === expected.size) return;
  throw new CorruptError("DIGEST_SIZE", `${expected.digest} has ${size} bytes instead of ${expected.size}`, {
    where: { file },
  });
}

/** Throws CorruptError DIGEST_MISMATCH unless the digests are equal. */
export function checkDigest(digest: Digest, expected: Expected, file: string): void {
  if (digest === expected.digest) return;
  throw new CorruptError("DIGEST_MISMATCH", `the content hashes to ${digest} instead of ${expected.digest}`, {
    where: { file },
  });
}

/** Small content, checked at once. */
export function verifyBytes(bytes: Uint8Array, expected: Expected, file: string): void {
  checkSize(bytes.length, expected, file);
  const { algorithm } = parseDigest(expected.digest);
  checkDigest(`${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}`, expected, file);
}

/** Passes content through; where size or digest turn out wrong, it throws CorruptError instead of ending. */
export async function* verified(
  content: AsyncIterable<Uint8Array>,
  expected: Expected,
  file: string,
): AsyncGenerator<Uint8Array, void> {
  const { algorithm } = parseDigest(expected.digest);
  const hash = createHash(algorithm);
  let size = 0;
  for await (const bytes of content) {
    size += bytes.length;
    if (size > expected.size) checkSize(size, expected, file);
    hash.update(bytes);
    yield bytes;
  }
  checkSize(size, expected, file);
  checkDigest(`${algorithm}:${hash.digest("hex")}`, expected, file);
}

/** Reads content to its end for its digest and size. */
export async function hashed(content: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<Expected> {
  const hash = createHash("sha256");
  let size = 0;
  for await (const bytes of content) {
    signal.throwIfAborted();
    hash.update(bytes);
    size += bytes.length;
  }
  return { digest: `sha256:${hash.digest("hex")}`, size };
}
