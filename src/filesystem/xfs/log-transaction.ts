import type { Steps } from "../../bytes/steps.ts";
import { BigEndianView, LittleEndianView } from "../../bytes/view.ts";
import type { LogRecord } from "./log.ts";

const START = 0x01;
const COMMIT = 0x02;
const CONTINUE = 0x04;
const WAS_CONTINUED = 0x08;
const END = 0x10;
const UNMOUNT = 0x20;
const TRANSACTION_HEADER = 16;
/** XLOG_MAX_REGIONS_IN_ITEM: a description, and each second chunk of the largest buffer. */
const MAX_REGIONS = 65536 / 128 / 2 + 1;

/** struct xlog_op_header. */
class OpHeader extends BigEndianView {
  static readonly SIZE = 12;

  get tid(): number {
    return this.u32(0x00);
  }
  get length(): number {
    return this.u32(0x04);
  }
  get flags(): number {
    return this.u8(0x09);
  }
}

/** How all log items begin: their type and of how many regions they are. */
class ItemHeader extends LittleEndianView {
  get type(): number {
    return this.u16(0x00);
  }
  get size(): number {
    return this.u16(0x02);
  }
}

/** Something that a transaction changed: a description, and the bytes that belong to it. */
export interface LogItem {
  readonly type: number;
  readonly regions: readonly Uint8Array[];
}

export interface Transaction {
  /** Of the record in which it begins: what the metadata that it changed carries once it is written. */
  readonly lsn: bigint;
  readonly items: readonly LogItem[];
}

interface OpenItem {
  readonly type: number;
  /** In regions. */
  readonly size: number;
  /** Each in the pieces in which it was logged. */
  readonly regions: Uint8Array[][];
}

interface OpenTransaction {
  readonly lsn: bigint;
  readonly items: OpenItem[];
  /** Bytes of the transaction's header that are still to come. */
  headerMissing: number;
}

/** Puts transactions together, whose parts may lie in several records and between those of others. */
export class TransactionReader {
  readonly #open = new Map<number, OpenTransaction>();

  /** Calls `commit` for each transaction that the record ends. Answers what is wrong, if anything is. */
  *add({ header, data }: LogRecord, commit: (transaction: Transaction) => Steps<void>): Steps<string | undefined> {
    let at = 0;
    for (let count = 0; count < header.numLogOps && at < data.length; count++) {
      if (at + OpHeader.SIZE > data.length) return "an operation is cut off";
      const op = new OpHeader(data, at, OpHeader.SIZE);
      const { tid, length } = op;
      const from = at + OpHeader.SIZE;
      at = from + length;
      if (at > data.length) return `an operation of ${length} bytes is cut off`;
      const transaction = this.#open.get(tid);
      if ((op.flags & START) !== 0) {
        this.#open.set(tid, { lsn: header.lsnBits, items: [], headerMissing: TRANSACTION_HEADER });
      } else if (transaction !== undefined) {
        const damage = this.#change(transaction, op.flags, data.subarray(from, at));
        if (damage !== undefined) return damage;
        if ((op.flags & (COMMIT | UNMOUNT)) !== 0) this.#open.delete(tid);
        if ((op.flags & COMMIT) !== 0) yield* commit(closed(transaction));
      }
    }
    return undefined;
  }

  #change(transaction: OpenTransaction, rawFlags: number, region: Uint8Array): string | undefined {
    let flags = rawFlags & ~END;
    if ((flags & WAS_CONTINUED) !== 0) flags &= ~CONTINUE;
    if (flags === COMMIT) return isComplete(transaction) ? undefined : "a transaction was committed before its end";
    if (flags === UNMOUNT || region.length === 0) return undefined;
    if (flags === WAS_CONTINUED) return continueRegion(transaction, region);
    if (flags !== 0 && flags !== CONTINUE) return `an operation with flags 0x${rawFlags.toString(16)}`;
    return addRegion(transaction, region);
  }
}

function closed({ lsn, items }: OpenTransaction): Transaction {
  const joined = (pieces: Uint8Array[]) => (pieces.length === 1 && pieces[0]) || Buffer.concat(pieces);
  return { lsn, items: items.map(({ type, regions }) => ({ type, regions: regions.map(joined) })) };
}

function isComplete({ items }: OpenTransaction): boolean {
  const last = items.at(-1);
  return last === undefined || last.regions.length === last.size;
}

function addRegion(transaction: OpenTransaction, region: Uint8Array): string | undefined {
  if (transaction.headerMissing > 0) {
    transaction.headerMissing -= region.length;
    return transaction.headerMissing < 0 ? "the header of a transaction is too long" : undefined;
  }
  const { items } = transaction;
  const last = items.at(-1);
  if (last !== undefined && last.regions.length < last.size) {
    last.regions.push([region]);
    return undefined;
  }
  if (region.length < 4) return `an item of ${region.length} bytes`;
  const { type, size } = new ItemHeader(region, 0, 4);
  if (size === 0 || size > MAX_REGIONS) return `an item of ${size} regions`;
  items.push({ type, size, regions: [[region]] });
  return undefined;
}

function continueRegion(transaction: OpenTransaction, region: Uint8Array): string | undefined {
  if (transaction.headerMissing > 0) return addRegion(transaction, region);
  const pieces = transaction.items.at(-1)?.regions.at(-1);
  if (pieces === undefined) return "an operation continues none";
  pieces.push(region);
  return undefined;
}
