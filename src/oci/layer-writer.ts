import { createHash } from "node:crypto";
import { BLOCK, encodeTarHeader, paddingOf, paxXattrBytes, type TarHeaderFields } from "../archive/tar-encode.ts";
import { type BytePath, displayPath } from "../bytes/byte-path.ts";
import type { ByteSource } from "../bytes/byte-source.ts";
import type { Piece } from "../bytes/content.ts";
import type { Digest } from "../bytes/digest.ts";
import type { Entry, Timestamp } from "../bytes/entry.ts";
import { type PackTotals, pack } from "../bytes/pack/pack.ts";
import type { Context } from "../context.ts";
import { contentLength, entryNotExpressible } from "./errors.ts";
import { MEDIA_TYPES } from "./media-types.ts";

/** An entry of a layer. A file needs content of exactly `entry.size` bytes; only the first name of a hard link is read. */
export interface LayerEntry {
  readonly entry: Entry;
  readonly content?: ByteSource | Uint8Array;
}

export interface LayerCompression {
  readonly kind: "gzip" | "none";
  /** zlib's 1 to 9. */
  readonly level: number;
}

/** Clients refuse a pax header above this: "header field too long". */
const PAX_LIMIT = 1_000_000;
/** The last second that every client keeps. */
const LAST_SECOND = 9_223_372_036;

const DEFAULT_ACL = "system.posix_acl_default";

/**
 * A layer as it is written: image-spec "Layer Filesystem Changeset", within what real clients accept and keep. Parents come
 * first (a directory with a default ACL after what it holds, since its children would inherit the ACL), the first name of an
 * inode is the file and later ones are links that repeat its attributes.
 */
export class LayerWriter {
  readonly mediaType: string;
  /** Counts so far. */
  readonly totals: PackTotals = { plain: 0, coded: 0, reused: 0 };
  readonly #entries: AsyncIterable<LayerEntry> | Iterable<LayerEntry>;
  readonly #compression: LayerCompression;
  readonly #ctx: Context;
  readonly #hash = createHash("sha256");
  readonly #links = new Map<number, { readonly path: BytePath; readonly entry: Entry }>();
  #diffId: Digest | undefined;
  #count = 0;

  /** Entries come parents first; each path once. */
  constructor(entries: AsyncIterable<LayerEntry> | Iterable<LayerEntry>, compression: LayerCompression, ctx: Context) {
    this.#entries = entries;
    this.#compression = compression;
    this.#ctx = ctx;
    this.mediaType = compression.kind === "gzip" ? MEDIA_TYPES.layerGzip : MEDIA_TYPES.layer;
  }

  /** The layer's blob, once. Each chunk is valid until the next is asked for. */
  async *bytes(): AsyncIterable<Uint8Array> {
    const { kind, level } = this.#compression;
    // Whoever stores the blob hashes it: once is enough.
    const onPlain = (bytes: Uint8Array) => void (kind === "none" || this.#hash.update(bytes));
    const options = {
      coding: kind === "gzip" ? "gzip" : "identity",
      level,
      threads: this.#ctx.limits.threads,
      onPlain,
    } as const;
    yield* pack(this.#pieces(), options, this.totals, this.#ctx);
    this.#diffId = `sha256:${this.#hash.digest("hex")}`;
  }

  /** sha256 of the uncompressed tar, known when `bytes` has ended: that of the `blob` where nothing is compressed. */
  diffIdOf(blob: Digest): Digest {
    if (this.#diffId === undefined) throw new Error("the layer has not been written to its end");
    return this.#compression.kind === "none" ? blob : this.#diffId;
  }

  /** Entries written so far. */
  get count(): number {
    return this.#count;
  }

  async *#pieces(): AsyncGenerator<Piece> {
    // Directories whose entry waits until what they hold has been written, outermost first.
    const late: Entry[] = [];
    for await (const item of this.#entries) {
      const { entry } = item;
      while (late.length > 0 && !isBelow(entry.path, (late.at(-1) as Entry).path))
        yield* this.#entry({ entry: late.pop() as Entry });
      if (entry.type === "directory" && entry.xattrs.has(DEFAULT_ACL)) late.push(entry);
      else yield* this.#entry(item);
    }
    while (late.length > 0) yield* this.#entry({ entry: late.pop() as Entry });
    yield { zeros: 2 * BLOCK };
  }

  *#entry({ entry, content }: LayerEntry): Generator<Piece> {
    this.#count++;
    checkExpressible(entry);
    const first = entry.links > 1 && entry.type !== "directory" ? this.#links.get(entry.inode) : undefined;
    if (first !== undefined) {
      const same = {
        ...fieldsOf(first.entry, this.#ctx.epoch),
        name: entry.path,
        type: "1",
        size: 0,
        linkName: first.path,
      } as const;
      yield { bytes: encodeTarHeader(same) };
      return;
    }
    if (entry.links > 1 && entry.type !== "directory") this.#links.set(entry.inode, { path: entry.path, entry });
    yield { bytes: encodeTarHeader(fieldsOf(entry, this.#ctx.epoch)) };
    if (entry.type !== "file" || entry.size === 0) return;
    const length = content instanceof Uint8Array ? content.length : content?.size;
    if (content === undefined || length !== entry.size)
      throw contentLength(displayPath(entry.path), entry.size, length);
    yield content instanceof Uint8Array ? { bytes: content } : { source: content, offset: 0, length };
    yield { zeros: paddingOf(length) };
  }
}

function isBelow(path: BytePath, parent: BytePath): boolean {
  return parent === "" ? path !== "" : path.startsWith(`${parent}/`);
}

const TYPE_FLAGS = {
  file: "0",
  directory: "5",
  symlink: "2",
  "character-device": "3",
  "block-device": "4",
  fifo: "6",
} as const;

function fieldsOf(entry: Entry, epoch: number | undefined): TarHeaderFields {
  const { path, mode, uid, gid, xattrs, type } = entry;
  const fields = {
    name: type === "directory" ? `${path === "" ? "." : path}/` : path,
    type: TYPE_FLAGS[type as keyof typeof TYPE_FLAGS],
    mode,
    uid,
    gid,
    size: type === "file" ? entry.size : 0,
    mtime: layerTime(entry.mtime, epoch),
    xattrs,
  };
  if (type === "symlink") return { ...fields, linkName: entry.target };
  if (type === "character-device" || type === "block-device")
    return { ...fields, major: entry.major, minor: entry.minor };
  return fields;
}

/** A time as a layer can carry it: not before 1970 or after 2262, and not after SOURCE_DATE_EPOCH if that is set. */
export function layerTime(mtime: Timestamp, epoch: number | undefined): Timestamp {
  if (mtime.seconds < 0) return { seconds: 0, nanoseconds: 0 };
  const last = Math.min(epoch ?? LAST_SECOND, LAST_SECOND);
  return mtime.seconds >= last ? { seconds: last, nanoseconds: 0 } : mtime;
}

/** What no layer can say must be left out, with a report, before it comes here. */
function checkExpressible(entry: Entry): void {
  const name = entry.path.slice(entry.path.lastIndexOf("/") + 1);
  if (entry.type === "socket") throw entryNotExpressible(displayPath(entry.path), "a socket has no place in a layer");
  if (name.startsWith(".wh."))
    throw entryNotExpressible(displayPath(entry.path), "a name that begins with .wh. deletes instead");
  if (entry.type === "symlink" && entry.target === "")
    throw entryNotExpressible(displayPath(entry.path), "a symlink without a target is refused");
  if (entry.xattrs.size === 0) return;
  for (const key of entry.xattrs.keys()) {
    if (key.includes("=") || key.includes("\0"))
      throw entryNotExpressible(displayPath(entry.path), `the attribute name ${JSON.stringify(key)} cannot be written`);
  }
  if (paxXattrBytes(entry.xattrs) > PAX_LIMIT)
    throw entryNotExpressible(displayPath(entry.path), "more than 1 MB of extended attributes is refused");
}
