import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { ConverterError, CorruptError } from "../errors.ts";

const CHUNK = 256 << 10;

/** Whether content that begins with `head` is gzip (RFC 1952 2.3.1). */
export function isGzip(head: Uint8Array): boolean {
  return head[0] === 0x1f && head[1] === 0x8b;
}

/**
 * The plain bytes of one or more gzip members, inflated off the main thread. Throws CorruptError BYTES_COMPRESSED for what is
 * damaged or cut off, and what `content` throws.
 */
export async function* gunzip(content: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<Uint8Array, void> {
  const plain = createGunzip({ chunkSize: CHUNK });
  let failure: unknown;
  const feeding = pipeline(content, plain).catch((cause: unknown) => {
    failure = cause;
  });
  try {
    for await (const bytes of plain) yield bytes as Uint8Array;
  } catch (cause) {
    await feeding;
    throw inflateError(failure ?? cause, name, plain.bytesWritten);
  } finally {
    plain.destroy();
    await feeding;
  }
}

function inflateError(cause: unknown, name: string, offset: number): unknown {
  const errno = (cause as NodeJS.ErrnoException).code;
  if (cause instanceof ConverterError || errno?.startsWith("Z_") !== true) return cause;
  const what = errno === "Z_BUF_ERROR" ? "cut off" : "damaged";
  return new CorruptError("BYTES_COMPRESSED", `the gzip data is ${what}`, { where: { file: name, offset }, cause });
}
