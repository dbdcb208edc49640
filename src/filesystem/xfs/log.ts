import type { ByteSource } from "../../bytes/byte-source.ts";
import { type Steps, settled } from "../../bytes/steps.ts";
import { logDamaged, logUnsupported } from "./errors.ts";
import { cycleOf, isUnmount, LOG_BLOCK, RecordHeader, recordChecksumFits, recordData } from "./log-record.ts";

/** Records may be in flight, and so be torn, in this many buffers of this size (XLOG_MAX_ICLOGS, XLOG_MAX_RECORD_BSIZE). */
const IN_FLIGHT = 8;
const WINDOW = (IN_FLIGHT * (256 << 10)) / LOG_BLOCK;
/** XLOG_FMT_LINUX_LE: what is logged is in the byte order of the machine. */
const LITTLE_ENDIAN = 1;

/** The block behind the last that was written; all before it are of `cycle`, those from it on of the cycle before. */
interface Head {
  readonly block: number;
  readonly cycle: number;
  /** Whether anything was ever written from the head on. */
  readonly isWrapped: boolean;
}

/** Records that were committed, but may not have been written back. In blocks of the log, which goes on at 0 behind its end. */
export interface DirtyRange {
  readonly tail: number;
  readonly length: number;
  readonly head: Head;
}

/** A whole record with its data as it was logged. */
export interface LogRecord {
  readonly header: RecordHeader;
  readonly data: Uint8Array;
}

/** A log: a ring of records. */
export class Log {
  static readonly BLOCK = LOG_BLOCK;
  readonly source: ByteSource;
  readonly blocks: number;
  readonly #offset: number;
  readonly #uuid: Uint8Array;
  readonly #hasChecksums: boolean;

  /** `offset` and `size` in bytes; `uuid` is that of the file system. */
  constructor(source: ByteSource, offset: number, size: number, uuid: Uint8Array, hasChecksums: boolean) {
    this.source = source;
    this.blocks = Math.floor(size / LOG_BLOCK);
    this.#offset = offset;
    this.#uuid = uuid;
    this.#hasChecksums = hasChecksums;
  }

  /** Of a device that may be a log: whether a record near its start names the file system. */
  *isOfFileSystem(): Steps<boolean> {
    const count = Math.min(WINDOW, this.blocks);
    const bytes = yield* this.#read(0, count);
    for (let block = 0; block < count; block++) {
      const header = new RecordHeader(bytes, block * LOG_BLOCK);
      if (header.magicNo === RecordHeader.MAGIC) return Buffer.from(header.fsUuid).equals(this.#uuid);
    }
    return false;
  }

  /** What must be replayed; undefined if the log is clean. Throws CorruptError XFS_LOG if its end cannot be found. */
  *dirtyRange(): Steps<DirtyRange | undefined> {
    const head = yield* this.#head();
    if (head === undefined) return undefined;
    const count = head.isWrapped ? Math.min(WINDOW, this.blocks) : Math.min(WINDOW, head.block);
    const start = (head.block - count + this.blocks) % this.blocks;
    const last = this.#lastRecord(yield* this.#read(start, count), start, head);
    if (last === undefined) throw this.#damaged("there is no whole record before its end", head.block);
    if (isUnmount(last.header, last.record)) return undefined;
    const { block: tail, cycle } = last.header.tailLsn;
    const length = (last.end - tail + this.blocks) % this.blocks;
    if (tail >= this.blocks || cycle !== cycleAt(tail, head) || length === 0) {
      throw this.#damaged(`its oldest record is said to be at block ${tail} of cycle ${cycle}`, head.block);
    }
    if (!Buffer.from(last.header.fsUuid).equals(this.#uuid)) {
      throw this.#damaged("it belongs to another file system", last.end);
    }
    if (last.header.fmt !== LITTLE_ENDIAN) {
      throw logUnsupported(
        `it was written in format ${last.header.fmt}, not by a little-endian Linux`,
        this.source.name,
      );
    }
    return { tail, length, head };
  }

  /** The records of a range, in order. */
  *records({ tail, length, head }: DirtyRange, visit: (record: LogRecord) => Steps<void>): Steps<void> {
    for (let done = 0; done < length; ) {
      const at = (tail + done) % this.blocks;
      const header = new RecordHeader(yield* this.#read(at, 1));
      const blocks = header.headerBlocks + header.dataBlocks;
      if (header.magicNo !== RecordHeader.MAGIC || !header.sizesFit || blocks > length - done) {
        throw this.#damaged("there is no whole record", at);
      }
      const record = yield* this.#read(at, blocks);
      if (!this.#isWhole(header, record, at, head, this.#hasChecksums))
        throw this.#damaged("a record is torn, or its checksum is wrong", at);
      yield* visit({ header, data: recordData(header, record) });
      done += blocks;
    }
  }

  /** By the cycle numbers, which fall by one at the head; undefined if nothing was ever logged. */
  *#head(): Steps<Head | undefined> {
    const first = yield* this.#cycle(0);
    if (first === 0) return undefined;
    const last = yield* this.#cycle(this.blocks - 1);
    if (last === first) return { block: 0, cycle: first + 1, isWrapped: true };
    if (last !== 0 && last !== first - 1) throw this.#damaged(`it goes from cycle ${first} to ${last}`, 0);
    let low = 0;
    let high = this.blocks - 1;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if ((yield* this.#cycle(middle)) === first) low = middle;
      else high = middle;
    }
    return { block: high, cycle: first, isWrapped: last !== 0 };
  }

  /**
   * The last whole record before the head, as far as records follow each other without a gap: those behind one that is torn
   * were in flight with it and were not committed. `window` is what lies before the head, from block `start` on.
   */
  #lastRecord(window: Uint8Array, start: number, head: Head) {
    let found: { readonly header: RecordHeader; readonly record: Uint8Array; readonly end: number } | undefined;
    let next = -1;
    for (const at of this.#headers(window, start, head).slice(-IN_FLIGHT - 1)) {
      const header = new RecordHeader(window, at);
      const end = at + (header.headerBlocks + header.dataBlocks) * LOG_BLOCK;
      if ((next >= 0 && at !== next) || !header.sizesFit || end > window.length) break;
      const record = window.subarray(at, end);
      // mkfs.xfs gives its one record no checksum.
      if (!this.#isWhole(header, record, (start + at / LOG_BLOCK) % this.blocks, head, false)) break;
      found = { header, record, end: (start + end / LOG_BLOCK) % this.blocks };
      next = end;
    }
    return found;
  }

  /** Byte offsets of the records' headers of the cycle that their place must have. */
  #headers(window: Uint8Array, start: number, head: Head): number[] {
    const found: number[] = [];
    for (let at = 0; at < window.length; at += LOG_BLOCK) {
      const header = new RecordHeader(window, at);
      const place = (start + at / LOG_BLOCK) % this.blocks;
      if (header.magicNo !== RecordHeader.MAGIC || header.cycle !== cycleAt(place, head)) continue;
      // After a recovery the kernel stamps the blocks in front of the head with headers of nothing.
      if (header.numLogOps > 0) found.push(at);
    }
    return found;
  }

  /** `record` begins at block `place`. */
  #isWhole(header: RecordHeader, record: Uint8Array, place: number, head: Head, needsChecksum: boolean): boolean {
    const { cycle, block } = header.lsn;
    if (block !== place || cycle !== header.cycle) return false;
    for (let at = 0; at < record.length; at += LOG_BLOCK) {
      const expected = cycleAt((place + at / LOG_BLOCK) % this.blocks, head);
      if (cycleOf(record, at) !== expected) return false;
    }
    return recordChecksumFits(header, record, needsChecksum);
  }

  *#cycle(block: number): Steps<number> {
    return cycleOf(yield* this.#read(block, 1), 0);
  }

  *#read(block: number, count: number): Steps<Uint8Array> {
    const before = Math.min(count, this.blocks - block);
    const first = yield* settled(this.source.read(this.#offset + block * LOG_BLOCK, before * LOG_BLOCK));
    if (before === count) return first;
    const rest = yield* settled(this.source.read(this.#offset, (count - before) * LOG_BLOCK));
    return Buffer.concat([first, rest]);
  }

  #damaged(what: string, block: number) {
    return logDamaged(what, this.source.name, this.#offset + block * LOG_BLOCK);
  }
}

/** The cycle of a block, by which side of the head it lies on. */
function cycleAt(block: number, head: Head): number {
  return block < head.block ? head.cycle : head.cycle - 1;
}
