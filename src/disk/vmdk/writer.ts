import { createHash, randomUUID } from "node:crypto";
import type { Content, Writing } from "../../bytes/content.ts";
import { packUnits } from "../../bytes/pack/units.ts";
import { uuidOf } from "../../bytes/uuid.ts";
import type { Context } from "../../context.ts";
import type { DiskWriteOptions, DiskWriter } from "../disk-writer.ts";
import { streamDescriptor } from "./descriptor-writer.ts";
import { streamTooLarge } from "./errors.ts";
import { SECTOR, SparseHeader, STREAM } from "./sparse-header.ts";
import { MARKER, Marker } from "./stream-optimized.ts";

const GRAIN_BYTES = STREAM.GRAIN_SECTORS * SECTOR;
/** As VirtualBox lays a stream out: the descriptor from sector 1 on, the first grain on a grain's boundary. */
const DESCRIPTOR_SECTORS = 20;
const OVERHEAD_SECTORS = 128;
const TABLE_BYTES = STREAM.TABLE_ENTRIES * 4;
const TABLE_SECTORS = TABLE_BYTES / SECTOR;
/** VMware's own limit; each 32 MiB take a table. */
const MOST_BYTES = 62 * 2 ** 40;
/** Chunks are about this long. */
const CHUNK_BYTES = 1 << 20;
/** zlib's own default, which VMware and VirtualBox use. */
const DEFAULT_LEVEL = 6;

export interface StreamOptions extends DiskWriteOptions {
  /** What the disk hangs on, for those who use the image without a descriptor; `lsilogic` if absent. */
  readonly adapterType?: "ide" | "lsilogic";
  /** The image's identity; a new one if absent, or one that follows from name and size where a SOURCE_DATE_EPOCH is set. */
  readonly uuid?: string;
  /** The name that the image gives itself. */
  readonly fileName?: string;
}

/**
 * A streamOptimized VMDK as VMware and VirtualBox write it: version 3, ascending grains each with its marker, a grain table
 * behind the grains of each 32 MiB, the directory and the footer at the end. It needs no patches, so that it can go into a pipe
 * and its digest can be computed on the way. The size is rounded up to a sector; only its last grain is filled up.
 * Throws UnsupportedError VMDK_STREAM_TOO_LARGE.
 */
export async function* writeStreamOptimized(content: Content, options: StreamOptions, ctx: Context): Writing {
  const { level = DEFAULT_LEVEL, fileName = "disk.vmdk", adapterType = "lsilogic" } = options;
  if (content.size > MOST_BYTES) throw streamTooLarge(content.name, `${content.size} bytes are more than the 62 TiB`);
  const uuid = options.uuid ?? (ctx.epoch === undefined ? randomUUID() : uuidOf(`${content.name}\n${content.size}`));
  const sectors = Math.ceil(content.size / SECTOR);
  // Two numbers mean that there is no content or no parent.
  const cid = createHash("sha256").update(uuid).digest("hex").slice(0, 8).replace(/^f{6}/, "fffff0");
  const stream = new GrainStream(sectors, content.name);
  const totals = { done: 0, reused: 0 };
  const progress = () =>
    ctx.progress({
      stage: "disk",
      item: content.name,
      done: Math.min(totals.done, content.size),
      total: content.size,
    });
  yield stream.front(streamDescriptor({ sectors, fileName, adapterType, uuid, cid }));
  const coding = { coding: "zlib", unitBytes: GRAIN_BYTES, level } as const;
  for await (const { index, bytes } of packUnits(content.pieces(), coding, totals, ctx)) {
    for (const chunk of stream.grain(index, bytes)) {
      progress();
      yield chunk;
    }
  }
  yield* stream.end();
  totals.done = content.size;
  progress();
  return [];
}

/** The bytes of a stream, whose chunks are valid until the next is asked for. */
class GrainStream {
  readonly #name: string;
  readonly #sectors: number;
  readonly #chunk = Buffer.allocUnsafe(CHUNK_BYTES + 2 * GRAIN_BYTES);
  #used = 0;
  /** Sectors of the stream in front of the chunk. */
  #passed = 0;
  /** Of the grains since the last table. */
  readonly #table = new Uint32Array(STREAM.TABLE_ENTRIES);
  /** The place of each table so far. */
  readonly #directory: number[] = [];

  constructor(sectors: number, name: string) {
    this.#sectors = sectors;
    this.#name = name;
  }

  /** Everything in front of the first grain. */
  front(descriptor: string): Uint8Array {
    const bytes = Buffer.alloc(OVERHEAD_SECTORS * SECTOR);
    this.#header(bytes, 0);
    bytes.write(descriptor, SECTOR, DESCRIPTOR_SECTORS * SECTOR, "latin1");
    this.#passed = OVERHEAD_SECTORS;
    return bytes;
  }

  /** The next grain, behind the tables of all that end in front of it. */
  *grain(index: number, stored: Uint8Array): Generator<Uint8Array> {
    yield* this.#tables(Math.floor(index / STREAM.TABLE_ENTRIES));
    const bytes = Marker.GRAIN_SIZE + stored.length;
    yield* this.#room(bytes + SECTOR);
    this.#table[index % STREAM.TABLE_ENTRIES] = this.#sector();
    this.#chunk.fill(0, this.#used, this.#used + Marker.GRAIN_SIZE);
    const marker = new Marker(this.#chunk, this.#used, Marker.GRAIN_SIZE);
    marker.value = index * STREAM.GRAIN_SECTORS;
    marker.size = stored.length;
    this.#chunk.set(stored, this.#used + Marker.GRAIN_SIZE);
    const end = this.#used + Math.ceil(bytes / SECTOR) * SECTOR;
    this.#chunk.fill(0, this.#used + bytes, end);
    this.#used = end;
  }

  /** The tables that are left, the directory, the footer and the end. */
  *end(): Generator<Uint8Array> {
    yield* this.#tables(Math.ceil(this.#sectors / (STREAM.GRAIN_SECTORS * STREAM.TABLE_ENTRIES)));
    yield* this.#room(CHUNK_BYTES);
    const directorySectors = Math.ceil((this.#directory.length * 4) / SECTOR);
    this.#marker(MARKER.GRAIN_DIRECTORY, directorySectors);
    const gdOffset = this.#sector();
    const directory = Buffer.alloc(directorySectors * SECTOR);
    for (const [index, sector] of this.#directory.entries()) directory.writeUInt32LE(sector, index * 4);
    yield* this.#room(CHUNK_BYTES);
    yield directory;
    this.#passed += directorySectors;
    this.#marker(MARKER.FOOTER, 1);
    this.#header(this.#next(SECTOR), 0, gdOffset);
    this.#marker(MARKER.END_OF_STREAM, 0);
    yield* this.#room(CHUNK_BYTES);
  }

  /** VirtualBox writes a table even where nothing is in it, since the format's note wants a full directory. */
  *#tables(count: number): Generator<Uint8Array> {
    while (this.#directory.length < count) {
      yield* this.#room(SECTOR + TABLE_BYTES);
      this.#marker(MARKER.GRAIN_TABLE, TABLE_SECTORS);
      this.#directory.push(this.#sector());
      const bytes = this.#next(TABLE_BYTES);
      for (const [index, sector] of this.#table.entries()) bytes.writeUInt32LE(sector, index * 4);
      this.#table.fill(0);
    }
  }

  /** Gives the chunk away when `bytes` do not fit behind it. */
  *#room(bytes: number): Generator<Uint8Array> {
    if (this.#used === 0 || this.#used + bytes <= CHUNK_BYTES) return;
    yield this.#chunk.subarray(0, this.#used);
    this.#passed += this.#used / SECTOR;
    this.#used = 0;
  }

  /** Where the stream is. */
  #sector(): number {
    const sector = this.#passed + this.#used / SECTOR;
    if (sector > 0xffffffff) throw streamTooLarge(this.#name, "the compressed data does not fit into the 2 TiB");
    return sector;
  }

  #next(bytes: number): Buffer {
    this.#used += bytes;
    return this.#chunk.subarray(this.#used - bytes, this.#used).fill(0);
  }

  #marker(type: number, sectors: number): void {
    const marker = new Marker(this.#next(SECTOR), 0, Marker.SIZE);
    marker.value = sectors;
    marker.type = type;
  }

  /** VirtualBox and qemu want the capacity in whole grains; the descriptor has the true one. */
  #header(bytes: Uint8Array, at: number, gdOffset?: number): void {
    new SparseHeader(bytes, at).describeStream({
      capacity: Math.ceil(this.#sectors / STREAM.GRAIN_SECTORS) * STREAM.GRAIN_SECTORS,
      descriptorSize: DESCRIPTOR_SECTORS,
      overhead: OVERHEAD_SECTORS,
      ...(gdOffset === undefined ? {} : { gdOffset }),
    });
  }
}

export const writer: DiskWriter = { name: "vmdk", write: writeStreamOptimized };
