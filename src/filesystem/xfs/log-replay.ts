import type { Steps } from "../../bytes/steps.ts";
import { logDamaged, logUnsupported } from "./errors.ts";
import { Inode } from "./inode.ts";
import type { DirtyRange, Log } from "./log.ts";
import { applyInode } from "./log-inode.ts";
import { BufferFormat, InodeCreate, InodeFormat, IntentFormat, ITEM } from "./log-item.ts";
import { type LogItem, type Transaction, TransactionReader } from "./log-transaction.ts";
import type { Volume } from "./volume.ts";

const SECTOR = 512;
/** What a changed sector takes in memory, about. */
const SECTOR_BYTES = 1024;
/** A buffer has at most 64 KiB. */
const MOST_SECTORS = 128;
/** XFS_INODES_PER_CHUNK. */
const MOST_INODES = 64;
/** NULLCOMMITLSN. */
const NEVER = 0xffff_ffff_ffff_ffffn;

/** An operation that is done later, and what says that it is done. Only those matter that change what files hold. */
const INTENTS: ReadonlyMap<number, string> = new Map([
  [ITEM.BUI, "mapping blocks into a file"],
  [ITEM.ATTRI, "changing an attribute"],
  [ITEM.XMI, "exchanging the contents of two files"],
]);
const DONE: ReadonlyMap<number, number> = new Map([
  [ITEM.BUD, ITEM.BUI],
  [ITEM.ATTRD, ITEM.ATTRI],
  [ITEM.XMD, ITEM.XMI],
]);
const KNOWN: ReadonlySet<number> = new Set(Object.values(ITEM));

/** Where blocks of version 5 keep the sequence number of their last write, by their magic. */
const LSN_PLACES: ReadonlyMap<number, LsnPlace> = new Map([
  ...places({ lsn: 0x18, uuid: 0x20 }, "AB3B", "AB3C", "IAB3", "FIB3", "RMB3", "R3FC"),
  ...places({ lsn: 0x20, uuid: 0x28 }, "BMA3"),
  ...places({ lsn: 0x10, uuid: 0x18 }, "XDB3", "XDD3", "XDF3"),
  ...places({ lsn: 0x30, uuid: 0x10 }, "XSLM"),
  ...places({ lsn: 0xf0, uuid: 0x20 }, "XFSB"),
]);
/** Those of the form xfs_da3_blkinfo, whose magic has 16 bits. */
const DA3_MAGICS: ReadonlySet<number> = new Set([0x3df1, 0x3dff, 0x3bee, 0x3ebe]);
const DA3_PLACE: LsnPlace = { lsn: 0x18, uuid: 0x20 };

interface LsnPlace {
  readonly lsn: number;
  readonly uuid: number;
}

function places(place: LsnPlace, ...magics: readonly string[]): (readonly [number, LsnPlace])[] {
  return magics.map((magic) => [Buffer.from(magic, "latin1").readUInt32BE(0), place]);
}

/** What a replay came to. */
export interface Replayed {
  /** Sectors of 512 bytes that the log has newer. */
  readonly sectors: ReadonlyMap<number, Uint8Array>;
  readonly transactions: number;
}

/**
 * Replays a log in memory as the kernel does: first it collects which buffers were given up later and are not to be written,
 * then it applies all transactions in order. Throws UnsupportedError XFS_LOG_UNSUPPORTED where an operation that was announced
 * was not completed, CorruptError XFS_LOG where the log is damaged.
 */
export function* replay(log: Log, range: DirtyRange, volume: Volume): Steps<Replayed> {
  if (range.length * SECTOR > volume.ctx.limits.tableBytes) {
    throw logUnsupported(`${range.length * SECTOR} bytes of it are more than may be held in memory`, volume.name);
  }
  const replaying = new Replay(volume);
  yield* transactions(log, range, volume, (transaction) => replaying.collect(transaction));
  replaying.refusePending();
  const count = yield* transactions(log, range, volume, (transaction) => replaying.apply(transaction));
  return { sectors: replaying.sectors, transactions: count };
}

function* transactions(
  log: Log,
  range: DirtyRange,
  volume: Volume,
  visit: (transaction: Transaction) => Steps<void> | undefined,
): Steps<number> {
  const reader = new TransactionReader();
  let count = 0;
  yield* log.records(range, function* (record) {
    volume.ctx.signal.throwIfAborted();
    const damage = yield* reader.add(record, function* (transaction) {
      count++;
      const work = visit(transaction);
      if (work !== undefined) yield* work;
    });
    if (damage !== undefined) throw logDamaged(damage, volume.name);
  });
  return count;
}

class Replay {
  readonly sectors = new Map<number, Uint8Array>();
  readonly #volume: Volume;
  /** By first sector and length: how often a buffer is still to be given up. */
  readonly #cancelled = new Map<number, Map<number, number>>();
  readonly #pending = new Map<string, string>();

  constructor(volume: Volume) {
    this.#volume = volume;
  }

  /** First pass: what is given up, and what was announced and not done. */
  collect({ items }: Transaction): undefined {
    for (const item of items) {
      const { type } = item;
      if (!KNOWN.has(type)) {
        throw logUnsupported(`it has items of the unknown type 0x${type.toString(16)}`, this.#volume.name);
      }
      const intent = DONE.get(type);
      if (intent !== undefined) this.#pending.delete(`${intent} ${this.#intent(item)}`);
      const what = INTENTS.get(type);
      if (what !== undefined) this.#pending.set(`${type} ${this.#intent(item)}`, what);
      if (type !== ITEM.BUFFER) continue;
      const buffer = this.#buffer(item);
      if (!buffer.isCancelled) continue;
      const lengths = this.#cancelled.get(buffer.blkno) ?? new Map<number, number>();
      this.#cancelled.set(buffer.blkno, lengths);
      lengths.set(buffer.length, (lengths.get(buffer.length) ?? 0) + 1);
    }
  }

  refusePending(): void {
    const [what] = this.#pending.values();
    if (what !== undefined) throw logUnsupported(`it ends in the middle of ${what}`, this.#volume.name);
  }

  /** Second pass: buffers and new inodes, then inodes, and at last what is given up, as xlog_recover_reorder_trans sorts. */
  *apply({ lsn, items }: Transaction): Steps<void> {
    for (const item of items) {
      if (item.type === ITEM.BUFFER) yield* this.#applyBuffer(item, lsn);
      else if (item.type === ITEM.ICREATE) yield* this.#createInodes(item);
    }
    for (const item of items) if (item.type === ITEM.INODE) yield* this.#applyInode(item, lsn);
    for (const item of items) {
      if (item.type !== ITEM.BUFFER) continue;
      const { blkno, length, isCancelled } = this.#buffer(item);
      if (!isCancelled) continue;
      const lengths = this.#cancelled.get(blkno);
      const left = (lengths?.get(length) ?? 0) - 1;
      if (left > 0) lengths?.set(length, left);
      else lengths?.delete(length);
      if (lengths?.size === 0) this.#cancelled.delete(blkno);
    }
  }

  *#applyBuffer(item: LogItem, lsn: bigint): Steps<void> {
    const buffer = this.#buffer(item);
    // Of an inode cluster only the links between unlinked inodes are logged as a buffer.
    if (buffer.isCancelled || buffer.isInodes || buffer.isQuota || this.#isCancelled(buffer.blkno, buffer.length))
      return;
    if (yield* this.#isNewer(buffer.blkno, lsn)) return;
    let next = 1;
    for (const { offset, length } of buffer.runs()) {
      const region = item.regions[next++];
      if (region === undefined || offset + Math.min(length, region.length) > buffer.length * SECTOR) {
        throw this.#damaged(`a buffer at sector ${buffer.blkno} is not whole`);
      }
      yield* this.#write(buffer.blkno * SECTOR + offset, region.subarray(0, length));
    }
  }

  /** Whether the disk has a buffer as it was written after `lsn`, by the block that stands there now. */
  *#isNewer(sector: number, lsn: bigint): Steps<boolean> {
    if (!this.#volume.superBlock.hasChecksums) return false;
    const bytes = Buffer.from(yield* this.#sector(sector));
    const isDa3 = DA3_MAGICS.has(bytes.readUInt16BE(8));
    const place = LSN_PLACES.get(bytes.readUInt32BE(0)) ?? (isDa3 ? DA3_PLACE : undefined);
    if (place === undefined) return false;
    if (!bytes.subarray(place.uuid, place.uuid + 16).equals(this.#volume.superBlock.metaUuidBytes)) return false;
    const written = bytes.readBigUInt64BE(place.lsn);
    return written !== 0n && written !== NEVER && written >= lsn;
  }

  *#applyInode({ regions }: LogItem, lsn: bigint): Steps<void> {
    const [description] = regions;
    if (description === undefined || description.length < InodeFormat.SIZE_32) {
      throw this.#damaged("an inode without a description");
    }
    const { ino, blkno, length } = new InodeFormat(description);
    if (this.#isCancelled(blkno, length)) return;
    const { hasChecksums, inodeSize } = this.#volume.superBlock;
    const offset = this.#volume.inodeOffset(ino);
    const bytes = yield* this.#read(offset, inodeSize);
    const outcome = applyInode(bytes, regions, lsn, hasChecksums);
    if (outcome === "applied") yield* this.#write(offset, bytes);
    else if (outcome !== "older") throw this.#damaged(outcome.damage);
  }

  /** Fresh inodes, as xfs_ialloc_inode_init leaves them, unless their blocks are given up later. */
  *#createInodes({ regions }: LogItem): Steps<void> {
    const [description] = regions;
    if (description === undefined || description.length < InodeCreate.SIZE) {
      throw this.#damaged("new inodes without a description");
    }
    const { group, groupBlock, count, length, inodeSize, generation } = new InodeCreate(
      description,
      0,
      InodeCreate.SIZE,
    );
    const { superBlock, blockSize } = this.#volume;
    const first = group * 2 ** superBlock.agBlkLog + groupBlock;
    const offset = this.#volume.offsetOf(first, length);
    const most = superBlock.inodeSize * MOST_INODES;
    if (
      offset === undefined ||
      inodeSize !== superBlock.inodeSize ||
      count * inodeSize > Math.min(length * blockSize, most)
    ) {
      throw this.#damaged(`${count} new inodes in ${length} blocks at block ${groupBlock} of group ${group}`);
    }
    for (let sector = offset / SECTOR; sector < (offset + length * blockSize) / SECTOR; sector++) {
      if (this.#cancelled.has(sector)) return;
    }
    for (let index = 0; index < count; index++) {
      const bytes = Buffer.alloc(inodeSize);
      bytes.writeUInt16BE(Inode.MAGIC, 0x00);
      bytes.writeUInt8(3, 0x04);
      bytes.writeUInt32BE(generation, 0x5c);
      bytes.writeUInt32BE(0xffffffff, 0x60);
      bytes.writeBigUInt64BE(BigInt(first * 2 ** superBlock.inopbLog + index), 0x98);
      bytes.set(superBlock.metaUuidBytes, 0xa0);
      yield* this.#write(offset + index * inodeSize, bytes);
    }
  }

  #buffer({ regions }: LogItem): BufferFormat {
    const [description] = regions;
    if (description === undefined || description.length < BufferFormat.SIZE) {
      throw this.#damaged("a buffer without a description");
    }
    const buffer = new BufferFormat(description);
    const { blkno, length } = buffer;
    if (length === 0 || length > MOST_SECTORS || (blkno + length) * SECTOR > this.#volume.source.size) {
      throw this.#damaged(`a buffer of ${length} sectors at ${blkno}`);
    }
    return buffer;
  }

  #intent({ regions }: LogItem): bigint {
    const [description] = regions;
    if (description === undefined || description.length < IntentFormat.SIZE) {
      throw this.#damaged("an operation without a description");
    }
    return new IntentFormat(description, 0, IntentFormat.SIZE).id;
  }

  #isCancelled(blkno: number, length: number): boolean {
    return this.#cancelled.get(blkno)?.has(length) === true;
  }

  /** As it is now, read only. */
  *#sector(sector: number): Steps<Uint8Array> {
    return this.sectors.get(sector) ?? (yield* this.#volume.read(sector * SECTOR, SECTOR));
  }

  /** A copy. */
  *#read(offset: number, length: number): Steps<Buffer> {
    const bytes = Buffer.alloc(length);
    for (let done = 0; done < length; ) {
      const skip = (offset + done) % SECTOR;
      const part = (yield* this.#sector((offset + done - skip) / SECTOR)).subarray(skip, skip + length - done);
      bytes.set(part, done);
      done += part.length;
    }
    return bytes;
  }

  *#write(offset: number, bytes: Uint8Array): Steps<void> {
    for (let done = 0; done < bytes.length; ) {
      const skip = (offset + done) % SECTOR;
      const number = (offset + done - skip) / SECTOR;
      const part = bytes.subarray(done, done + SECTOR - skip);
      const kept = this.sectors.get(number);
      const sector = kept ?? Uint8Array.from(yield* this.#volume.read(number * SECTOR, SECTOR));
      if (kept === undefined) this.sectors.set(number, sector);
      sector.set(part, skip);
      done += part.length;
    }
    if (this.sectors.size * SECTOR_BYTES > this.#volume.ctx.limits.tableBytes) {
      throw logUnsupported(`it changes more than the ${this.sectors.size} sectors that may be held`, this.#volume.name);
    }
  }

  #damaged(what: string) {
    return logDamaged(what, this.#volume.name);
  }
}
