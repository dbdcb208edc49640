import { crc32 } from "node:zlib";
import { CorruptError, UnsupportedError } from "../errors.ts";
import { type BranchFilter, branchFilter } from "./branch-filters.ts";
import { LzmaDecoder } from "./lzma.ts";

const MAGIC = "\xfd7zXZ\0";
const STREAM_HEADER_SIZE = 12;
const FILTER_LZMA2 = 0x21;
/** Bytes of each kind of check (xz file format 2.1.1.2). */
const CHECK_SIZES = [0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64] as const;
const CHECK_CRC32 = 1;

/** A block's header (xz file format 3.1). */
interface BlockHeader {
  /** Bytes, with its checksum. */
  readonly size: number;
  /** What was done to the data in front of LZMA2, in the order in which it is undone. */
  readonly filters: readonly { readonly undo: BranchFilter; readonly start: number }[];
  /** How far back LZMA2 refers: bytes. */
  readonly dictionarySize: number;
}

/**
 * Decodes an xz stream into memory. Gives a view of `target` with what was decoded, or undefined where the stream is damaged,
 * or holds more than fits into `target`. CRC32 is checked, other checks are passed over. Throws UnsupportedError XZ_FILTER;
 * `name` is for its message.
 */
export function decodeXz(source: Uint8Array, target: Uint8Array, name: string): Uint8Array | undefined {
  if (source.length < STREAM_HEADER_SIZE || latin1(source, 0, 6) !== MAGIC) return undefined;
  const check = source[7] ?? 0;
  if (source[6] !== 0 || check > 15 || word(source, 8) !== crc32(source.subarray(6, 8))) return undefined;
  let at = STREAM_HEADER_SIZE;
  let end = 0;
  const records: number[] = [];
  // A byte of 0 where a block could begin is the index.
  while (source[at] !== 0) {
    const header = blockHeader(source.subarray(at), name);
    if (header === undefined) return undefined;
    const start = at + header.size;
    const decoder = new LzmaDecoder(source, target.subarray(end));
    const behind = decodeLzma2(source, start, decoder);
    if (behind === undefined) return undefined;
    const plain = target.subarray(end, end + decoder.end);
    for (const { undo, start: position } of header.filters) undo(plain, position);
    const checkAt = start + Math.ceil((behind - start) / 4) * 4;
    if (check === CHECK_CRC32 && word(source, checkAt) !== crc32(plain)) return undefined;
    const checkSize = CHECK_SIZES[check] ?? 0;
    records.push(behind - at + checkSize, decoder.end);
    at = checkAt + checkSize;
    end += decoder.end;
  }
  return indexHolds(source.subarray(at), records) ? target.subarray(0, end) : undefined;
}

/** No encoder's preset has a larger dictionary than 64 MiB. */
const MOST_DICTIONARY = 64 << 20;
/** What a chunk of LZMA2 holds at most. */
const MOST_CHUNK = 2 << 20;

/**
 * The plain bytes of an xz stream in pieces of at most 2 MiB, each valid until the next is asked for: memory is its dictionary
 * and a few pieces. Throws CorruptError BYTES_COMPRESSED, UnsupportedError XZ_FILTER for data that went through a branch filter
 * and XZ_DICTIONARY for one above 64 MiB. CRC32 is checked, other checks are passed over.
 */
export function* unxz(source: Uint8Array, name: string): Generator<Uint8Array, void> {
  const damaged = () =>
    new CorruptError("BYTES_COMPRESSED", "the xz data is damaged or cut off", { where: { file: name } });
  const check = source[7] ?? 0;
  if (source.length < STREAM_HEADER_SIZE || latin1(source, 0, 6) !== MAGIC) throw damaged();
  if (source[6] !== 0 || check > 15 || word(source, 8) !== crc32(source.subarray(6, 8))) throw damaged();
  const records: number[] = [];
  let at = STREAM_HEADER_SIZE;
  while (source[at] !== 0) {
    const header = blockHeader(source.subarray(at), name);
    if (header === undefined) throw damaged();
    if (header.filters.length > 0) throw filterUnknown(0, name);
    if (header.dictionarySize > MOST_DICTIONARY) throw dictionaryTooLarge(header.dictionarySize, name);
    const window = new Uint8Array(header.dictionarySize + 3 * MOST_CHUNK);
    const decoder = new LzmaDecoder(source, window);
    const chunks = new Lzma2Chunks(source, at + header.size, decoder);
    let size = 0;
    let sum = 0;
    while (!chunks.ended) {
      if (decoder.end + MOST_CHUNK > window.length) decoder.slide(header.dictionarySize);
      const before = decoder.end;
      if (!chunks.next()) throw damaged();
      const piece = window.subarray(before, decoder.end);
      size += piece.length;
      if (check === CHECK_CRC32) sum = crc32(piece, sum);
      if (piece.length > 0) yield piece;
    }
    const start = at + header.size;
    const checkAt = start + Math.ceil((chunks.at - start) / 4) * 4;
    if (check === CHECK_CRC32 && word(source, checkAt) !== sum) throw damaged();
    const checkSize = CHECK_SIZES[check] ?? 0;
    records.push(chunks.at - at + checkSize, size);
    at = checkAt + checkSize;
  }
  if (!indexHolds(source.subarray(at), records)) throw damaged();
}

/**
 * Whether the index (xz file format 4) names just these blocks, each with its size without padding and its plain size. Without
 * it, a block whose first byte is lost would read as the end.
 */
function indexHolds(index: Uint8Array, records: readonly number[]): boolean {
  const numbers = new Numbers(index, 1);
  if (numbers.next() !== records.length / 2) return false;
  if (!records.every((value) => numbers.next() === value)) return false;
  const size = Math.ceil(numbers.at / 4) * 4;
  return word(index, size) === crc32(index.subarray(0, size));
}

/** The variable-length numbers from an offset on (xz file format 1.2). */
class Numbers {
  readonly #bytes: Uint8Array;
  at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.at = at;
  }

  /** NaN beyond 49 bits. */
  next(): number {
    let value = 0;
    for (let shift = 0; shift < 49; shift += 7) {
      const byte = this.#bytes[this.at++] ?? 0;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    return Number.NaN;
  }
}

function latin1(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.subarray(from, to)).toString("latin1");
}

/** Undefined beyond the end, which no checksum equals. */
function word(bytes: Uint8Array, at: number): number | undefined {
  if (at + 4 > bytes.length) return undefined;
  return new DataView(bytes.buffer, bytes.byteOffset + at, 4).getUint32(0, true);
}

/** LZMA2 chunks up to their end mark; answers where that is passed, or undefined for damage. */
function decodeLzma2(source: Uint8Array, start: number, decoder: LzmaDecoder): number | undefined {
  const chunks = new Lzma2Chunks(source, start, decoder);
  while (!chunks.ended) if (!chunks.next()) return undefined;
  return chunks.at;
}

/** LZMA2 chunks, one at a time. */
class Lzma2Chunks {
  readonly #source: Uint8Array;
  readonly #decoder: LzmaDecoder;
  /** Where the next one begins. */
  at: number;
  ended = false;
  #needsDictionary = true;
  #needsProperties = true;
  #needsState = true;

  constructor(source: Uint8Array, start: number, decoder: LzmaDecoder) {
    this.#source = source;
    this.#decoder = decoder;
    this.at = start;
  }

  #field(offset: number): number {
    return ((this.#source[this.at + offset] ?? 0) << 8) + (this.#source[this.at + offset + 1] ?? 0) + 1;
  }

  /** Decodes a chunk, or finds the end mark; answers false for damage. */
  next(): boolean {
    if (this.at >= this.#source.length) return false;
    const decoder = this.#decoder;
    const control = this.#source[this.at++] ?? 0;
    this.ended = control === 0;
    if (this.ended) return true;
    const resetsDictionary = control === 1 || control >= 0xe0;
    if (this.#needsDictionary && !resetsDictionary) return false;
    if (resetsDictionary) decoder.forgetDictionary();
    this.#needsDictionary = false;
    if (control >= 0x80) return this.#nextPacked(control);
    if (control > 2 || !decoder.copy(this.at + 2, this.#field(0))) return false;
    this.at += 2 + this.#field(0);
    return true;
  }

  #nextPacked(control: number): boolean {
    const decoder = this.#decoder;
    const length = ((control & 0x1f) << 16) + this.#field(0);
    const packed = this.#field(2);
    this.at += 4;
    const setsProperties = control >= 0xc0;
    if (setsProperties && !decoder.setProperties(this.#source[this.at++] ?? 0)) return false;
    const resetsState = control >= 0xa0;
    if ((this.#needsProperties && !setsProperties) || (this.#needsState && !resetsState)) return false;
    this.#needsProperties = false;
    this.#needsState = false;
    if (resetsState && !setsProperties) decoder.resetState();
    const end = decoder.end + length;
    if (this.at + packed > this.#source.length || !decoder.decode(this.at, length) || decoder.end !== end) return false;
    this.at += packed;
    return decoder.isFinished(this.at);
  }
}

/** `block` begins with the header. */
function blockHeader(block: Uint8Array, name: string): BlockHeader | undefined {
  const size = ((block[0] ?? 0) + 1) * 4;
  const flags = block[1] ?? 0;
  if (word(block, size - 4) !== crc32(block.subarray(0, size - 4)) || (flags & 0x3c) !== 0) return undefined;
  const numbers = new Numbers(block, 2);
  if ((flags & 0x40) !== 0) numbers.next();
  if ((flags & 0x80) !== 0) numbers.next();
  const filters: BlockHeader["filters"][number][] = [];
  let dictionarySize = 0;
  for (let left = (flags & 3) + 1; left > 0; left--) {
    const id = numbers.next();
    const length = numbers.next();
    const at = numbers.at;
    if (!(at + length <= size - 4)) return undefined;
    const isLast = left === 1;
    if (isLast !== (id === FILTER_LZMA2)) throw filterUnknown(id, name);
    const undo = branchFilter(id);
    if (!isLast && undo === undefined) throw filterUnknown(id, name);
    // xz file format 5.3.1.
    const code = block[at] ?? 0;
    if (isLast) dictionarySize = (2 + (code & 1)) * 2 ** (Math.floor(code / 2) + 11);
    if (undo !== undefined) filters.unshift({ undo, start: length === 4 ? (word(block, at) ?? 0) : 0 });
    numbers.at += length;
  }
  return { size, filters, dictionarySize };
}

function dictionaryTooLarge(size: number, name: string): UnsupportedError {
  const sentence = `the xz data needs a dictionary of ${size} bytes, more than ${MOST_DICTIONARY}`;
  return new UnsupportedError("XZ_DICTIONARY", sentence, { where: { file: name } });
}

function filterUnknown(id: number, name: string): UnsupportedError {
  const sentence = `the xz data went through the filter 0x${id.toString(16)}, which is not known`;
  return new UnsupportedError("XZ_FILTER", sentence, { where: { file: name } });
}
