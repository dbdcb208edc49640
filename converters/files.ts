import { type BytePath, displayPath } from "../src/bytes/byte-path.ts";
import { type Chunk, chunks } from "../src/bytes/byte-source.ts";
import type { DirectoryEntry, FileEntry } from "../src/bytes/entry.ts";
import { LateSource } from "../src/bytes/late-source.ts";
import { MemorySource } from "../src/bytes/memory-source.ts";
import type { Context } from "../src/context.ts";
import type { ImageTree } from "../src/oci/image-tree.ts";
import { openImageFiles } from "../src/transport/image-files.ts";
import { openImage } from "../src/transport/open-image.ts";
import type { SourceImage } from "./conversion.ts";
import { parsePlatform } from "./guest/platform.ts";
import { type GuestTree, mountTree } from "./guest/tree.ts";
import type { MachineOptions } from "./machine/machine.ts";
import type { RootOptions } from "./machine/root.ts";
import { openGuestAt, transportOf } from "./open.ts";
import { parseReference, type Reference } from "./reference.ts";

export interface FilesOptions extends MachineOptions, RootOptions {
  /** Which image of an index: `linux/arm64`. */
  readonly platform?: string;
}

/** The files of a machine or of an image, for looking into them. */
export interface Files extends AsyncDisposable {
  readonly tree: GuestTree;
  /** A file's content from its beginning to its end, holes as zeros. */
  content(file: FileEntry): AsyncIterable<Chunk>;
  /** Of an image: its files as a tree whose contents come in an order of their own. */
  readonly image: ImageTree | undefined;
}

/** Opens what a reference names down to its files; disposing closes everything. */
export async function openFilesAt(text: string, options: FilesOptions, ctx: Context): Promise<Files> {
  const reference = await parseReference(text, ctx);
  if (reference.side === "machine") {
    const opened = await openGuestAt(text, options, ctx);
    return guestFiles(opened.guest.tree, opened);
  }
  return await imageFiles(await openImageAt(reference, options.platform, ctx), ctx);
}

/** The files of a machine, which own what they stand on. */
export function guestFiles(tree: GuestTree, owned: AsyncDisposable): Files {
  const dispose = () => owned[Symbol.asyncDispose]();
  return { tree, content: (file) => chunks(tree.content(file)), image: undefined, [Symbol.asyncDispose]: dispose };
}

/** The files of an image's layers, merged. They own the source, also where they cannot be opened. */
export async function imageFiles({ source, image }: SourceImage, ctx: Context): Promise<Files> {
  const dispose = () => source[Symbol.asyncDispose]();
  try {
    const tree = await openImageFiles(source, image, {}, ctx);
    const content = (file: FileEntry) => tree.content(file);
    return { tree: guestTreeOf(tree), content, image: tree, [Symbol.asyncDispose]: dispose };
  } catch (cause) {
    await dispose();
    throw cause;
  }
}

/** The image for a platform behind a reference; the caller disposes the source. */
export async function openImageAt(
  reference: Reference,
  platform: string | undefined,
  ctx: Context,
): Promise<SourceImage> {
  const wanted = platform === undefined ? undefined : parsePlatform(platform);
  const source = await (await transportOf(reference)).openSource(reference.details, ctx);
  try {
    return { source, image: await openImage(source, wanted, ctx) };
  } catch (cause) {
    await source[Symbol.asyncDispose]();
    throw cause;
  }
}

/**
 * The files of an image as those of a machine. To read a part of a file reads its layer to the end: only for files that the
 * tree keeps, or for a few.
 */
export function guestTreeOf(tree: ImageTree): GuestTree {
  const fileSystem = {
    async *walk(enter: (directory: DirectoryEntry) => boolean = () => true) {
      let closed: string | undefined;
      for (const entry of tree.walk()) {
        if (closed !== undefined && entry.path.startsWith(closed)) continue;
        closed = undefined;
        if (entry.type === "directory" && !enter(entry)) closed = entry.path === "" ? "" : `${entry.path}/`;
        yield entry;
      }
    },
    lookup: async (path: BytePath) => tree.lookup(path),
    content: ({ path, size }: FileEntry) =>
      new LateSource(displayPath(path), size, async () => {
        const bytes = (await tree.readFiles([path])).get(path) ?? new Uint8Array(0);
        return new MemorySource(bytes, displayPath(path));
      }),
  };
  return mountTree([{ path: "", fileSystem }]);
}
