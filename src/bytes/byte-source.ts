import { CorruptError } from "../errors.ts";

/** A value, or a promise of it. Callers just await; only proven hot loops look which one it is. */
export type Awaitable<T> = T | Promise<T>;

/**
 * Where the bytes of an extent lie on this machine, so that another thread can read them without knowing any format.
 * The file's bytes `[offset, offset + length)` hold one unit, which `coding` turns into `size` bytes; the extent is that
 * unit's bytes from `skip` on. With `identity` the unit is the extent itself: `skip` is 0 and `length` equals `size`.
 */
export interface StoredRange {
  /** An open file descriptor of this process, valid until the source is disposed. */
  readonly fd: number;
  readonly offset: number;
  readonly length: number;
  readonly coding: "identity" | "zlib";
  readonly skip: number;
  readonly size: number;
}

/** A run of bytes of one kind. A hole (never allocated, unwritten, discarded) is `zero`. */
export interface Extent {
  readonly offset: number;
  readonly length: number;
  readonly kind: "data" | "zero";
  /** Only on data, and only where the bytes lie in a file in a coding that every thread knows. */
  readonly stored?: StoredRange;
}

/** Random access to bytes that knows its holes. Everything from a file to a file inside a guest is one. */
export interface ByteSource extends AsyncDisposable {
  /** For messages: the file's name, or a phrase that tells what part of which file this is. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Exactly `length` bytes as a read-only view; beyond the end it throws CorruptError BYTES_TRUNCATED. */
  read(offset: number, length: number): Awaitable<Uint8Array>;
  /**
   * The run that starts at `offset`, which is below `size`: 1 to `limit` bytes, not beyond the end. Reads metadata only.
   * Neighbours may be of the same kind; a run of stored data never spans two stored units.
   */
  extentAt(offset: number, limit: number): Awaitable<Extent>;
}

export function isPromise<T>(value: Awaitable<T>): value is Promise<T> {
  return value instanceof Promise;
}

/** Applies `f` now if the value is here, later if not. */
export function map<T, U>(value: Awaitable<T>, f: (value: T) => Awaitable<U>): Awaitable<U> {
  return isPromise(value) ? value.then(f) : f(value);
}

/** The part of `extent` that lies in `[from, from + length)`, which must overlap it. */
export function clip(extent: Extent, from: number, length: number): Extent {
  const start = Math.max(extent.offset, from);
  const end = Math.min(extent.offset + extent.length, from + length);
  if (start === extent.offset && end === extent.offset + extent.length) return extent;
  return moved(extent, start, end - start, start - extent.offset);
}

/** `extent` as seen by a source in which it lies `by` bytes further on (or back, if negative). */
export function shift(extent: Extent, by: number): Extent {
  return by === 0 ? extent : moved(extent, extent.offset + by, extent.length, 0);
}

function moved(extent: Extent, offset: number, length: number, skipped: number): Extent {
  const { kind, stored } = extent;
  if (stored === undefined) return { offset, length, kind };
  if (stored.coding === "identity") {
    return { offset, length, kind, stored: { ...stored, offset: stored.offset + skipped, length, size: length } };
  }
  return { offset, length, kind, stored: skipped === 0 ? stored : { ...stored, skip: stored.skip + skipped } };
}

/** Covers the range, ascending, without gaps or overlaps. */
export async function* extents(source: ByteSource, offset = 0, length = source.size - offset): AsyncIterable<Extent> {
  checkRange(source, offset, length);
  const end = offset + length;
  for (let at = offset; at < end; ) {
    const next = source.extentAt(at, end - at);
    const extent = isPromise(next) ? await next : next;
    yield extent;
    at += extent.length;
  }
}

export type Chunk =
  | { readonly kind: "data"; readonly bytes: Uint8Array }
  | { readonly kind: "zero"; readonly length: number };

/** The content in order; holes stay holes. Data comes in pieces of at most `chunkBytes` (256 KiB). */
export async function* chunks(
  source: ByteSource,
  offset = 0,
  length = source.size - offset,
  chunkBytes = 256 << 10,
): AsyncIterable<Chunk> {
  for await (const extent of extents(source, offset, length)) {
    if (extent.kind === "zero") {
      yield { kind: "zero", length: extent.length };
      continue;
    }
    const end = extent.offset + extent.length;
    for (let at = extent.offset; at < end; at += chunkBytes) {
      yield { kind: "data", bytes: await source.read(at, Math.min(chunkBytes, end - at)) };
    }
  }
}

/** The whole content in memory, refused above `limit` bytes. */
export async function readAll(source: ByteSource, limit: number): Promise<Uint8Array> {
  if (source.size > limit) {
    throw new CorruptError("BYTES_TOO_LARGE", `${source.size} bytes are more than the ${limit} that are read at once`, {
      where: { file: source.name },
    });
  }
  return await source.read(0, source.size);
}

/** Throws CorruptError BYTES_TRUNCATED unless the range lies inside the source. */
export function checkRange(source: Pick<ByteSource, "name" | "size">, offset: number, length: number): void {
  if (offset >= 0 && length >= 0 && offset + length <= source.size) return;
  throw truncated(source, offset, length);
}

export function truncated(source: Pick<ByteSource, "name" | "size">, offset: number, length: number): CorruptError {
  return new CorruptError(
    "BYTES_TRUNCATED",
    `${length} bytes are expected but the data ends at 0x${source.size.toString(16)}`,
    { where: { file: source.name, offset } },
  );
}
