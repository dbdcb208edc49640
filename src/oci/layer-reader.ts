import { archiveTruncated, checksumWrong, memberMissing, paxNumberMalformed } from "../archive/errors.ts";
import { NO_RECORDS, type PaxRecords, parsePax, paxDecimal } from "../archive/pax.ts";
import { BLOCK, paddingOf } from "../archive/tar-encode.ts";
import { TarHeader, TypeFlag } from "../archive/tar-header.ts";
import { type BytePath, displayPath } from "../bytes/byte-path.ts";
import { ByteReader } from "../bytes/byte-reader.ts";
import type { Chunk } from "../bytes/byte-source.ts";
import { compressionOf, decompress, MAGIC_BYTES } from "../bytes/decompress.ts";
import { type Entry, NO_XATTRS, type Timestamp } from "../bytes/entry.ts";
import type { Context } from "../context.ts";
import type { Where } from "../errors.ts";
import {
  layerCompressionWrong,
  layerEntries,
  layerEntryType,
  layerMediaType,
  layerNumber,
  layerPath,
  layerPaxSize,
} from "./errors.ts";
import { layerCompression } from "./layer-media-type.ts";
import { type Segment, segmentChunks, segmentsOf, sparseMap } from "./sparse.ts";
import { type Whiteout, whiteoutOf } from "./whiteout.ts";

/** What a hard link entry repeats of the file that it names; clients apply it to the file. */
export interface LinkAttributes {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: Timestamp;
  readonly xattrs: ReadonlyMap<string, Uint8Array>;
}

/** One entry of a layer, in the layer's order. */
export type LayerItem =
  | {
      readonly kind: "entry";
      /** `inode` counts the entries of the layer from 1, `links` is 1: hard links come as items of their own. */
      readonly entry: Entry;
      /** A file's content, holes as zeros; read it before the next item, or not at all. Empty for other types. */
      readonly content: AsyncIterable<Chunk>;
      /** Where the content lies in the uncompressed layer, for whoever keeps that. */
      readonly segments: readonly Segment[];
    }
  | { readonly kind: "link"; readonly path: BytePath; readonly target: BytePath; readonly attributes: LinkAttributes }
  | Whiteout;

export interface LayerOptions {
  /** For messages. */
  readonly name: string;
  /** The descriptor's: the first bytes must agree with it. Undefined: the first bytes decide. */
  readonly mediaType: string | undefined;
  /** Is given every byte of the uncompressed layer, in order, whether or not it belongs to an entry that is read. */
  readonly onPlain?: (bytes: Uint8Array) => void;
}

/** Clients refuse a longer pax header; some room above that, for what they never saw. */
const PAX_LIMIT = 1 << 20;
const PAX_MOST = 16 << 20;
const MOST_ID = 0xffff_ffff;
const MODE_MASK = 0o7777;
const XATTR = "SCHILY.xattr.";

/**
 * The entries of a layer (image-spec "Layer Filesystem Changeset"). `content` is the blob; it is read to its end, so that a
 * check on it takes place, unless the caller stops early. Throws CorruptError LAYER_COMPRESSION, LAYER_ENTRIES,
 * LAYER_NUMBER, LAYER_PATH, LAYER_PAX_SIZE, LAYER_SPARSE, ARCHIVE_*, BYTES_COMPRESSED; UnsupportedError
 * LAYER_ENTRY_TYPE, LAYER_MEDIA_TYPE. Oddities that every client takes are diagnostics.
 */
export async function* readLayer(
  content: AsyncIterable<Uint8Array>,
  options: LayerOptions,
  ctx: Context,
): AsyncGenerator<LayerItem, void> {
  const reader = new ByteReader(await plainLayer(content, options));
  try {
    yield* new LayerReader(reader, options.name, ctx).items();
    while ((await reader.skip(1 << 30)) > 0) ctx.signal.throwIfAborted();
  } finally {
    await reader.close();
  }
}

async function plainLayer(
  content: AsyncIterable<Uint8Array>,
  options: LayerOptions,
): Promise<AsyncIterable<Uint8Array>> {
  const { mediaType, name, onPlain } = options;
  const expected = mediaType === undefined ? undefined : layerCompression(mediaType);
  if (mediaType !== undefined && expected === undefined) throw layerMediaType({ file: name }, mediaType);
  const blob = new ByteReader(content);
  const head = new Uint8Array(await blob.take(MAGIC_BYTES));
  const found = compressionOf(head);
  if (mediaType !== undefined && found !== expected) {
    await blob.close();
    throw layerCompressionWrong({ file: name }, mediaType, found);
  }
  const plain = decompress(joined(head, blob), found, name);
  return onPlain === undefined ? plain : observed(plain, onPlain);
}

async function* joined(head: Uint8Array, rest: ByteReader): AsyncGenerator<Uint8Array, void> {
  try {
    yield head;
    yield* rest.pieces(Number.MAX_SAFE_INTEGER);
  } finally {
    await rest.close();
  }
}

async function* observed(
  content: AsyncIterable<Uint8Array>,
  onPlain: (bytes: Uint8Array) => void,
): AsyncGenerator<Uint8Array, void> {
  for await (const bytes of content) {
    onPlain(bytes);
    yield bytes;
  }
}

/** What the headers in front of an entry say. */
interface Member {
  readonly header: TarHeader;
  readonly records: PaxRecords;
  readonly path: BytePath;
  readonly linkName: BytePath;
  readonly where: Where;
}

class LayerReader {
  readonly #reader: ByteReader;
  readonly #name: string;
  readonly #ctx: Context;
  #count = 0;

  constructor(reader: ByteReader, name: string, ctx: Context) {
    this.#reader = reader;
    this.#name = name;
    this.#ctx = ctx;
  }

  async *items(): AsyncGenerator<LayerItem, void> {
    for (;;) {
      this.#ctx.signal.throwIfAborted();
      const member = await this.#member();
      if (member === undefined) return;
      if (++this.#count > this.#ctx.limits.entries) throw layerEntries(member.where, this.#ctx.limits.entries);
      const { size, isFile } = bodyOf(member);
      const map = isFile ? await sparseMap(member.records, size, this.#reader, member.where) : undefined;
      const start = this.#reader.position;
      const stored = size - (map?.mapBytes ?? 0);
      const segments = isFile ? segmentsOf(map?.size ?? size, start, map) : [];
      const whiteout = whiteoutOf(member.path);
      if (whiteout !== undefined) yield this.#whiteout(whiteout, member, size);
      else if (member.header.typeFlag === TypeFlag.HARD_LINK) yield this.#link(member);
      else {
        const entry = this.#entry(member, isFile, map?.size ?? size);
        yield { kind: "entry", entry, segments, content: this.#content(member, start, map?.size ?? size, segments) };
      }
      await this.#skipTo(start + stored + paddingOf(size), member, size);
    }
  }

  /** The next entry with the extended headers before it; undefined at the end of the archive. */
  async #member(): Promise<Member | undefined> {
    let records = NO_RECORDS;
    let longName: string | undefined;
    let longLink: string | undefined;
    for (let extended = false; ; extended = true) {
      const offset = this.#reader.position;
      const where = { file: this.#name, offset };
      const block = await this.#reader.take(BLOCK);
      if (block.length === 0 || (block.length === BLOCK && block.every((byte) => byte === 0))) {
        if (extended) throw memberMissing(this.#name, offset);
        return undefined;
      }
      if (block.length < BLOCK)
        throw archiveTruncated("a member header", BLOCK - block.length, BLOCK, this.#name, offset);
      const bytes = new Uint8Array(block);
      const header = new TarHeader(bytes, 0, where);
      if (header.checksum !== sumOf(bytes) && !header.hasValidChecksum()) {
        throw checksumWrong(this.#name, offset, header.computedChecksum(), header.checksum);
      }
      switch (header.typeFlag) {
        case TypeFlag.PAX:
        case TypeFlag.PAX_SOLARIS:
          records = parsePax(await this.#extended(header, where), this.#name, offset + BLOCK);
          break;
        case TypeFlag.PAX_GLOBAL:
          await this.#extended(header, where);
          this.#note("LAYER_GLOBAL_HEADER", "a pax global header is ignored, as container clients do", where);
          break;
        case TypeFlag.GNU_LONG_NAME:
          longName = untilNul(await this.#extended(header, where));
          break;
        case TypeFlag.GNU_LONG_LINK:
          longLink = untilNul(await this.#extended(header, where));
          break;
        default: {
          const name = records.get("GNU.sparse.name") ?? records.get("path") ?? longName ?? header.path;
          const linkName = records.get("linkpath") ?? longLink ?? header.linkName;
          const path = this.#path(name, where);
          return { header, records, path, linkName, where: { ...where, path: displayPath(path) } };
        }
      }
    }
  }

  /** The body of an extended header. */
  async #extended(header: TarHeader, where: Where): Promise<Uint8Array> {
    const { size } = header;
    if (size < 0 || size > PAX_MOST) throw layerPaxSize(where, size, PAX_MOST);
    if (size > PAX_LIMIT) {
      this.#note("LAYER_PAX_LARGE", `an extended header of ${size} bytes, which container clients refuse`, where);
    }
    const body = new Uint8Array((await this.#reader.take(size + paddingOf(size))).subarray(0, size));
    if (body.length < size) {
      throw archiveTruncated("an extended header", size - body.length, size, this.#name, this.#reader.position);
    }
    return body;
  }

  /** Relative to the root, without `.`; `..` is taken by name, as clients do before they look at the disk. */
  #path(name: string, where: Where): BytePath {
    const parts: string[] = [];
    for (const part of name.split("/")) {
      if (part === "" || part === ".") continue;
      if (part !== "..") parts.push(part);
      else if (parts.pop() === undefined)
        throw layerPath({ ...where, path: displayPath(name) }, "leads out of the root");
    }
    const path = parts.join("/");
    if (path.includes("\0")) throw layerPath({ ...where, path: displayPath(name) }, "holds a NUL");
    const at = { ...where, path: displayPath(name) };
    if (name.startsWith("/"))
      this.#note("LAYER_ABSOLUTE_PATH", "an absolute path is taken as relative to the root", at);
    if (/(?:^|\/)\.\.(?:\/|$)/.test(name)) this.#note("LAYER_DOT_DOT", "a path goes up and down again", at);
    return path;
  }

  #whiteout(whiteout: Whiteout, { where }: Member, size: number): Whiteout {
    if (whiteout.kind === "reserved") this.#note("LAYER_RESERVED_NAME", "a reserved name is ignored", where);
    else if (size > 0) this.#note("LAYER_WHITEOUT_CONTENT", `a whiteout has ${size} bytes of content`, where);
    return whiteout;
  }

  #link(member: Member): LayerItem {
    if (member.linkName === "") throw layerPath(member.where, "is a link to nothing");
    const target = this.#path(member.linkName.replace(/^\/+/, ""), member.where);
    return { kind: "link", path: member.path, target, attributes: attributesOf(member) };
  }

  #entry(member: Member, isFile: boolean, size: number): Entry {
    const { header, path, where } = member;
    const base = { path, inode: this.#count, links: 1, ...attributesOf(member) };
    if (isFile) return { type: "file", size, ...base };
    switch (header.typeFlag) {
      case TypeFlag.SYMLINK:
        if (member.linkName === "") throw layerPath(where, "is a link to nothing");
        return { type: "symlink", target: member.linkName, ...base };
      case TypeFlag.CHARACTER_DEVICE:
      case TypeFlag.BLOCK_DEVICE: {
        const type = header.typeFlag === TypeFlag.BLOCK_DEVICE ? "block-device" : "character-device";
        const major = idOf("devmajor", header.deviceMajor, where);
        return { type, major, minor: idOf("devminor", header.deviceMinor, where), ...base };
      }
      case TypeFlag.FIFO:
        return { type: "fifo", ...base };
      default:
        return { type: "directory", ...base };
    }
  }

  async *#content(
    member: Member,
    start: number,
    size: number,
    segments: readonly Segment[],
  ): AsyncGenerator<Chunk, void> {
    if (this.#reader.position !== start) throw new Error(`the content of ${member.where.path} was read too late`);
    const stored = segments.reduce((sum, { length }) => sum + length, 0);
    yield* segmentChunks(size, segments, (length) => this.#reader.pieces(length));
    const missing = start + stored - this.#reader.position;
    if (missing > 0) throw this.#truncated(member, missing, stored);
  }

  async #skipTo(end: number, member: Member, size: number): Promise<void> {
    for (let left = end - this.#reader.position; left > 0; left = end - this.#reader.position) {
      this.#ctx.signal.throwIfAborted();
      if ((await this.#reader.skip(Math.min(left, 1 << 30))) > 0) continue;
      // An archive that ends without the padding of its last member is complete.
      if (left < BLOCK && paddingOf(size) >= left) return;
      throw this.#truncated(member, left, size);
    }
  }

  #truncated(member: Member, missing: number, size: number): Error {
    return archiveTruncated(JSON.stringify(member.where.path), missing, size, this.#name, this.#reader.position);
  }

  #note(code: string, message: string, where: Where): void {
    this.#ctx.diagnostic({ code, severity: "warning", message, where });
  }
}

/** The usual checksum, without the view's getter for each byte: measured, a fifth of the time that an entry takes. */
function sumOf(header: Uint8Array): number {
  let sum = 8 * 0x20;
  for (let at = 0; at < 0x94; at++) sum += header[at] as number;
  for (let at = 0x9c; at < BLOCK; at++) sum += header[at] as number;
  return sum;
}

function untilNul(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
  const end = text.indexOf("\0");
  return end < 0 ? text : text.slice(0, end);
}

/** The stored bytes that follow the header. Links and special files have none, whatever their size field says. */
function bodyOf({ header, records, where }: Member): { readonly size: number; readonly isFile: boolean } {
  switch (header.typeFlag) {
    case TypeFlag.HARD_LINK:
    case TypeFlag.SYMLINK:
    case TypeFlag.CHARACTER_DEVICE:
    case TypeFlag.BLOCK_DEVICE:
    case TypeFlag.DIRECTORY:
    case TypeFlag.FIFO:
      return { size: 0, isFile: false };
    case TypeFlag.FILE:
    case TypeFlag.OLD_FILE:
    case TypeFlag.CONTIGUOUS_FILE: {
      const size = decimal(records, "size", where)?.seconds ?? header.size;
      if (size < 0 || !Number.isSafeInteger(size + paddingOf(size))) throw layerNumber(where, "size", size);
      // Tars older than POSIX tell a directory by the slash.
      return { size, isFile: header.typeFlag !== TypeFlag.OLD_FILE || !header.name.endsWith("/") };
    }
    default:
      throw layerEntryType(where, header.typeFlag);
  }
}

function attributesOf({ header, records, where }: Member): LinkAttributes {
  return {
    mode: header.mode & MODE_MASK,
    uid: idOf("uid", decimal(records, "uid", where)?.seconds ?? header.uid, where),
    gid: idOf("gid", decimal(records, "gid", where)?.seconds ?? header.gid, where),
    mtime: decimal(records, "mtime", where) ?? { seconds: header.mtime, nanoseconds: 0 },
    xattrs: xattrsOf(records),
  };
}

function decimal(records: PaxRecords, key: string, where: Where): Timestamp | undefined {
  const text = records.get(key);
  if (text === undefined || text === "") return undefined;
  const value = paxDecimal(text);
  if (value === undefined) throw paxNumberMalformed(where.file ?? "", where.offset ?? 0, key, text);
  return value;
}

function idOf(field: string, value: number, where: Where): number {
  if (value < 0 || value > MOST_ID) throw layerNumber(where, field, value);
  return value;
}

function xattrsOf(records: PaxRecords): ReadonlyMap<string, Uint8Array> {
  let xattrs: Map<string, Uint8Array> | undefined;
  for (const [key, value] of records) {
    if (!key.startsWith(XATTR) || key.length === XATTR.length) continue;
    xattrs ??= new Map();
    xattrs.set(key.slice(XATTR.length), Buffer.from(value, "latin1"));
  }
  return xattrs ?? NO_XATTRS;
}
