import { createHash } from "node:crypto";
import type { Chunk } from "../../src/bytes/byte-source.ts";
import type { FileEntry } from "../../src/bytes/entry.ts";
import type { Context } from "../../src/context.ts";
import type { ImageTree } from "../../src/oci/image-tree.ts";
import type { Files } from "../files.ts";

const SHA256 = 32;
const ZEROS = Buffer.alloc(256 << 10);

/** sha256 of files, each inode once. */
export interface ContentDigests {
  /** In hexadecimal. */
  of(file: FileEntry): Promise<string>;
}

/** An image's layers are read once for all files, since their contents come in an order of their own; a machine's files when asked for. */
export async function contentDigests(files: Files, ctx: Context): Promise<ContentDigests> {
  return files.image === undefined ? new GuestDigests(files, ctx) : await imageDigests(files.image, ctx);
}

async function sha256Of(content: AsyncIterable<Chunk>, ctx: Context): Promise<Buffer> {
  const hash = createHash("sha256");
  for await (const chunk of content) {
    ctx.signal.throwIfAborted();
    if (chunk.kind === "data") hash.update(chunk.bytes);
    else {
      for (let left = chunk.length; left > 0; left -= ZEROS.length) {
        hash.update(left < ZEROS.length ? ZEROS.subarray(0, left) : ZEROS);
      }
    }
  }
  return hash.digest();
}

const EMPTY = createHash("sha256").digest("hex");

async function imageDigests(tree: ImageTree, ctx: Context): Promise<ContentDigests> {
  // 32 bytes for each file instead of a string.
  const places = new Map(tree.order.map((inode, index) => [inode, index * SHA256]));
  const digests = Buffer.alloc(places.size * SHA256);
  for await (const { inode, chunks } of tree.contents()) {
    (await sha256Of(chunks, ctx)).copy(digests, places.get(inode));
  }
  return {
    async of({ inode }) {
      const at = places.get(inode);
      return at === undefined ? EMPTY : digests.toString("hex", at, at + SHA256);
    },
  };
}

class GuestDigests implements ContentDigests {
  readonly #files: Files;
  readonly #ctx: Context;
  /** Of files with several names, which are asked for again. */
  readonly #linked = new Map<number, string>();

  constructor(files: Files, ctx: Context) {
    this.#files = files;
    this.#ctx = ctx;
  }

  async of(file: FileEntry): Promise<string> {
    const known = this.#linked.get(file.inode);
    if (known !== undefined) return known;
    const digest = (await sha256Of(this.#files.content(file), this.#ctx)).toString("hex");
    if (file.links > 1) this.#linked.set(file.inode, digest);
    return digest;
  }
}
