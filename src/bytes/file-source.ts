import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { ConverterError, InputOutputError, NotFoundError } from "../errors.ts";
import { type Awaitable, type ByteSource, checkRange, type Extent, truncated } from "./byte-source.ts";

/**
 * Measured: pread of 4 KiB takes 2 us with readSync and 100 us with fs/promises, so small reads go through cached pages.
 * Larger pages cost more than they save: the marks of a disk's grains lie 50 KiB apart.
 */
const BLOCK = 4 << 10;
const CACHED_BLOCKS = 1024;

/**
 * A file that can be read at any offset. Reads are synchronous: what is asked is in memory or on a local disk, and a promise
 * for each would cost more than the read.
 */
export class FileSource implements ByteSource {
  readonly name: string;
  readonly size: number;
  readonly #fd: number;
  readonly #cache = new Map<number, Uint8Array>();
  #open = true;

  /** Takes ownership of `fd`. `size` in bytes. */
  constructor(fd: number, name: string, size: number) {
    this.#fd = fd;
    this.name = name;
    this.size = size;
  }

  /** Opens a regular file. Throws NotFoundError or InputOutputError. `name` is what messages call it. */
  static open(path: string, name: string = path): FileSource {
    try {
      const fd = openSync(path, "r");
      const stat = fstatSync(fd);
      if (stat.isFile()) return new FileSource(fd, name, stat.size);
      closeSync(fd);
      throw new InputOutputError("FILE_NOT_REGULAR", "not a regular file", { where: { file: name } });
    } catch (cause) {
      throw fileError(cause, name);
    }
  }

  read(offset: number, length: number): Awaitable<Uint8Array> {
    checkRange(this, offset, length);
    if (length > BLOCK) return this.#pread(offset, length);
    const index = Math.floor(offset / BLOCK);
    const skip = offset - index * BLOCK;
    const first = this.#block(index);
    if (skip + length <= first.length) return first.subarray(skip, skip + length);
    const bytes = new Uint8Array(length);
    bytes.set(first.subarray(skip));
    bytes.set(this.#block(index + 1).subarray(0, length - (first.length - skip)), first.length - skip);
    return bytes;
  }

  extentAt(offset: number, limit: number): Awaitable<Extent> {
    checkRange(this, offset, 1);
    const length = Math.min(limit, this.size - offset);
    const stored = { fd: this.#fd, offset, length, coding: "identity", skip: 0, size: length } as const;
    return { offset, length, kind: "data", stored };
  }

  #block(index: number): Uint8Array {
    const cached = this.#cache.get(index);
    if (cached !== undefined) return cached;
    const offset = index * BLOCK;
    const block = this.#pread(offset, Math.min(BLOCK, this.size - offset));
    if (this.#cache.size >= CACHED_BLOCKS) {
      const [oldest] = this.#cache.keys();
      if (oldest !== undefined) this.#cache.delete(oldest);
    }
    this.#cache.set(index, block);
    return block;
  }

  #pread(offset: number, length: number): Uint8Array {
    const bytes = Buffer.allocUnsafeSlow(length);
    for (let done = 0; done < length; ) {
      const count = readOrThrow(this.#fd, bytes, done, offset + done, this.name);
      if (count === 0) throw truncated({ name: this.name, size: offset + done }, offset, length);
      done += count;
    }
    return bytes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    this.#cache.clear();
    closeSync(this.#fd);
  }
}

function readOrThrow(fd: number, bytes: Uint8Array, at: number, position: number, name: string): number {
  try {
    return readSync(fd, bytes, at, bytes.length - at, position);
  } catch (cause) {
    throw fileError(cause, name);
  }
}

/** Node's file errors as ours. */
export function fileError(cause: unknown, name: string): ConverterError {
  if (cause instanceof ConverterError) return cause;
  const errno = (cause as NodeJS.ErrnoException).code;
  const details = { where: { file: name }, cause };
  if (errno === "ENOENT" || errno === "ENOTDIR") return new NotFoundError("FILE_NOT_FOUND", "no such file", details);
  return new InputOutputError("FILE_INPUT_OUTPUT", `${errno ?? "unknown"} from the operating system`, details);
}
