import type { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import * as zlib from "node:zlib";
import { Decompress } from "fzstd";
import { ConverterError, CorruptError, UnsupportedError } from "../errors.ts";
import { ByteReader } from "./byte-reader.ts";
import { gunzip, isGzip } from "./gunzip.ts";

export type Compression = "none" | "gzip" | "zstd";

/** RFC 8878 3.1.1 and 3.1.2. */
const ZSTD_MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;
/** RFC 8878 3.1.1.2.4: no block is larger. */
const MOST_BLOCK = 128 << 10;

/** From Node 22.15 on. */
const { createZstdDecompress, zstdDecompressSync } = zlib as {
  readonly createZstdDecompress?: () => Transform;
  readonly zstdDecompressSync?: (frame: Uint8Array, options: { readonly maxOutputLength: number }) => Uint8Array;
};

/**
 * A decoder keeps a window in memory. zstd's own limit is 128 MiB; the decoder in JavaScript moves its whole window for each
 * block, so that one gets what RFC 8878 3.1.1.1.2 asks every decoder to support.
 */
const MOST_WINDOW = createZstdDecompress === undefined ? 8 << 20 : 128 << 20;

/** How many bytes `compressionOf` wants to see. */
export const MAGIC_BYTES = 4;

/** By the first bytes; what begins like neither of the others is "none". */
export function compressionOf(head: Uint8Array): Compression {
  if (isGzip(head)) return "gzip";
  if (head.length < MAGIC_BYTES) return "none";
  const magic = new DataView(head.buffer, head.byteOffset).getUint32(0, true);
  return magic === ZSTD_MAGIC || isSkippable(magic) ? "zstd" : "none";
}

function isSkippable(magic: number): boolean {
  return (magic & 0xfffffff0) >>> 0 === SKIPPABLE_MAGIC;
}

/**
 * The plain bytes of content that has one or more gzip members or zstd frames. Throws CorruptError BYTES_COMPRESSED for what
 * is damaged or cut off, UnsupportedError ZSTD_DICTIONARY, ZSTD_WINDOW.
 */
export function decompress(
  content: AsyncIterable<Uint8Array>,
  compression: Compression,
  name: string,
): AsyncIterable<Uint8Array> {
  if (compression === "none") return content;
  return compression === "gzip" ? gunzip(content, name) : unzstd(content, name);
}

function damaged(name: string, cause?: unknown): CorruptError {
  return new CorruptError("BYTES_COMPRESSED", "the zstd data is damaged or cut off", { where: { file: name }, cause });
}

/**
 * Frame after frame. The frames are walked here, because Node's decoder ends silently after the first one, and neither it nor
 * the one in JavaScript tells a cut from an end; the latter also allocates whatever window a header asks for.
 */
async function* unzstd(content: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<Uint8Array, void> {
  const reader = new ByteReader(content);
  try {
    for (;;) {
      const magic = new Uint8Array(await reader.take(4));
      if (magic.length === 0) return;
      const number = magic.length < 4 ? 0 : littleEndian(magic);
      if (isSkippable(number)) await skipFrame(reader, name);
      else if (number !== ZSTD_MAGIC) throw damaged(name);
      else if (createZstdDecompress === undefined) yield* decodeFrame(frame(reader, magic, name), name);
      else yield* inflateFrame(frame(reader, magic, name), createZstdDecompress(), name);
    }
  } finally {
    await reader.close();
  }
}

/** With Node's own decoder. */
async function* inflateFrame(
  pieces: AsyncIterable<Uint8Array>,
  decoder: Transform,
  name: string,
): AsyncGenerator<Uint8Array, void> {
  let failure: unknown;
  const feeding = pipeline(pieces, decoder).catch((cause: unknown) => {
    failure = cause;
  });
  try {
    for await (const bytes of decoder) yield bytes as Uint8Array;
  } catch (cause) {
    await feeding;
    failure ??= cause;
    throw failure instanceof Error && `${(failure as NodeJS.ErrnoException).code}`.startsWith("ZSTD_error")
      ? damaged(name, failure)
      : failure;
  } finally {
    decoder.destroy();
    await feeding;
  }
}

/**
 * The plain bytes of the zstd frame at the start of `bytes`, whatever follows it. Throws CorruptError BYTES_COMPRESSED for what
 * is damaged, cut off or larger than `most` bytes, UnsupportedError ZSTD_DICTIONARY, ZSTD_WINDOW.
 */
export function unzstdFrame(bytes: Uint8Array, most: number, name: string): Uint8Array {
  const frameBytes = bytes.subarray(0, frameLength(bytes, name));
  try {
    if (zstdDecompressSync !== undefined) return zstdDecompressSync(frameBytes, { maxOutputLength: most });
    return decodeFrameSync(frameBytes, most, name);
  } catch (cause) {
    throw cause instanceof ConverterError ? cause : damaged(name, cause);
  }
}

function decodeFrameSync(frameBytes: Uint8Array, most: number, name: string): Uint8Array {
  const plain: Uint8Array[] = [];
  let size = 0;
  const decoder = new Decompress((piece) => {
    size += piece.length;
    if (size > most) throw damaged(name);
    plain.push(piece);
  });
  decoder.push(frameBytes, true);
  return plain.length === 1 && plain[0] !== undefined ? plain[0] : Buffer.concat(plain, size);
}

/** Checks the header and walks the blocks, as `frame` does for a stream. */
function frameLength(bytes: Uint8Array, name: string): number {
  const descriptor = bytes[4] ?? 0;
  const singleSegment = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >> 6;
  let at = 5;
  const take = (length: number): Uint8Array => {
    at += length;
    if (at > bytes.length) throw damaged(name);
    return bytes.subarray(at - length, at);
  };
  if (bytes.length < MAGIC_BYTES || littleEndian(bytes.subarray(0, MAGIC_BYTES)) !== ZSTD_MAGIC) throw damaged(name);
  const [window] = take(singleSegment ? 0 : 1);
  const dictionary = take([0, 1, 2, 4][descriptor & 3] ?? 0);
  const size = take(sizeFlag === 0 ? Number(singleSegment) : 1 << sizeFlag);
  checkHeader(window === undefined ? littleEndian(size) : windowSize(window), dictionary, name);
  for (let last = false; !last; ) {
    const word = littleEndian(take(3));
    last = (word & 1) !== 0;
    if (word >> 3 > MOST_BLOCK) throw damaged(name);
    take(((word >> 1) & 3) === 1 ? 1 : word >> 3);
  }
  if ((descriptor & 4) !== 0) take(4);
  return at;
}

/** In JavaScript. What it throws for damaged data is not always an error of its own. */
async function* decodeFrame(pieces: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<Uint8Array, void> {
  let plain: Uint8Array[] = [];
  const decoder = new Decompress((bytes) => plain.push(bytes));
  const push = (piece: Uint8Array, final: boolean): readonly Uint8Array[] => {
    plain = [];
    try {
      decoder.push(piece, final);
    } catch (cause) {
      throw damaged(name, cause);
    }
    return plain.filter(({ length }) => length > 0);
  };
  for await (const piece of pieces) yield* push(piece, false);
  // It holds frames of less than 18 bytes back until it is told that no more comes.
  yield* push(new Uint8Array(0), true);
}

/** A copy, since some of what is taken is kept. */
async function exactly(reader: ByteReader, length: number, name: string): Promise<Uint8Array> {
  const bytes = await reader.take(length);
  if (bytes.length < length) throw damaged(name);
  return new Uint8Array(bytes);
}

async function skipFrame(reader: ByteReader, name: string): Promise<void> {
  const size = littleEndian(await exactly(reader, 4, name));
  if ((await reader.skip(size)) < size) throw damaged(name);
}

/** RFC 8878 3.1.1: header, blocks, and a checksum that the digest of the blob makes superfluous. */
async function* frame(reader: ByteReader, magic: Uint8Array, name: string): AsyncGenerator<Uint8Array, void> {
  const [descriptor = 0] = await exactly(reader, 1, name);
  const singleSegment = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >> 6;
  const [window] = singleSegment ? [] : await exactly(reader, 1, name);
  const dictionary = await exactly(reader, [0, 1, 2, 4][descriptor & 3] ?? 0, name);
  const size = await exactly(reader, sizeFlag === 0 ? Number(singleSegment) : 1 << sizeFlag, name);
  checkHeader(window === undefined ? littleEndian(size) : windowSize(window), dictionary, name);
  const windowBytes = window === undefined ? [] : [window];
  yield Buffer.from([...magic, descriptor, ...windowBytes, ...dictionary, ...size]);
  for (let last = false; !last; ) {
    const header = await exactly(reader, 3, name);
    const word = littleEndian(header);
    last = (word & 1) !== 0;
    const isRunLength = ((word >> 1) & 3) === 1;
    if (word >> 3 > MOST_BLOCK) throw damaged(name);
    const checksumBytes = last && (descriptor & 4) !== 0 ? 4 : 0;
    yield Buffer.concat([header, await exactly(reader, (isRunLength ? 1 : word >> 3) + checksumBytes, name)]);
  }
}

function checkHeader(window: number, dictionary: Uint8Array, name: string): void {
  const where = { file: name };
  if (dictionary.some((byte) => byte !== 0)) {
    throw new UnsupportedError("ZSTD_DICTIONARY", "the zstd data needs a dictionary", { where });
  }
  if (window > MOST_WINDOW) {
    const sentence = `the zstd data needs a window of ${window} bytes, more than ${MOST_WINDOW}`;
    const advice = "Node.js 22.15 and later decode windows of up to 128 MiB.";
    throw new UnsupportedError("ZSTD_WINDOW", sentence, { where, advice });
  }
}

function littleEndian(bytes: Uint8Array): number {
  return bytes.reduceRight((value, byte) => value * 256 + byte, 0);
}

/** RFC 8878 3.1.1.1.2. */
function windowSize(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}
