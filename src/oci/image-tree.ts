import { createHash } from "node:crypto";
import { type BytePath, displayPath, joinPath } from "../bytes/byte-path.ts";
import type { Chunk } from "../bytes/byte-source.ts";
import type { Run } from "../bytes/content.ts";
import { type Digest, parseDigest } from "../bytes/digest.ts";
import type { Entry, FileEntry } from "../bytes/entry.ts";
import type { FileContent, FileTree } from "../bytes/file-tree.ts";
import type { Context } from "../context.ts";
import { CorruptError } from "../errors.ts";
import { diffIdWrong, layerChanged } from "./errors.ts";
import { readLayer } from "./layer-reader.ts";
import { type DirectoryInode, type FileInode, type Inode, inodeOf, MergedFiles, type Named } from "./merged-files.ts";
import { type RunLengths, ZeroScanner } from "./zero-runs.ts";

/** A layer of an image, which is read more than once. */
export interface TreeLayer {
  /** For messages: its digest. */
  readonly name: string;
  readonly mediaType: string | undefined;
  /** What the uncompressed layer must hash to; unchecked if absent. */
  readonly diffId?: Digest;
  /** The blob, which checks itself. */
  open(): AsyncIterable<Uint8Array>;
}

export interface ImageTreeOptions {
  /** True for files that `readFiles` shall have at hand, so that it need not read the layers again: a few small ones. */
  readonly keep?: (path: BytePath, size: number) => boolean;
}

/** Runs of zeros that are remembered of all files together. */
const MOST_RUNS = 1 << 23;

/**
 * Reads each layer once and lays them over each other, lowest first. What is kept of a file is its metadata and where its zeros
 * are: some 250 bytes for each. Throws CorruptError OCI_DIFF_ID, LAYER_ENTRIES, LAYER_LINK_TARGET, LAYER_METADATA, and what
 * `readLayer` does.
 */
export async function openImageTree(
  layers: readonly TreeLayer[],
  options: ImageTreeOptions,
  ctx: Context,
): Promise<ImageTree> {
  const files = new MergedFiles(ctx);
  const scanner = new ZeroScanner(MOST_RUNS);
  const kept = new WeakMap<Inode, Uint8Array>();
  for (const layer of layers) {
    files.beginLayer(layer.name);
    await mergeLayer(layer, files, scanner, (path, size) => options.keep?.(path, size) === true, kept, ctx);
  }
  return new ImageTree(layers, files, kept, ctx);
}

async function mergeLayer(
  layer: TreeLayer,
  files: MergedFiles,
  scanner: ZeroScanner,
  keep: (path: BytePath, size: number) => boolean,
  kept: WeakMap<Inode, Uint8Array>,
  ctx: Context,
): Promise<void> {
  const { name, mediaType, diffId } = layer;
  const { algorithm } = parseDigest(diffId ?? "sha256:".padEnd(71, "0"));
  const hash = createHash(algorithm);
  const options = { name, mediaType, ...(diffId && { onPlain: (bytes: Uint8Array) => void hash.update(bytes) }) };
  for await (const item of readLayer(layer.open(), options, ctx)) {
    if (item.kind === "link") files.link(item.path, item.target, item.attributes);
    else if (item.kind !== "entry") files.whiteout(item);
    else if (item.entry.type !== "file" || item.entry.size === 0) files.add(item.entry, undefined);
    else {
      const copy = keep(item.entry.path, item.entry.size) ? new Collector() : undefined;
      for await (const chunk of item.content) {
        if (chunk.kind === "data") scanner.data(chunk.bytes);
        else scanner.zeros(chunk.length);
        copy?.add(chunk);
      }
      const inode = files.add(item.entry, scanner.finish());
      if (copy !== undefined) kept.set(inode, copy.bytes);
    }
  }
  const found: Digest = `${algorithm}:${hash.digest("hex")}`;
  if (diffId !== undefined && found !== diffId) throw diffIdWrong(name, found, diffId);
}

/** The layers of an image as one tree that was never unpacked: contents are read off the layers again when they are asked for. */
export class ImageTree implements FileTree {
  readonly order: readonly number[];
  /** Names in the tree. */
  readonly count: number;
  /** Bytes of all files, each inode once. */
  readonly size: number;
  readonly #layers: readonly TreeLayer[];
  readonly #merged: MergedFiles;
  readonly #kept: WeakMap<Inode, Uint8Array>;
  readonly #ctx: Context;
  /** By their numbers. */
  readonly #inodes: readonly Inode[];
  /** Those that are not empty, as the layers have them. */
  readonly #files: readonly FileInode[];

  /** Only for `openImageTree`. */
  constructor(layers: readonly TreeLayer[], merged: MergedFiles, kept: WeakMap<Inode, Uint8Array>, ctx: Context) {
    this.#layers = layers;
    this.#merged = merged;
    this.#kept = kept;
    this.#ctx = ctx;
    const { inodes, names } = numbered(merged.root);
    this.#inodes = inodes;
    this.count = names;
    const files = inodes.filter((inode): inode is FileInode => inode.type === "file" && inode.size > 0);
    this.#files = files.sort((a, b) => a.layer - b.layer || a.item - b.item);
    this.order = files.map(({ number }) => number);
    this.size = files.reduce((sum, { size }) => sum + size, 0);
  }

  /** The root first, then the names of each directory in byte order. */
  *walk(): Generator<Entry, void> {
    for (const { path, inode } of walked(this.#merged.root)) yield entryOf(path, inode);
  }

  /** One entry by its path; symlinks are followed on the way, but not at the end. */
  lookup(path: BytePath): Entry | undefined {
    const named = this.#merged.find(path);
    return named && entryOf(path, inodeOf(named));
  }

  /** One entry with symlinks followed to the end, inside the image; it is called by the path that was asked for. */
  follow(path: BytePath): Entry | undefined {
    const inode = this.#merged.follow(path);
    return inode && entryOf(path, inode);
  }

  runs(inode: number): readonly Run[] {
    const file = this.#inodes[inode - 1];
    if (file?.type !== "file" || file.size === 0) return [];
    if (file.runs === undefined) return [{ length: file.size, kind: "data" }];
    return file.runs
      .map((length, index): Run => ({ length, kind: index % 2 === 0 ? "data" : "zero" }))
      .filter(({ length }) => length > 0);
  }

  /** Reads the layers once more. Throws CorruptError LAYER_CHANGED and what `readLayer` does. */
  contents(): AsyncGenerator<FileContent, void> {
    return this.#contentsOf(this.#files);
  }

  /** The content of one file; reads its layer to the end, where that proves right. */
  async *content(entry: FileEntry): AsyncGenerator<Chunk, void> {
    const file = this.#inodes[entry.inode - 1];
    if (file?.type !== "file" || file.size === 0) return;
    const kept = this.#kept.get(file);
    if (kept !== undefined) yield { kind: "data", bytes: kept };
    else for await (const { chunks } of this.#contentsOf([file])) yield* chunks;
  }

  /**
   * The files at these paths, symlinks followed; what is not there or no file is left out. Throws CorruptError BYTES_TOO_LARGE
   * where they have more than `limit` bytes together (`limits.tableBytes`).
   */
  async readFiles(paths: readonly BytePath[], limit = this.#ctx.limits.tableBytes): Promise<Map<BytePath, Uint8Array>> {
    const bytesOf = new Map<Inode, Uint8Array>();
    const named = new Map<BytePath, FileInode>();
    for (const path of paths) {
      const inode = this.#merged.follow(path);
      if (inode?.type === "file") named.set(path, inode);
    }
    const missing = new Set([...named.values()].filter((inode) => inode.size > 0 && !this.#kept.has(inode)));
    const total = [...missing].reduce((sum, { size }) => sum + size, 0);
    if (total > limit) throw tooLarge(paths, total, limit);
    const wanted = [...missing].sort((a, b) => a.layer - b.layer || a.item - b.item);
    for await (const { inode, chunks } of this.#contentsOf(wanted)) {
      const file = this.#inodes[inode - 1] as FileInode;
      const collector = new Collector();
      for await (const chunk of chunks) collector.add(chunk);
      bytesOf.set(file, collector.bytes);
    }
    const found = new Map<BytePath, Uint8Array>();
    for (const [path, inode] of named) {
      found.set(path, this.#kept.get(inode) ?? bytesOf.get(inode) ?? new Uint8Array(0));
    }
    return found;
  }

  /** `files` as the layers have them. Each layer is read to its end, so that it is known to be the right one. */
  async *#contentsOf(files: readonly FileInode[]): AsyncGenerator<FileContent, void> {
    // What there is to say of a layer has been said.
    const ctx = { ...this.#ctx, diagnostic() {} };
    for (let next = 0; next < files.length; ) {
      const { layer: index } = files[next] as FileInode;
      const layer = this.#layers[index] as TreeLayer;
      for await (const item of readLayer(layer.open(), layer, ctx)) {
        const file = files[next];
        if (file?.layer !== index || item.kind !== "entry" || item.entry.inode !== file.item) continue;
        if (item.entry.type !== "file" || item.entry.size !== file.size) break;
        next += 1;
        yield { inode: file.number, chunks: alongRuns(item.content, file.runs) };
      }
      if (files[next]?.layer === index) throw layerChanged(layer.name, "a file is not where it was");
    }
  }
}

/** Numbers the inodes that are left, counts their names, and puts the names of each directory in order. */
function numbered(root: DirectoryInode): { inodes: Inode[]; names: number } {
  const inodes: Inode[] = [];
  let names = 0;
  for (const { inode } of walked(root, true)) {
    names += 1;
    inode.links += 1;
    if (inode.number > 0) continue;
    inodes.push(inode);
    inode.number = inodes.length;
  }
  return { inodes, names };
}

interface Place {
  readonly path: BytePath;
  readonly inode: Inode;
}

function* walked(root: DirectoryInode, sort = false): Generator<Place, void> {
  const open: { readonly path: BytePath; readonly names: Iterator<[BytePath, Named]> }[] = [];
  const enter = (path: BytePath, inode: Inode): void => {
    if (inode.type !== "directory" || inode.names === undefined) return;
    if (sort) inode.names = new Map([...inode.names].sort(([a], [b]) => (a < b ? -1 : 1)));
    open.push({ path, names: inode.names.entries() });
  };
  yield { path: "", inode: root };
  enter("", root);
  for (let at = open.at(-1); at !== undefined; at = open.at(-1)) {
    const { done, value } = at.names.next();
    if (done === true) {
      open.pop();
      continue;
    }
    const place = { path: joinPath(at.path, value[0]), inode: inodeOf(value[1]) };
    yield place;
    enter(place.path, place.inode);
  }
}

function entryOf(path: BytePath, inode: Inode): Entry {
  const { number, links, mode, uid, gid, seconds, nanoseconds, xattrs } = inode;
  const base = { path, inode: number, links, mode, uid, gid, mtime: { seconds, nanoseconds }, xattrs };
  switch (inode.type) {
    case "file":
      return { type: "file", ...base, size: inode.size };
    case "symlink":
      return { type: "symlink", ...base, target: inode.target };
    case "character-device":
    case "block-device":
      return { type: inode.type, ...base, major: inode.major, minor: inode.minor };
    default:
      return { type: inode.type, ...base };
  }
}

/** The content with its runs of zeros as zeros. */
async function* alongRuns(content: AsyncIterable<Chunk>, runs: RunLengths | undefined): AsyncGenerator<Chunk, void> {
  if (runs === undefined) return yield* content;
  let index = 0;
  let left = runs[0] ?? 0;
  for await (const chunk of content) {
    const length = chunk.kind === "data" ? chunk.bytes.length : chunk.length;
    for (let at = 0; at < length; ) {
      while (left === 0) left = runs[++index] ?? length;
      const taken = Math.min(left, length - at);
      const isZero = chunk.kind === "zero" || index % 2 === 1;
      yield isZero ? { kind: "zero", length: taken } : { kind: "data", bytes: chunk.bytes.subarray(at, at + taken) };
      at += taken;
      left -= taken;
    }
  }
}

/** A small file, whole. */
class Collector {
  readonly #parts: Uint8Array[] = [];

  add(chunk: Chunk): void {
    this.#parts.push(chunk.kind === "data" ? Uint8Array.from(chunk.bytes) : new Uint8Array(chunk.length));
  }

  get bytes(): Uint8Array {
    return Buffer.concat(this.#parts);
  }
}

function tooLarge(paths: readonly BytePath[], size: number, limit: number): CorruptError {
  const where = { path: displayPath(paths[0] ?? "") };
  return new CorruptError("BYTES_TOO_LARGE", `${size} bytes are more than the ${limit} that are read at once`, {
    where,
  });
}
