import { randomUUID } from "node:crypto";
import { type FileHandle, open, rename, stat, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Context } from "../context.ts";
import { ConverterError, InputOutputError, OutputError } from "../errors.ts";
import type { Writing } from "./content.ts";
import { writeThrough } from "./stdio.ts";
import { isZeros } from "./zeros.ts";

const COPY_BYTES = 1 << 20;

export interface OutputOptions {
  /** Replace what stands there. */
  readonly force: boolean;
}

/**
 * A file that is seen only once it is whole. It is written under a temporary name beside its place, at any offset, and renamed
 * by `commit`; for `-` (standard output) and for pipes and devices it is written to `ctx.tmp` and copied out by `commit`.
 * Disposing it without a commit leaves nothing behind. Throws OutputError OUTPUT_EXISTS, OUTPUT_PLACE; InputOutputError
 * OUTPUT_FAILED.
 */
export class OutputFile implements AsyncDisposable {
  /** For messages. */
  readonly name: string;
  readonly #options: OutputOptions;
  readonly #ctx: Context;
  readonly #temp: string;
  readonly #handle: FileHandle;
  readonly #streams: boolean;
  #open = true;

  private constructor(
    name: string,
    options: OutputOptions,
    ctx: Context,
    temp: string,
    handle: FileHandle,
    streams: boolean,
  ) {
    this.name = name;
    this.#options = options;
    this.#ctx = ctx;
    this.#temp = temp;
    this.#handle = handle;
    this.#streams = streams;
  }

  static async open(path: string, options: OutputOptions, ctx: Context): Promise<OutputFile> {
    const found = path === "-" ? undefined : await stat(path).catch(() => undefined);
    if (found?.isFile() === true && !options.force) throw outputExists(path);
    if (found?.isDirectory() === true)
      throw outputFailed(Object.assign(new Error("directory"), { code: "EISDIR" }), path);
    const streams = path === "-" || (found !== undefined && !found.isFile());
    const name = `.${streams ? "output" : basename(path)}.${randomUUID()}.transload-part`;
    const temp = join(streams ? ctx.tmp : dirname(path), name);
    try {
      return new OutputFile(path, options, ctx, temp, await open(temp, "wx+", 0o666), streams);
    } catch (cause) {
      throw outputFailed(cause, path);
    }
  }

  /** For those who write at their own pace; it is closed with this. */
  get handle(): FileHandle {
    return this.#handle;
  }

  async write(bytes: Uint8Array, offset: number): Promise<void> {
    await writeAll(this.#handle, bytes, offset, this.name);
  }

  /** Makes the first `size` bytes the output. */
  async commit(size: number): Promise<void> {
    try {
      await this.#handle.truncate(size);
      if (this.#streams) await this.#copyOut(size);
      await this.#handle.close();
      this.#open = false;
      if (this.#streams) return await unlink(this.#temp);
      const taken = !this.#options.force && (await stat(this.name).catch(() => undefined)) !== undefined;
      if (taken) {
        await unlink(this.#temp);
        throw outputExists(this.name);
      }
      await rename(this.#temp, this.name);
    } catch (cause) {
      throw outputFailed(cause, this.name);
    }
  }

  async #copyOut(size: number): Promise<void> {
    const { signal } = this.#ctx;
    await using output = this.name === "-" ? undefined : await open(this.name, "w");
    const buffer = Buffer.alloc(COPY_BYTES);
    for (let at = 0; at < size; ) {
      const { bytesRead } = await this.#handle.read(buffer, 0, COPY_BYTES, at);
      await writeThrough(buffer.subarray(0, bytesRead), signal, output?.fd);
      at += bytesRead;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await this.#handle.close();
    await unlink(this.#temp).catch(() => undefined);
  }
}

/** Writes all that `writing` gives, then its patches, into a file that is seen only when whole; answers its size in bytes. */
export async function writeOutput(
  writing: Writing,
  path: string,
  options: OutputOptions,
  ctx: Context,
): Promise<number> {
  await using file = await OutputFile.open(path, options, ctx);
  let size = 0;
  try {
    for (;;) {
      const next = await writing.next();
      ctx.signal.throwIfAborted();
      if (next.done === true) {
        for (const { offset, bytes } of next.value) await file.write(bytes, offset);
        await file.commit(size);
        return size;
      }
      // A chunk of zeros is left as a hole: the file is as sparse as what it holds.
      if (!isZeros(next.value)) await file.write(next.value, size);
      size += next.value.length;
    }
  } finally {
    // Its threads end with it.
    await writing.return([]);
  }
}

/** Throws OutputError or InputOutputError. */
export async function writeAll(handle: FileHandle, bytes: Uint8Array, offset: number, name: string): Promise<void> {
  try {
    for (let at = 0; at < bytes.length; ) {
      at += (await handle.write(bytes, at, bytes.length - at, offset + at)).bytesWritten;
    }
  } catch (cause) {
    throw outputFailed(cause, name);
  }
}

export function outputExists(file: string): OutputError {
  return new OutputError("OUTPUT_EXISTS", "the output exists already", {
    where: { file },
    advice: "Replace it with --force.",
  });
}

/** What the operating system said while writing: a place that cannot be written is the user's to change. */
export function outputFailed(cause: unknown, file: string): unknown {
  if (cause instanceof ConverterError || !(cause instanceof Error) || !("code" in cause)) return cause;
  const errno = String(cause.code);
  const details = { where: { file }, cause };
  if (["EACCES", "EPERM", "EROFS", "ENOENT", "ENOTDIR", "EISDIR", "EEXIST", "ENAMETOOLONG"].includes(errno)) {
    return new OutputError("OUTPUT_PLACE", `the output cannot be written there: ${errno}`, details);
  }
  if (!errno.startsWith("E") || errno.startsWith("ERR_")) return cause;
  return new InputOutputError("OUTPUT_FAILED", `${errno} while the output was written`, details);
}
