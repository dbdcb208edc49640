import type { FileHandle } from "node:fs/promises";
import { type BytePath, displayPath } from "../../src/bytes/byte-path.ts";
import type { Digest } from "../../src/bytes/digest.ts";
import { type OutputFile, writeAll } from "../../src/bytes/output-file.ts";
import type { OutputFolder } from "../../src/bytes/output-folder.ts";
import { isZeros } from "../../src/bytes/zeros.ts";
import type { Context } from "../../src/context.ts";
import type { Descriptor } from "../../src/oci/descriptor.ts";
import type { ImageManifest } from "../../src/oci/manifest.ts";
import type { ImageSource } from "../../src/transport/image-transport.ts";
import { smallBlob } from "../../src/transport/open-image.ts";
import type { SourceImage } from "../conversion.ts";
import { LAYOUT_TYPE, safePath, TITLE, Titles, titleOf } from "../package-form/artifact.ts";
import { layoutMissing, memberUnsafe, titleUnsafe } from "../package-form/errors.ts";
import { type LayoutPart, type PackageLayout, parseLayout } from "../package-form/layout.ts";

/** An artifact whose parts are known and fit together. */
export interface PackageArtifact {
  readonly layout: PackageLayout;
  readonly layers: ReadonlyMap<Digest, Descriptor>;
  readonly source: ImageSource;
}

/** A file of a folder, and the blobs that it is made of. */
export interface FolderMember {
  readonly path: BytePath;
  readonly size: number;
  readonly blobs: readonly Digest[];
}

/**
 * Reads the layout, and checks what the manifest says against it. Throws CorruptError PACKAGE_LAYOUT, PACKAGE_TITLE,
 * UnsupportedError PACKAGE_LAYOUT_VERSION.
 */
export async function readArtifact({ source, image }: SourceImage): Promise<PackageArtifact> {
  const { manifest, descriptor } = image;
  checkTitles(manifest, descriptor.digest);
  const [found, ...others] = manifest.layers.filter(({ mediaType }) => mediaType === LAYOUT_TYPE);
  if (found === undefined || others.length > 0) throw layoutMissing(descriptor.digest, others.length + Number(!!found));
  const layers = new Map(manifest.layers.map((layer) => [layer.digest, layer]));
  const sizes = new Map([...layers].map(([digest, { size }]) => [digest, size]));
  return { layout: parseLayout(await smallBlob(source, found), sizes, found.digest), layers, source };
}

/** Other clients write a file for each title: what they must not write, nobody should have to trust. */
function checkTitles({ layers }: ImageManifest, file: string): void {
  const titles = new Titles();
  for (const { annotations } of layers) {
    const title = annotations?.[TITLE];
    if (title === undefined) continue;
    const path = Buffer.from(title, "utf8").toString("latin1");
    if (titleOf(path) !== title) throw titleUnsafe(title, "is not a file name below a folder", file);
    if (!titles.take(title)) throw titleUnsafe(title, "stands in the way of another", file);
  }
}

/** The members as files of a folder. Throws UnsupportedError PACKAGE_MEMBER_NAME. */
export function folderMembers({ layout }: PackageArtifact): readonly FolderMember[] {
  const titles = new Titles();
  const members: FolderMember[] = [];
  for (const part of layout.parts) {
    if ("bytes" in part || part.name === undefined) continue;
    const path = safePath(part.name);
    if (path === undefined || !titles.take(path)) throw memberUnsafe(displayPath(part.name), layout.name);
    members.push({ path, size: part.size, blobs: part.blobs });
  }
  return members;
}

/** The package as the one file that it was. */
export async function writeFile(artifact: PackageArtifact, output: OutputFile, ctx: Context): Promise<void> {
  const { layout } = artifact;
  const writer = new Writer(artifact, output.handle, output.name, ctx);
  for (const part of layout.parts) await writer.write(part);
  await output.commit(layout.size);
}

/** The package as a folder of its members. */
export async function writeFolder(
  artifact: PackageArtifact,
  members: readonly FolderMember[],
  output: OutputFolder,
  ctx: Context,
): Promise<void> {
  for (const { path, size, blobs } of members) {
    await using handle = await output.create(path);
    await new Writer(artifact, handle, displayPath(path), ctx).write({ size, blobs });
    await handle.truncate(size);
  }
  await output.commit();
}

const COPY_BYTES = 1 << 20;
const ZEROS = Buffer.alloc(COPY_BYTES);

/** Writes parts into a file one behind the other. Zeros become holes, and a blob that comes again is not asked for again. */
class Writer {
  readonly #artifact: PackageArtifact;
  readonly #handle: FileHandle;
  readonly #name: string;
  readonly #ctx: Context;
  /** Where each blob has been written; undefined for one of zeros, of which nothing was. */
  readonly #places = new Map<Digest, number | undefined>();
  #at = 0;

  constructor(artifact: PackageArtifact, handle: FileHandle, name: string, ctx: Context) {
    this.#artifact = artifact;
    this.#handle = handle;
    this.#name = name;
    this.#ctx = ctx;
  }

  async write(part: LayoutPart): Promise<void> {
    if ("bytes" in part) return await this.#put(part.bytes);
    for (const digest of part.blobs) await this.#blob(digest);
  }

  async #blob(digest: Digest): Promise<void> {
    const { layers, source } = this.#artifact;
    const layer = layers.get(digest);
    if (layer === undefined) throw new Error(`${digest} was among the layers when the layout was read`);
    if (this.#places.has(digest)) return await this.#again(this.#places.get(digest), layer.size);
    const from = this.#at;
    let isHole = true;
    for await (const bytes of source.blob(layer)) {
      isHole &&= isZeros(bytes);
      await this.#put(bytes);
    }
    this.#places.set(digest, isHole ? undefined : from);
  }

  async #again(from: number | undefined, size: number): Promise<void> {
    if (from === undefined) return this.#passed(size);
    const buffer = Buffer.allocUnsafe(Math.min(COPY_BYTES, size));
    for (let at = 0; at < size; ) {
      const { bytesRead } = await this.#handle.read(buffer, 0, Math.min(buffer.length, size - at), from + at);
      // The end of the file may be a hole that is not there yet.
      const piece = bytesRead === 0 ? ZEROS.subarray(0, size - at) : buffer.subarray(0, bytesRead);
      await this.#put(piece);
      at += piece.length;
    }
  }

  async #put(bytes: Uint8Array): Promise<void> {
    if (!isZeros(bytes)) await writeAll(this.#handle, bytes, this.#at, this.#name);
    this.#passed(bytes.length);
  }

  #passed(length: number): void {
    this.#ctx.signal.throwIfAborted();
    this.#at += length;
    const { name, size } = this.#artifact.layout;
    this.#ctx.progress({ stage: "read", item: name, done: Math.min(this.#at, size), total: size });
  }
}
