import { readSync } from "node:fs";
import { crc32, deflateRawSync, inflateSync } from "node:zlib";

/** How the plain bytes are coded. */
export interface PackCoding {
  readonly coding: "gzip" | "identity";
  /** zlib's 1 to 9; ignored by `identity`. */
  readonly level: number;
}

/** One operation of a task is STRIDE numbers, indexed by FIELD. */
export const STRIDE = 7;
export const FIELD = { kind: 0, length: 1, fd: 2, offset: 3, storedLength: 4, size: 5, skip: 6 } as const;
export const KIND = { literal: 0, zero: 1, stored: 2, zlib: 3 } as const;

/** Plain bytes of one task, and the room for them: the largest stored unit that is kept whole is a quarter of it. */
export const TASK_BYTES = 1 << 20;
export const UNIT_BYTES = TASK_BYTES / 4;
export const PLAIN_ROOM = TASK_BYTES + UNIT_BYTES;
/** Deflate makes incompressible data at most 5 bytes in 16 KiB longer; the rest is for members' frames. */
export const CODED_ROOM = PLAIN_ROOM + PLAIN_ROOM / 16;
export const SLOT_BYTES = PLAIN_ROOM + CODED_ROOM;

/** A unit below this is not worth a gzip member of its own. */
const SMALLEST_REUSED = 16 << 10;
/** Inflated units kept by a thread, in bytes: 64 of the usual 64 KiB. */
const CACHED_BYTES = 4 << 20;
const CACHED_MEMBERS = 64;
/** A hole from this length on becomes a member of its own, which is compressed once. */
const ZERO_MEMBER = 32 << 10;

const GZIP_HEADER = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff);
const GZIP_FRAME = GZIP_HEADER.length + 8;

export interface TaskDone {
  /** Bytes in the slot's plain and coded parts; with `identity` the plain part is the result. */
  readonly plain: number;
  readonly coded: number;
  /** Plain bytes whose stored coding went out as it was. */
  readonly reused: number;
}

/** What went wrong in a task: `operation` tells where in the task. */
export interface TaskFailure {
  readonly operation: number;
  readonly kind: "damaged" | "truncated" | "input-output";
  readonly detail: string;
}

/**
 * Turns tasks into plain and coded bytes in shared memory. One instance for each thread: it knows no format, only file
 * descriptors, offsets and two codings, so that any reader's data can be read, inflated and compressed off the main thread.
 */
export class PackJob {
  readonly #memory: Uint8Array;
  readonly #options: PackCoding;
  readonly #units = new Map<string, Uint8Array>();
  #cachedBytes = 0;
  readonly #zeroMembers = new Map<number, Uint8Array>();
  #stored = Buffer.allocUnsafeSlow(128 << 10);
  #plain: Uint8Array = new Uint8Array(0);
  #coded: Uint8Array = new Uint8Array(0);
  #plainEnd = 0;
  #codedEnd = 0;
  #flushed = 0;

  constructor(memory: Uint8Array, options: PackCoding) {
    this.#memory = memory;
    this.#options = options;
  }

  /** Never throws for bad input: a failure is a value, since it crosses threads. */
  run(slot: number, operations: Float64Array, literals: Uint8Array): TaskDone | TaskFailure {
    const base = slot * SLOT_BYTES;
    this.#plain = this.#memory.subarray(base, base + PLAIN_ROOM);
    this.#coded = this.#memory.subarray(base + PLAIN_ROOM, base + SLOT_BYTES);
    this.#plainEnd = this.#codedEnd = this.#flushed = 0;
    let reused = 0;
    let literal = 0;
    const gzip = this.#options.coding === "gzip";
    for (let at = 0; at < operations.length; at += STRIDE) {
      const operation = operations.subarray(at, at + STRIDE);
      const length = operation[FIELD.length] as number;
      try {
        if (operation[FIELD.kind] === KIND.literal) {
          this.#plain.set(literals.subarray(literal, literal + length), this.#plainEnd);
          literal += length;
        } else if (operation[FIELD.kind] === KIND.zero) {
          this.#plain.fill(0, this.#plainEnd, this.#plainEnd + length);
          if (gzip && length >= ZERO_MEMBER) this.#zeros(length);
        } else if (operation[FIELD.kind] === KIND.stored) {
          this.#read(operation, this.#plain.subarray(this.#plainEnd, this.#plainEnd + length));
        } else {
          reused += this.#unit(operation, gzip);
        }
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

  /** Puts the wanted part of a zlib unit into the plain part; answers how many bytes of it were reused as they are stored. */
  #unit(operation: Float64Array, gzip: boolean): number {
    const length = operation[FIELD.length] as number;
    const skip = operation[FIELD.skip] as number;
    const size = operation[FIELD.size] as number;
    if (length < size) {
      this.#plain.set(this.#cachedUnit(operation).subarray(skip, skip + length), this.#plainEnd);
      return 0;
    }
    const stored = this.#readStored(operation);
    const { bytes, consumed } = inflateUnit(stored, skip + length);
    this.#plain.set(bytes.subarray(skip, skip + length), this.#plainEnd);
    if (!gzip || bytes.length !== size || size < SMALLEST_REUSED) return 0;
    const deflated = reusable(stored, consumed, size);
    if (deflated === undefined) return 0;
    this.#flush(this.#plainEnd);
    this.#member(deflated, crc32(bytes), size);
    this.#flushed = this.#plainEnd + size;
    return size;
  }

  /** Neighbouring small files share a unit. */
  #cachedUnit(operation: Float64Array): Uint8Array {
    const key = `${operation[FIELD.fd]}:${operation[FIELD.offset]}`;
    const cached = this.#units.get(key);
    const wanted = (operation[FIELD.skip] as number) + (operation[FIELD.length] as number);
    if (cached !== undefined && cached.length >= wanted) return cached;
    if (cached !== undefined)
      throw new TaskError("damaged", `${cached.length} bytes come out where ${wanted} are needed`);
    const { bytes } = inflateUnit(this.#readStored(operation), wanted, operation[FIELD.size]);
    for (const [oldest, unit] of this.#units) {
      if (this.#cachedBytes + bytes.length <= CACHED_BYTES) break;
      this.#units.delete(oldest);
      this.#cachedBytes -= unit.length;
    }
    this.#units.set(key, bytes);
    this.#cachedBytes += bytes.length;
    return bytes;
  }

  /** The unit's bytes as they are stored; valid until the next call. */
  #readStored(operation: Float64Array): Buffer {
    const length = operation[FIELD.storedLength] as number;
    if (this.#stored.length < length) this.#stored = Buffer.allocUnsafeSlow(length);
    const stored = this.#stored.subarray(0, length);
    this.#read(operation, stored);
    return stored;
  }

  #read(operation: Float64Array, into: Uint8Array): void {
    const fd = operation[FIELD.fd] as number;
    const offset = operation[FIELD.offset] as number;
    for (let done = 0; done < into.length; ) {
      const count = readSync(fd, into, done, into.length - done, offset + done);
      if (count === 0) throw new TaskError("truncated", `the file ends at 0x${(offset + done).toString(16)}`);
      done += count;
    }
  }
}

class TaskError extends Error {
  readonly kind: TaskFailure["kind"];

  constructor(kind: TaskFailure["kind"], detail: string) {
    super(detail);
    this.kind = kind;
  }
}

function failure(operation: number, cause: unknown): TaskFailure {
  if (cause instanceof TaskError) return { operation, kind: cause.kind, detail: cause.message };
  if (cause instanceof Error && "syscall" in cause) return { operation, kind: "input-output", detail: cause.message };
  throw cause;
}

/** Inflates one zlib stream of at least `wanted` and at most `size` bytes. */
function inflateUnit(stored: Uint8Array, wanted: number, size = wanted): { bytes: Uint8Array; consumed: number } {
  // Room for a little more than comes out spares zlib a second output buffer (measured: 715 against 560 MB/s).
  const options = { chunkSize: size + 64, maxOutputLength: size, info: true };
  let result: { buffer: Uint8Array; engine: { bytesWritten: number } };
  try {
    result = inflateSync(stored, options) as unknown as typeof result;
  } catch (cause) {
    throw new TaskError("damaged", cause instanceof Error ? cause.message : String(cause));
  }
  if (result.buffer.length < wanted) {
    throw new TaskError("damaged", `${result.buffer.length} bytes come out where ${wanted} are needed`);
  }
  return { bytes: result.buffer, consumed: result.engine.bytesWritten };
}

/**
 * The raw deflate data of a zlib stream (RFC 1950: 2 bytes of header, 4 of Adler-32) that may stand in a gzip member: it ends
 * with the stream, needs no preset dictionary, and is not blown up.
 */
function reusable(stored: Uint8Array, consumed: number, size: number): Uint8Array | undefined {
  const presetDictionary = ((stored[1] ?? 0) & 0x20) !== 0;
  if (consumed !== stored.length || presetDictionary || stored.length > size + size / 64 + 64) return undefined;
  return stored.subarray(2, stored.length - 4);
}
