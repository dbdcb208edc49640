import { crc32, deflateRawSync } from "node:zlib";
import { failure, isReusable, OperationReader, type WholeUnit } from "./operation-reader.ts";
import {
  FIELD,
  type Job,
  KIND,
  PLAIN_ROOM,
  SLOT_BYTES,
  STRIDE,
  type StreamCoding,
  type TaskDone,
  type TaskFailure,
} from "./task.ts";

/** A unit below this is not worth a gzip member of its own. */
const SMALLEST_REUSED = 16 << 10;
const CACHED_MEMBERS = 64;
/** A hole from this length on becomes a member of its own, which is compressed once. */
const ZERO_MEMBER = 32 << 10;

const GZIP_HEADER = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff);
const GZIP_FRAME = GZIP_HEADER.length + 8;

/** Turns tasks into plain bytes and gzip members in shared memory. */
export class StreamJob implements Job {
  readonly #memory: Uint8Array;
  readonly #options: StreamCoding;
  readonly #reader = new OperationReader();
  readonly #zeroMembers = new Map<number, Uint8Array>();
  #plain: Uint8Array = new Uint8Array(0);
  #coded: Uint8Array = new Uint8Array(0);
  #plainEnd = 0;
  #codedEnd = 0;
  #flushed = 0;

  constructor(memory: Uint8Array, options: StreamCoding) {
    this.#memory = memory;
    this.#options = options;
  }

  run(slot: number, operations: Float64Array, literals: Uint8Array): TaskDone | TaskFailure {
    const base = slot * SLOT_BYTES;
    this.#plain = this.#memory.subarray(base, base + PLAIN_ROOM);
    this.#coded = this.#memory.subarray(base + PLAIN_ROOM, base + SLOT_BYTES);
    this.#plainEnd = this.#codedEnd = this.#flushed = 0;
    this.#reader.begin(literals);
    let reused = 0;
    const gzip = this.#options.coding === "gzip";
    for (let at = 0; at < operations.length; at += STRIDE) {
      const operation = operations.subarray(at, at + STRIDE);
      const length = operation[FIELD.length] as number;
      try {
        const unit = this.#reader.read(operation, this.#plain.subarray(this.#plainEnd, this.#plainEnd + length));
        if (gzip && unit !== undefined) reused += this.#reuse(unit);
        else if (gzip && operation[FIELD.kind] === KIND.zero && length >= ZERO_MEMBER) this.#zeros(length);
      } catch (cause) {
        return failure(at / STRIDE, cause);
      }
      this.#plainEnd += length;
    }
    if (!gzip) return { plain: this.#plainEnd, coded: 0, reused: 0 };
    this.#flush(this.#plainEnd);
    if (this.#codedEnd > this.#coded.length) {
      // Many tiny members did not fit: the task as one member always does.
      this.#codedEnd = this.#flushed = reused = 0;
      this.#flush(this.#plainEnd);
    }
    return { plain: this.#plainEnd, coded: this.#codedEnd, reused };
  }

  /** Compresses what has gathered in the plain part up to `end` as one member. */
  #flush(end: number): void {
    if (end > this.#flushed) {
      const plain = this.#plain.subarray(this.#flushed, end);
      const deflated = deflateRawSync(plain, { level: this.#options.level, chunkSize: 128 << 10 });
      this.#member(deflated, crc32(plain), plain.length);
    }
    this.#flushed = end;
  }

  /** RFC 1952: a reader takes any number of members one after another. Past the room only the length is counted. */
  #member(deflated: Uint8Array, crc: number, size: number): void {
    const at = this.#codedEnd;
    this.#codedEnd += GZIP_FRAME + deflated.length;
    if (this.#codedEnd > this.#coded.length) return;
    this.#coded.set(GZIP_HEADER, at);
    this.#coded.set(deflated, at + GZIP_HEADER.length);
    const trailer = new DataView(this.#coded.buffer, this.#coded.byteOffset + this.#codedEnd - 8, 8);
    trailer.setUint32(0, crc, true);
    trailer.setUint32(4, size, true);
  }

  #zeros(length: number): void {
    this.#flush(this.#plainEnd);
    const plain = this.#plain.subarray(this.#plainEnd, this.#plainEnd + length);
    let deflated = this.#zeroMembers.get(length);
    if (deflated === undefined) {
      deflated = deflateRawSync(plain, { level: this.#options.level });
      if (this.#zeroMembers.size < CACHED_MEMBERS) this.#zeroMembers.set(length, deflated);
    }
    this.#member(deflated, crc32(plain), length);
    this.#flushed = this.#plainEnd + length;
  }

  /** The unit's raw deflate data as a member of its own, if it can be; answers how many plain bytes that were. */
  #reuse(unit: WholeUnit): number {
    const { bytes, stored } = unit;
    if (bytes.length < SMALLEST_REUSED || !isReusable(unit)) return 0;
    this.#flush(this.#plainEnd);
    this.#member(stored.subarray(2, stored.length - 4), crc32(bytes), bytes.length);
    this.#flushed = this.#plainEnd + bytes.length;
    return bytes.length;
  }
}
