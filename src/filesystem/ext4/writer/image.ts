import type { Chunk } from "../../../bytes/byte-source.ts";
import type { Content, Piece, Run } from "../../../bytes/content.ts";
import type { FileContent } from "../../../bytes/file-tree.ts";
import type { Context } from "../../../context.ts";
import { contentDiffers } from "../errors.ts";
import type { Range } from "./allocator.ts";
import { BLOCK } from "./geometry.ts";
import type { Contents } from "./layout.ts";
import type { Extent, Node } from "./node.ts";
import type { Section, Sections } from "./sections.ts";

/** A file system as it is written: metadata made on the way, and the data of files as the tree gives it. */
export class Image implements Content {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly #contents: Contents;
  readonly #sections: Sections;
  readonly #ctx: Context;

  constructor(name: string, size: number, contents: Contents, sections: Sections, ctx: Context) {
    this.name = name;
    this.size = size;
    this.#contents = contents;
    this.#sections = sections;
    this.#ctx = ctx;
  }

  async *runs(): AsyncGenerator<Run> {
    let at = 0;
    let data = 0;
    for (const { start, count } of withCopies(this.#ranges(), this.#sections.copies())) {
      const from = start * BLOCK;
      if (from > at) {
        if (data > 0) yield { length: data, kind: "data" };
        yield { length: from - at, kind: "zero" };
        data = 0;
      }
      data += count * BLOCK;
      at = from + count * BLOCK;
    }
    if (data > 0) yield { length: data, kind: "data" };
    if (this.size > at) yield { length: this.size - at, kind: "zero" };
  }

  *#ranges(): Generator<Range> {
    yield* this.#sections.head();
    for (const node of this.#files()) {
      yield* node.extents;
      for (const start of node.indexBlocks) yield { start, count: 1 };
    }
  }

  *#files(): Generator<Node> {
    for (const inode of this.#contents.tree.order) {
      const node = this.#contents.nodes.files.get(inode);
      if (node !== undefined) yield node;
    }
  }

  async *pieces(): AsyncGenerator<Piece> {
    const output = new Output(this.#sections.copies());
    for (const section of this.#sections.head()) yield* output.section(section);
    const nodes = this.#files();
    for await (const content of this.#contents.tree.contents()) {
      this.#ctx.signal.throwIfAborted();
      const { value: node } = nodes.next();
      if (node?.entry.inode !== content.inode) throw new Error(`inode ${content.inode} comes out of order`);
      yield* fileData(node, content, output);
      for (const section of this.#sections.indexBlocks(node, node.number)) yield* output.section(section);
    }
    const { value: missing } = nodes.next();
    if (missing !== undefined) throw contentDiffers("did not come", missing.entry.path);
    yield* output.end(this.size);
  }
}

/** Ranges that ascend, with those of the copies among them. */
function* withCopies(ranges: Iterable<Range>, copies: Iterator<Range>): Generator<Range> {
  let copy = copies.next();
  for (const range of ranges) {
    for (; copy.done !== true && copy.value.start < range.start; copy = copies.next()) yield copy.value;
    yield range;
  }
  for (; copy.done !== true; copy = copies.next()) yield copy.value;
}

/** Where the output stands: what is not written up to the next bytes is zeros, or a copy of the superblock on the way. */
class Output {
  readonly #copies: Iterator<Section>;
  #copy: IteratorResult<Section>;
  /** Bytes. */
  #at = 0;

  constructor(copies: Iterator<Section>) {
    this.#copies = copies;
    this.#copy = copies.next();
  }

  *section({ start, bytes }: Section): Generator<Piece> {
    let at = start * BLOCK;
    for (const part of bytes()) {
      yield* this.put(at, part);
      at += part.length;
    }
  }

  *put(offset: number, bytes: Uint8Array): Generator<Piece> {
    if (bytes.length === 0) return;
    if (offset > this.#at) yield* this.#upTo(offset);
    if (offset !== this.#at) throw new Error(`0x${offset.toString(16)} is written after 0x${this.#at.toString(16)}`);
    this.#at += bytes.length;
    yield { bytes };
  }

  *end(size: number): Generator<Piece> {
    yield* this.#upTo(size);
  }

  *#upTo(offset: number): Generator<Piece> {
    while (this.#copy.done !== true && this.#copy.value.start * BLOCK < offset) {
      const copy = this.#copy.value;
      this.#copy = this.#copies.next();
      yield* this.section(copy);
    }
    if (offset > this.#at) yield { zeros: offset - this.#at };
    this.#at = offset;
  }
}

/** Puts a file's bytes where its extents are. What it has between them must be zeros. */
async function* fileData(node: Node, { chunks }: FileContent, output: Output): AsyncGenerator<Piece> {
  const { extents, size } = node;
  let index = 0;
  let at = 0;
  for await (const chunk of chunks) {
    const end = at + lengthOf(chunk);
    if (end > size) throw contentDiffers(`is longer than its ${size} bytes`, node.entry.path);
    while (at < end) {
      const extent = extents[index];
      const from = extent === undefined ? size : extent.logical * BLOCK;
      const isHole = at < from;
      const stop = isHole ? from : from + (extent as Extent).count * BLOCK;
      const length = Math.min(stop, end) - at;
      if (chunk.kind === "data") {
        const bytes = chunk.bytes.subarray(chunk.bytes.length - (end - at), chunk.bytes.length - (end - at) + length);
        if (!isHole) yield* output.put((extent as Extent).start * BLOCK + at - from, bytes);
        else if (!isZero(bytes)) throw contentDiffers(`has data in a hole at 0x${at.toString(16)}`, node.entry.path);
      }
      at += length;
      if (!isHole && at === stop) index++;
    }
  }
  if (at < size) throw contentDiffers(`ends after ${at} of ${size} bytes`, node.entry.path);
}

function lengthOf(chunk: Chunk): number {
  return chunk.kind === "data" ? chunk.bytes.length : chunk.length;
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}
