import { join } from "node:path";
import { indexTar, memberContent, type TarMember } from "../archive/tar-index.ts";
import { type ByteSource, chunks, readAll } from "../bytes/byte-source.ts";
import { compressionOf, decompress, MAGIC_BYTES } from "../bytes/decompress.ts";
import { FileSource } from "../bytes/file-source.ts";
import { spool } from "../bytes/spool.ts";
import { standardInput } from "../bytes/stdio.ts";
import type { Context } from "../context.ts";
import { NotFoundError } from "../errors.ts";

/** The files of an image, in a directory or in an archive. */
export interface LayoutFiles extends AsyncDisposable {
  readonly name: string;
  /** Undefined if there is no such file. The caller disposes what it is given. */
  open(path: string): Promise<ByteSource | undefined>;
}

/** A file's content as bytes, its holes as zeros. */
export async function* contentOf(source: ByteSource): AsyncGenerator<Uint8Array, void> {
  const zeros = new Uint8Array(PIECE);
  for await (const chunk of chunks(source, 0, source.size, PIECE)) {
    if (chunk.kind === "data") yield chunk.bytes;
    else for (let left = chunk.length; left > 0; left -= PIECE) yield zeros.subarray(0, Math.min(left, PIECE));
  }
}

const PIECE = 256 << 10;

/** A small file whole; undefined if there is none. Throws CorruptError BYTES_TOO_LARGE above `limit` bytes. */
export async function readFileOf(files: LayoutFiles, path: string, limit: number): Promise<Uint8Array | undefined> {
  const file = await files.open(path);
  if (file === undefined) return undefined;
  await using source = file;
  return new Uint8Array(await readAll(source, limit));
}

export class DirectoryFiles implements LayoutFiles {
  readonly name: string;

  constructor(path: string) {
    this.name = path;
  }

  async open(path: string): Promise<ByteSource | undefined> {
    try {
      return FileSource.open(join(this.name, path));
    } catch (cause) {
      if (cause instanceof NotFoundError) return undefined;
      throw cause;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** docker save makes one step; more are no honest archive. */
const MOST_LINKS = 8;

/** The files of a tar archive, read where they lie. Links between them are followed, as `docker save` writes some. */
export class ArchiveFiles implements LayoutFiles {
  readonly name: string;
  readonly #archive: ByteSource;
  readonly #members: ReadonlyMap<string, TarMember>;

  private constructor(archive: ByteSource, members: ReadonlyMap<string, TarMember>) {
    this.name = archive.name;
    this.#archive = archive;
    this.#members = members;
  }

  /** `path` may be `-` for standard input. What cannot seek or is compressed as a whole is spooled once. */
  static async open(path: string, ctx: Context): Promise<ArchiveFiles> {
    const stored = path === "-" ? await spool(standardInput(ctx.signal), "-", ctx) : FileSource.open(path);
    let archive = stored;
    try {
      archive = await plainArchive(stored, ctx);
      const { members } = await indexTar(archive, ctx);
      return new ArchiveFiles(archive, new Map(members.map((member) => [cleanPath(member.name), member])));
    } catch (cause) {
      await archive[Symbol.asyncDispose]();
      if (archive !== stored) await stored[Symbol.asyncDispose]();
      throw cause;
    }
  }

  async open(path: string): Promise<ByteSource | undefined> {
    let at = cleanPath(path);
    for (let links = 0; links <= MOST_LINKS; links++) {
      const member = this.#members.get(at);
      if (member === undefined) return undefined;
      if (member.type === "symlink") at = cleanPath(`${folderOf(at)}/${member.linkName}`);
      else if (member.type === "hard-link") at = cleanPath(member.linkName);
      else if (member.type !== "file") return undefined;
      else return memberContent(this.#archive, member, `${this.name} (${at})`);
    }
    return undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#archive[Symbol.asyncDispose]();
  }
}

async function plainArchive(stored: ByteSource, ctx: Context): Promise<ByteSource> {
  const compression = compressionOf(await stored.read(0, Math.min(MAGIC_BYTES, stored.size)));
  if (compression === "none") return stored;
  const plain = await spool(decompress(contentOf(stored), compression, stored.name), stored.name, ctx);
  await stored[Symbol.asyncDispose]();
  return plain;
}

function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

/** Relative to the archive's root, which `..` does not leave. */
function cleanPath(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return parts.join("/");
}
