import { type BytePath, displayPath } from "../../src/bytes/byte-path.ts";
import type { ByteSource, Chunk } from "../../src/bytes/byte-source.ts";
import { spool } from "../../src/bytes/spool.ts";
import type { Context } from "../../src/context.ts";
import { openDisk } from "../../src/disk/index.ts";
import type { VirtualDisk } from "../../src/disk/virtual-disk.ts";
import { NotFoundError } from "../../src/errors.ts";
import { readLayer } from "../../src/oci/layer-reader.ts";
import type { Whiteout } from "../../src/oci/whiteout.ts";
import type { SourceImage } from "../conversion.ts";
import { diskImageFiles } from "./errors.ts";

const FOLDER = "disk/";
const ZEROS = new Uint8Array(1 << 20);

/** The disk of a containerDisk image. It owns the spooled file. */
export interface ImageDisk extends AsyncDisposable {
  /** The file's name in the image: "web01.qcow2". */
  readonly name: string;
  readonly file: ByteSource;
  readonly disk: VirtualDisk;
}

/**
 * Reads the layers once, in order, and spools the one file in /disk, with its holes. Throws UnsupportedError DISK_IMAGE_FILES,
 * and what the layers and the disk throw.
 */
export async function openImageDisk({ source, image }: SourceImage, ctx: Context): Promise<ImageDisk> {
  const found = new DiskFiles();
  try {
    for (const layer of image.manifest.layers) {
      const options = { name: layer.digest, mediaType: layer.mediaType };
      for await (const item of readLayer(source.blob(layer), options, ctx)) {
        if (item.kind === "opaque" || item.kind === "whiteout") await found.hide(item);
        if (item.kind !== "entry" || item.entry.type !== "file" || !item.entry.path.startsWith(FOLDER)) continue;
        const { path } = item.entry;
        await found.add(path, await spool(plain(item.content), displayPath(path), ctx));
      }
      await found.endLayer();
    }
    const [only, ...others] = found.files;
    if (only === undefined || others.length > 0) throw diskImageFiles(image.descriptor.digest, found.files.size);
    const [path, file] = only;
    const disk = await openDisk(file, { ...ctx, resolve: refuse });
    return {
      name: displayPath(path).slice(FOLDER.length),
      file,
      disk,
      [Symbol.asyncDispose]: () => found[Symbol.asyncDispose](),
    };
  } catch (cause) {
    await found[Symbol.asyncDispose]();
    throw cause;
  }
}

/** The files in /disk, layer over layer. It owns them. */
class DiskFiles implements AsyncDisposable {
  /** Of the layers that have ended. */
  readonly files = new Map<BytePath, ByteSource>();
  readonly #own = new Map<BytePath, ByteSource>();

  async add(path: BytePath, file: ByteSource): Promise<void> {
    await this.#own.get(path)?.[Symbol.asyncDispose]();
    this.#own.set(path, file);
  }

  /** A whiteout is about lower layers only, wherever it stands in its own. */
  async hide({ kind, path: hidden }: Whiteout): Promise<void> {
    for (const [path, file] of this.files) {
      const isBelow = hidden === "" || path.startsWith(`${hidden}/`);
      if (!isBelow && !(kind === "whiteout" && path === hidden)) continue;
      this.files.delete(path);
      await file[Symbol.asyncDispose]();
    }
  }

  async endLayer(): Promise<void> {
    for (const [path, file] of this.#own) {
      await this.files.get(path)?.[Symbol.asyncDispose]();
      this.files.set(path, file);
    }
    this.#own.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.endLayer();
    for (const file of this.files.values()) await file[Symbol.asyncDispose]();
    this.files.clear();
  }
}

async function* plain(content: AsyncIterable<Chunk>): AsyncGenerator<Uint8Array> {
  for await (const chunk of content) {
    if (chunk.kind === "data") yield chunk.bytes;
    else for (let left = chunk.length; left > 0; left -= ZEROS.length) yield ZEROS.subarray(0, left);
  }
}

/** Neither KubeVirt nor we give a disk of an image anything beside it. */
async function refuse(name: string): Promise<never> {
  throw new NotFoundError("FILE_NOT_FOUND", "no such file", { where: { file: name } });
}
