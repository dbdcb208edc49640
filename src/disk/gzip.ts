import { type ByteSource, chunks } from "../bytes/byte-source.ts";
import { gunzip } from "../bytes/gunzip.ts";
import { spool } from "../bytes/spool.ts";
import { wrappedTwice, wrappingUndone } from "./errors.ts";
import type { DiskFormat } from "./virtual-disk.ts";

const ZEROS = new Uint8Array(64 << 10);

/** A disk image of any other kind inside gzip, which cannot be read at any place: it is decompressed once into a temporary file. */
export const format: DiskFormat = {
  name: "gzip",
  async open(source, ctx) {
    if (ctx.wrapped) throw wrappedTwice(source.name);
    const name = source.name.replace(/\.gz$/i, "");
    const plain = await spool(gunzip(bytesOf(source), source.name), name, ctx);
    ctx.own(plain);
    ctx.diagnostic(wrappingUndone(source.name, plain.size));
    return await ctx.openInner(plain);
  },
};

async function* bytesOf(source: ByteSource): AsyncGenerator<Uint8Array, void> {
  for await (const chunk of chunks(source)) {
    if (chunk.kind === "data") yield chunk.bytes;
    else for (let left = chunk.length; left > 0; left -= ZEROS.length) yield ZEROS.subarray(0, left);
  }
}
