import { readSync } from "node:fs";
import { inflateSync } from "node:zlib";
import { FIELD, KIND, type TaskFailure } from "./task.ts";

/** Inflated units kept by a thread, in bytes: 64 of the usual 64 KiB. */
const CACHED_BYTES = 4 << 20;

/** A whole stored unit, with what came out of it; `stored` is valid until the next one is read. */
export interface WholeUnit {
  readonly bytes: Uint8Array;
  readonly stored: Uint8Array;
  /** Bytes of `stored` that the zlib stream takes. */
  readonly consumed: number;
}

/**
 * Carries out the operations of a task: it knows no format, only file descriptors, offsets and two codings, so that any
 * reader's data can be read and inflated off the main thread.
 */
export class OperationReader {
  readonly #units = new Map<string, Uint8Array>();
  #cachedBytes = 0;
  #stored = Buffer.allocUnsafeSlow(128 << 10);
  #literals: Uint8Array = new Uint8Array(0);
  #literalsEnd = 0;

  /** Begins a task. */
  begin(literals: Uint8Array): void {
    this.#literals = literals;
    this.#literalsEnd = 0;
  }

  /** Fills `into`, which has the operation's length; answers a unit of zlib that it is the whole of. Throws TaskError. */
  read(operation: Float64Array, into: Uint8Array): WholeUnit | undefined {
    const kind = operation[FIELD.kind];
    if (kind === KIND.zlib) return this.#unit(operation, into);
    if (kind === KIND.zero) {
      into.fill(0);
    } else if (kind === KIND.stored) {
      this.#readFile(operation, into);
    } else {
      into.set(this.#literals.subarray(this.#literalsEnd, this.#literalsEnd + into.length));
      this.#literalsEnd += into.length;
    }
    return undefined;
  }

  /** Puts the wanted part of a zlib unit into `into`. */
  #unit(operation: Float64Array, into: Uint8Array): WholeUnit | undefined {
    const skip = operation[FIELD.skip] as number;
    const size = operation[FIELD.size] as number;
    if (into.length < size) {
      into.set(this.#cachedUnit(operation).subarray(skip, skip + into.length));
      return undefined;
    }
    const stored = this.#readStored(operation);
    const { bytes, consumed } = inflateUnit(stored, skip + into.length);
    into.set(bytes.subarray(skip, skip + into.length));
    return bytes.length === size ? { bytes, stored, consumed } : undefined;
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
    this.#readFile(operation, stored);
    return stored;
  }

  #readFile(operation: Float64Array, into: Uint8Array): void {
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

/** What `cause` is as a value; throws it if it is no fault of the input. */
export function failure(operation: number, cause: unknown): TaskFailure {
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
 * Whether a unit's zlib stream (RFC 1950: 2 bytes of header, 4 of Adler-32) may go out again as it is: it ends with what is
 * stored, needs no preset dictionary, and is not blown up.
 */
export function isReusable({ stored, consumed, bytes: { length } }: WholeUnit): boolean {
  const presetDictionary = ((stored[1] ?? 0) & 0x20) !== 0;
  return consumed === stored.length && !presetDictionary && stored.length <= length + length / 64 + 64;
}
