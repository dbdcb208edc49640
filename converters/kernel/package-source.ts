import { arMembers, isAr } from "../../src/archive/ar.ts";
import { readCpio } from "../../src/archive/cpio.ts";
import { isRpm, rpmPayload } from "../../src/archive/rpm.ts";
import type { BytePath } from "../../src/bytes/byte-path.ts";
import { ByteReader } from "../../src/bytes/byte-reader.ts";
import { type ByteSource, type Chunk, chunks, readAll } from "../../src/bytes/byte-source.ts";
import { compressionOf, decompress, MAGIC_BYTES } from "../../src/bytes/decompress.ts";
import { unxz } from "../../src/bytes/xz.ts";
import type { Context } from "../../src/context.ts";
import { readLayer } from "../../src/oci/layer-reader.ts";
import { kernelFileDamaged } from "./errors.ts";
import { type KernelFile, type KernelSource, kernelPath } from "./source.ts";

/** Bytes of a compressed package, and of one file in it. */
const MOST_PACKED = 1 << 30;
const MOST_FILE = 256 << 20;
const FILE_TYPE = 0o170000;
const REGULAR = 0o100000;

/** A kernel's .deb or .rpm; undefined for a file that is neither. The file stays the caller's. */
export async function packageSource(file: ByteSource, ctx: Context): Promise<KernelSource | undefined> {
  const head = await file.read(0, Math.min(16, file.size));
  if (isAr(head)) {
    const data = [...(await arMembers(file))].find(([name]) => name.startsWith("data.tar"))?.[1];
    if (data === undefined) throw kernelFileDamaged(file.name, "", "it has no data.tar, as a Debian package has");
    return { name: file.name, files: (wanted) => tarFiles(data, wanted, ctx) };
  }
  if (!isRpm(head)) return undefined;
  const payload = await rpmPayload(file);
  return { name: file.name, files: (wanted) => cpioFiles(payload, wanted, ctx) };
}

/** What was packed with xz, zstd or gzip, or not at all. */
async function* plainBytes(packed: ByteSource, ctx: Context): AsyncGenerator<Uint8Array, void> {
  const head = await packed.read(0, Math.min(8, packed.size));
  if (head[0] === 0xfd && head[1] === 0x37) {
    for (const piece of unxz(await readAll(packed, MOST_PACKED), packed.name)) {
      ctx.signal.throwIfAborted();
      yield piece;
    }
    return;
  }
  yield* decompress(bytesOf(packed), compressionOf(head.subarray(0, MAGIC_BYTES)), packed.name);
}

async function* bytesOf(source: ByteSource): AsyncGenerator<Uint8Array, void> {
  for await (const chunk of chunks(source)) yield chunk.kind === "data" ? chunk.bytes : new Uint8Array(chunk.length);
}

async function* tarFiles(
  data: ByteSource,
  wanted: (path: BytePath) => boolean,
  ctx: Context,
): AsyncGenerator<KernelFile, void> {
  for await (const item of readLayer(plainBytes(data, ctx), { name: data.name, mediaType: undefined }, ctx)) {
    if (item.kind !== "entry" || item.entry.type !== "file") continue;
    const path = kernelPath(item.entry.path);
    if (!wanted(path)) continue;
    yield { path, bytes: await gathered(item.content, data.name, path) };
  }
}

async function* cpioFiles(
  payload: ByteSource,
  wanted: (path: BytePath) => boolean,
  ctx: Context,
): AsyncGenerator<KernelFile, void> {
  const reader = new ByteReader(plainBytes(payload, ctx));
  try {
    for await (const { path: written, mode, size, content } of readCpio(reader, payload.name)) {
      const path = kernelPath(written);
      if ((mode & FILE_TYPE) !== REGULAR || size === 0 || !wanted(path)) continue;
      yield { path, bytes: await gathered(asChunks(content()), payload.name, path) };
    }
  } finally {
    await reader.close();
  }
}

async function* asChunks(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Chunk, void> {
  for await (const bytes of pieces) yield { kind: "data", bytes };
}

async function gathered(content: AsyncIterable<Chunk>, file: string, path: BytePath): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of content) {
    const bytes = chunk.kind === "data" ? chunk.bytes.slice() : new Uint8Array(chunk.length);
    size += bytes.length;
    if (size > MOST_FILE) throw kernelFileDamaged(file, path, `it is larger than ${MOST_FILE} bytes`);
    parts.push(bytes);
  }
  return Buffer.concat(parts, size);
}
