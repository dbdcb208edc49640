import { ByteCache } from "../../bytes/byte-cache.ts";
import { type ByteSource, isPromise } from "../../bytes/byte-source.ts";
import { type Steps, settled } from "../../bytes/steps.ts";
import type { Context } from "../../context.ts";
import { ConverterError, UnsupportedError } from "../../errors.ts";
import { MetadataCache } from "../metadata-cache.ts";
import { COMPRESSORS, type Compressor } from "./compressors.ts";
import {
  blockDamaged,
  compressorOptionsDamaged,
  compressorUnknown,
  superBlockDamaged,
  tableDamaged,
  versionUnsupported,
} from "./errors.ts";
import { readFragment } from "./fragment.ts";
import { SuperBlock } from "./super-block.ts";
import { unpackThreads } from "./unpack-threads.ts";

/** In the size of a block of data: its bytes stand as they are. */
export const UNCOMPRESSED = 1 << 24;
/** What a block of metadata unpacks to, at most. */
const METADATA_SIZE = 8192;
const UNCOMPRESSED_METADATA = 0x8000;
const LZ4_LEGACY = 1;
/** Bytes of unpacked blocks that are kept: of metadata, and of data (fragments serve many files). */
const METADATA_KEPT = 16 << 20;
const DATA_KEPT = 16 << 20;

/** A block of metadata: what it unpacks to, and where the next one begins. */
interface MetadataBlock {
  readonly bytes: Uint8Array;
  readonly next: number;
}

/** A place in metadata that moves on as it is read. */
export interface Cursor {
  /** Bytes from the start of the volume to a block of metadata. */
  block: number;
  /** Bytes into what it unpacks to. */
  offset: number;
}

/** The blocks of one image: what all its structures are read through. */
export class SquashfsVolume {
  readonly source: ByteSource;
  readonly superBlock: SuperBlock;
  readonly ctx: Context;
  readonly compressor: Compressor;
  readonly #tables: MetadataCache;
  readonly #metadata = new ByteCache<MetadataBlock>(METADATA_KEPT);
  readonly #data = new ByteCache<Uint8Array>(DATA_KEPT);
  /** Blocks that threads are unpacking, by where they stand. */
  readonly #ahead = new Map<number, Promise<Uint8Array | undefined>>();
  /** How many blocks are unpacked before they are asked for: what is kept has to hold them. */
  readonly blocksAhead: number;
  /** The fragment that was read last. */
  #fragment = -1;

  private constructor(source: ByteSource, superBlock: SuperBlock, compressor: Compressor, ctx: Context) {
    this.source = source;
    this.superBlock = superBlock;
    this.compressor = compressor;
    this.ctx = ctx;
    this.#tables = new MetadataCache(source);
    this.blocksAhead = Math.min(2 * ctx.limits.threads, Math.floor(DATA_KEPT / 4 / superBlock.blockSize));
  }

  /** Throws UnsupportedError SQUASHFS_COMPRESSOR, SQUASHFS_VERSION, CorruptError SQUASHFS_SUPERBLOCK and others. */
  static *open(source: ByteSource, ctx: Context): Steps<SquashfsVolume> {
    const superBlock = new SuperBlock(yield* settled(source.read(0, SuperBlock.SIZE)));
    const { magic, major, minor, blockSize, blockLog, bytesUsed, inodeTable, directoryTable, idTable } = superBlock;
    if (magic === SuperBlock.SWAPPED_MAGIC)
      throw versionUnsupported("of big-endian machines (3 or older)", source.name);
    if (magic !== SuperBlock.MAGIC) throw superBlockDamaged(`magic ${JSON.stringify(magic)}`, source.name);
    if (major !== 4 || minor !== 0) throw versionUnsupported(`${major}.${minor}`, source.name);
    if (blockLog < 12 || blockLog > 20 || blockSize !== 2 ** blockLog) {
      throw superBlockDamaged(`blocks of ${blockSize} bytes, 2^${blockLog}`, source.name);
    }
    for (const table of [inodeTable, directoryTable, idTable]) {
      if (table < SuperBlock.SIZE || table > bytesUsed) {
        throw superBlockDamaged(`a table begins at ${table} of ${bytesUsed}`, source.name);
      }
    }
    const compressor = COMPRESSORS[superBlock.compressor];
    if (compressor === undefined) throw compressorUnknown(superBlock.compressor, source.name);
    const volume = new SquashfsVolume(source, superBlock, compressor, ctx);
    if (superBlock.hasCompressorOptions) yield* volume.#checkOptions();
    return volume;
  }

  get name(): string {
    return this.source.name;
  }

  /** Reading needs none of the options, but a form of LZ4 that does not exist yet would be told there. */
  *#checkOptions(): Steps<void> {
    const { bytes } = yield* this.#metadataBlock(SuperBlock.SIZE);
    const { name, optionBytes } = this.compressor;
    if (bytes.length !== optionBytes) throw compressorOptionsDamaged(`have ${bytes.length} bytes`, this.name);
    const version = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
    if (name === "lz4" && version !== LZ4_LEGACY) {
      const where = { file: this.name };
      throw new UnsupportedError("SQUASHFS_COMPRESSOR", `version ${version} of LZ4's block format is not known`, {
        where,
      });
    }
  }

  /** `length` bytes of metadata, on over as many blocks as they fill; the cursor stands behind them then. */
  *metadata(cursor: Cursor, length: number): Steps<Uint8Array> {
    const first = yield* this.#metadataBlock(cursor.block);
    const end = cursor.offset + length;
    if (end <= first.bytes.length) {
      const found = first.bytes.subarray(cursor.offset, end);
      cursor.offset = end;
      return found;
    }
    const parts: Uint8Array[] = [];
    for (let left = length, block = first; ; block = yield* this.#metadataBlock(cursor.block)) {
      const part = block.bytes.subarray(cursor.offset, cursor.offset + left);
      if (cursor.offset > block.bytes.length) {
        throw blockDamaged(`of metadata ends in front of ${cursor.offset}`, this.name, cursor.block);
      }
      parts.push(part);
      left -= part.length;
      cursor.offset += part.length;
      if (left === 0) return parts.length === 1 ? part : Buffer.concat(parts);
      cursor.block = block.next;
      cursor.offset = 0;
    }
  }

  *#metadataBlock(at: number): Steps<MetadataBlock> {
    const kept = this.#metadata.get(at);
    if (kept !== undefined) return kept;
    const size = Math.min(METADATA_SIZE + 2, this.superBlock.bytesUsed - at);
    const found = this.source.read(at, Math.max(2, size));
    const raw = isPromise(found) ? yield* settled(found) : found;
    const header = (raw[0] ?? 0) | ((raw[1] ?? 0) << 8);
    const length = header & ~UNCOMPRESSED_METADATA;
    if (length === 0 || 2 + length > raw.length) {
      throw blockDamaged(`of metadata has ${length} bytes`, this.name, at);
    }
    const stored = raw.subarray(2, 2 + length);
    const isPlain = (header & UNCOMPRESSED_METADATA) !== 0;
    // A copy, since a view would keep what was read with it.
    const bytes = isPlain ? new Uint8Array(stored) : this.#unpack(stored, METADATA_SIZE, at);
    return this.#metadata.set(at, { bytes, next: at + 2 + length }, bytes.length);
  }

  /** What a data block or fragment block unpacks to: at least `least` bytes. */
  *dataBlock(at: number, length: number, least: number): Steps<Uint8Array> {
    const early = this.#ahead.get(at);
    // What a thread could not unpack is unpacked here, which tells why.
    const unpacked = this.#data.get(at) ?? (early && (yield* settled(early)));
    const bytes = unpacked ?? (yield* this.#readData(at, length));
    if (bytes.length >= least) return bytes;
    throw blockDamaged(`unpacks to ${bytes.length} bytes, not to ${least}`, this.name, at);
  }

  /** Lets a thread unpack a block that is likely to be asked for soon, if it is packed and a thread has room. */
  unpackAhead(at: number, stored: number): void {
    const isPacked = stored !== 0 && stored <= this.superBlock.blockSize;
    if (!isPacked || !unpackThreads.hasRoom(this.ctx.limits.threads) || at + stored > this.source.size) return;
    if (this.#ahead.has(at) || this.#data.get(at) !== undefined) return;
    this.#ahead.set(at, this.#unpackThere(at, stored));
  }

  /** The same for the fragments behind one that is read: files come with their fragments in the order of the table. */
  *fragmentsAhead(index: number): Steps<void> {
    if (index === this.#fragment) return;
    const isInOrder = index === this.#fragment + 1;
    this.#fragment = index;
    if (!isInOrder) return;
    for (let ahead = index + 1; ahead <= index + this.blocksAhead; ahead++) {
      const entry = yield* readFragment(this, ahead);
      if (entry === undefined) return;
      this.unpackAhead(entry.start, entry.size);
    }
  }

  async #unpackThere(at: number, length: number): Promise<Uint8Array | undefined> {
    try {
      // A copy, since a view would take what was read with it to the thread.
      const packed = Uint8Array.from(await this.source.read(at, length));
      const { compressor, blockSize: most } = this.superBlock;
      const bytes = await unpackThreads.unpack({ compressor, packed, most }, this.ctx.limits.threads);
      if (bytes !== undefined && bytes.length > 0) return this.#data.set(at, bytes, bytes.length);
      return undefined;
    } catch {
      // What is wrong is met again, and told, when the block is asked for.
      return undefined;
    } finally {
      this.#ahead.delete(at);
    }
  }

  *#readData(at: number, length: number): Steps<Uint8Array> {
    const stored = this.source.read(at, length);
    const packed = isPromise(stored) ? yield* settled(stored) : stored;
    const bytes = this.#unpack(packed, this.superBlock.blockSize, at);
    return this.#data.set(at, bytes, bytes.length);
  }

  #unpack(packed: Uint8Array, most: number, at: number): Uint8Array {
    const what = `does not unpack with ${this.compressor.name}`;
    let plain: Uint8Array | undefined;
    try {
      plain = this.compressor.unpack(packed, most, this.name);
    } catch (cause) {
      if (cause instanceof UnsupportedError) throw cause;
      if (cause instanceof ConverterError || cause instanceof Error) throw blockDamaged(what, this.name, at, cause);
      throw cause;
    }
    if (plain === undefined || plain.length === 0) throw blockDamaged(what, this.name, at);
    return plain;
  }

  /** Bytes of a table that is not packed. */
  bytes(offset: number, length: number): Steps<Uint8Array> {
    return this.#tables.read(offset, length);
  }

  /** Where a table of fixed entries keeps entry `index`: its blocks of metadata are named one after the other at `table`. */
  *tableEntry(table: number, index: number, entrySize: number): Steps<Uint8Array> {
    const perBlock = METADATA_SIZE / entrySize;
    const pointerAt = table + Math.floor(index / perBlock) * 8;
    if (pointerAt + 8 > this.source.size) throw tableDamaged(`entry ${index} lies behind the end`, this.name);
    const pointer = Buffer.from(yield* this.bytes(pointerAt, 8)).readBigUInt64LE();
    if (pointer > BigInt(this.superBlock.bytesUsed))
      throw tableDamaged(`entry ${index} lies behind the end`, this.name);
    return yield* this.metadata({ block: Number(pointer), offset: (index % perBlock) * entrySize }, entrySize);
  }
}
