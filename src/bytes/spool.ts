import { randomUUID } from "node:crypto";
import { closeSync, constants, ftruncateSync, openSync, unlinkSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Context } from "../context.ts";
import { InputOutputError } from "../errors.ts";
import type { Awaitable, ByteSource, Extent } from "./byte-source.ts";
import type { Patch, Writing } from "./content.ts";
import { FileSource } from "./file-source.ts";

const PAGE = 4096;
const ZEROS = Buffer.alloc(PAGE);
/** Shorter runs of zeros are not worth remembering as holes, though they are not written either. */
const SMALLEST_HOLE = 64 << 10;
/** Beyond this many holes the rest counts as data: some 12 MiB of memory. */
const MOST_HOLES = 1 << 18;
const PROGRESS_STEP = 4 << 20;

const NO_ROOM: ReadonlySet<string | undefined> = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);
const ELSEWHERE = "name a folder with more room with --tmpdir";

/**
 * Writes an input that cannot seek to a file without a name in `ctx.tmp`, and gives it back as a source that knows its holes:
 * pages of zeros are not written. The file goes away with the source, or with the process. Throws InputOutputError
 * SPOOL_NO_ROOM when the disk is full, SPOOL_CREATE when the folder takes no files, and what `content` throws.
 */
export async function spool(content: AsyncIterable<Uint8Array>, name: string, ctx: Context): Promise<ByteSource> {
  return await spoolWriting(withoutPatches(content), name, ctx);
}

async function* withoutPatches(content: AsyncIterable<Uint8Array>): Writing {
  yield* content;
  return [];
}

/** The same for an output that must be known as a whole, its size or its patches, before it goes on. */
export async function spoolWriting(writing: Writing, name: string, ctx: Context): Promise<ByteSource> {
  const fd = createUnnamed(ctx.tmp);
  const writer = new SparseWriter(fd, ctx.tmp);
  try {
    let reported = 0;
    for (;;) {
      const next = await writing.next();
      ctx.signal.throwIfAborted();
      if (next.done === true) {
        const holes = writer.end(next.value);
        ctx.progress({ stage: "spool", item: name, done: writer.size, total: writer.size });
        return new SpoolSource(fd, name, writer.size, holes);
      }
      writer.write(next.value);
      if (writer.size - reported < PROGRESS_STEP) continue;
      reported = writer.size;
      ctx.progress({ stage: "spool", item: name, done: reported, total: undefined });
    }
  } catch (cause) {
    closeSync(fd);
    await writing.return([]);
    throw cause;
  }
}

function createUnnamed(folder: string): number {
  const path = join(folder, `transload-${randomUUID()}.spool`);
  try {
    const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
    unlinkSync(path);
    return fd;
  } catch (cause) {
    throw new InputOutputError("SPOOL_CREATE", `a temporary file cannot be made in ${JSON.stringify(folder)}`, {
      advice: "name a folder that can be written with --tmpdir",
      cause,
    });
  }
}

/** A run of zeros that was not written. */
interface Hole {
  readonly offset: number;
  readonly end: number;
}

class SparseWriter {
  readonly #fd: number;
  readonly #folder: string;
  readonly #holes: Hole[] = [];
  /** Where the zeros began that reach up to the current end. */
  #zerosFrom = 0;
  size = 0;

  constructor(fd: number, folder: string) {
    this.#fd = fd;
    this.#folder = folder;
  }

  write(bytes: Uint8Array): void {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    let dataFrom = -1;
    for (let at = 0; at < buffer.length; ) {
      const end = Math.min(buffer.length, at + PAGE - ((this.size + at) % PAGE));
      const isZero = ZEROS.compare(buffer, at, end, 0, end - at) === 0;
      if (!isZero && dataFrom < 0) dataFrom = at;
      if (isZero && dataFrom >= 0) {
        this.#put(buffer, dataFrom, at);
        dataFrom = -1;
      }
      at = end;
    }
    if (dataFrom >= 0) this.#put(buffer, dataFrom, buffer.length);
    this.size += buffer.length;
  }

  /** Sets the file's size, and gives back the holes in ascending order. */
  end(patches: readonly Patch[]): readonly Hole[] {
    this.#closeHole(this.size);
    this.#attempt(() => ftruncateSync(this.#fd, this.size));
    for (const { offset, bytes } of patches) this.#write(bytes, 0, bytes.length, offset);
    return patches.reduce<readonly Hole[]>(
      (holes, { offset, bytes: { length } }) => holes.flatMap((hole) => without(hole, offset, offset + length)),
      this.#holes,
    );
  }

  #put(buffer: Buffer, from: number, to: number): void {
    this.#closeHole(this.size + from);
    this.#zerosFrom = this.size + to;
    this.#write(buffer, from, to, this.size + from);
  }

  #write(bytes: Uint8Array, from: number, to: number, offset: number): void {
    for (let at = from; at < to; ) {
      at += this.#attempt(() => writeSync(this.#fd, bytes, at, to - at, offset + at - from));
    }
  }

  #closeHole(end: number): void {
    if (end - this.#zerosFrom < SMALLEST_HOLE || this.#holes.length >= MOST_HOLES) return;
    this.#holes.push({ offset: this.#zerosFrom, end });
  }

  #attempt<T>(work: () => T): T {
    try {
      return work();
    } catch (cause) {
      const errno = (cause as NodeJS.ErrnoException).code;
      const folder = JSON.stringify(this.#folder);
      if (NO_ROOM.has(errno)) {
        const sentence = `there is no room for more than ${this.size} bytes of a temporary copy in ${folder}`;
        throw new InputOutputError("SPOOL_NO_ROOM", sentence, { advice: ELSEWHERE, cause });
      }
      throw new InputOutputError("FILE_INPUT_OUTPUT", `${errno ?? "unknown"} while writing to ${folder}`, { cause });
    }
  }
}

/** What is left of a hole when `[from, to)` has been written. */
function without(hole: Hole, from: number, to: number): readonly Hole[] {
  if (to <= hole.offset || from >= hole.end) return [hole];
  const left = { offset: hole.offset, end: from };
  const right = { offset: to, end: hole.end };
  return [left, right].filter(({ offset, end }) => offset < end);
}

class SpoolSource extends FileSource {
  readonly #holes: readonly Hole[];

  constructor(fd: number, name: string, size: number, holes: readonly Hole[]) {
    super(fd, name, size);
    this.#holes = holes;
  }

  override extentAt(offset: number, limit: number): Awaitable<Extent> {
    const hole = this.#holeEndingAfter(offset);
    if (hole === undefined || hole.offset >= offset + limit) return super.extentAt(offset, limit);
    if (offset < hole.offset) return super.extentAt(offset, hole.offset - offset);
    return { offset, length: Math.min(limit, hole.end - offset), kind: "zero" };
  }

  #holeEndingAfter(offset: number): Hole | undefined {
    let low = 0;
    let high = this.#holes.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#holes[middle] as Hole).end <= offset) low = middle + 1;
      else high = middle;
    }
    return this.#holes[low];
  }
}
