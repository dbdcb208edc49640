import type { ByteSource } from "../../bytes/byte-source.ts";
import { overlay } from "../../bytes/overlay.ts";
import { ZeroPadded } from "../../bytes/slice.ts";
import { LittleEndianView } from "../../bytes/view.ts";
import { guidText, NO_GUID } from "../guid.ts";
import type { FormatContext } from "../virtual-disk.ts";
import { fileTruncated, logDamaged, logReplayed } from "./errors.ts";
import { isSealed, KIBIBYTE, type VhdxHeader } from "./structures.ts";

const SECTOR = 4 * KIBIBYTE;
const ZEROS = new Uint8Array(SECTOR);
/** A GiB of 4 KiB: logs of products hold a MiB. */
const MOST_PATCHES = 1 << 18;
/** Entries that overlap each other could make checking them take long: so many times the log may be summed up. */
const MOST_SUMS = 16;

/** [MS-VHDX] 2.3.1.1. */
class EntryHeader extends LittleEndianView {
  static readonly SIZE = 64;

  constructor(bytes: Uint8Array, offset: number) {
    super(bytes, offset, EntryHeader.SIZE);
  }

  get signature(): string {
    return this.text(0x00, 4);
  }
  get entryLength(): number {
    return this.u32(0x08);
  }
  /** Offset in the log of the oldest entry that was not written out when this one was made. */
  get tail(): number {
    return this.u32(0x0c);
  }
  get sequenceNumber(): bigint {
    return this.data.getBigUint64(0x10, true);
  }
  get descriptorCount(): number {
    return this.u32(0x18);
  }
  get logGuid(): string {
    return guidText(this.bytes(0x20, 16));
  }
  /** The file was at least so long. */
  get flushedFileOffset(): number {
    return this.u64(0x30);
  }
  /** The file is at least so long after the entry was written out. */
  get lastFileOffset(): number {
    return this.u64(0x38);
  }
}

/** [MS-VHDX] 2.3.1.2 and 2.3.1.3. */
class Descriptor extends LittleEndianView {
  static readonly SIZE = 32;

  constructor(bytes: Uint8Array, offset: number) {
    super(bytes, offset, Descriptor.SIZE);
  }

  get signature(): string {
    return this.text(0x00, 4);
  }
  get trailingBytes(): Uint8Array {
    return this.bytes(0x04, 4);
  }
  get leadingBytes(): Uint8Array {
    return this.bytes(0x08, 8);
  }
  /** Of a zero descriptor, where others have leading bytes. */
  get zeroLength(): number {
    return this.u64(0x08);
  }
  get fileOffset(): number {
    return this.u64(0x10);
  }
  get sequenceNumber(): bigint {
    return this.data.getBigUint64(0x18, true);
  }
}

interface Entry {
  readonly header: EntryHeader;
  /** The whole entry. */
  readonly bytes: Uint8Array;
}

/** `source` as it is once its log is replayed. Throws VHDX_LOG, VHDX_TRUNCATED. */
export async function replayed(source: ByteSource, header: VhdxHeader, ctx: FormatContext): Promise<ByteSource> {
  if (header.logGuid === NO_GUID) return source;
  const { logOffset, logLength } = header;
  if (logLength === 0 || logLength % SECTOR !== 0 || logOffset + logLength > source.size) {
    throw logDamaged(source.name, logOffset, `of ${logLength} bytes leaves the file`);
  }
  ctx.keepTable(source.name, logLength);
  const log = new Log(new Uint8Array(await source.read(logOffset, logLength)), header.logGuid, () =>
    logDamaged(source.name, logOffset, "has entries that overlap"),
  );
  const entries = log.activeSequence();
  const last = entries.at(-1)?.header;
  if (last === undefined) return source;
  if (source.size < last.flushedFileOffset) throw fileTruncated(source.name, last.flushedFileOffset, source.size);
  const patches = new Map<number, Uint8Array>();
  for (const entry of entries) {
    ctx.signal.throwIfAborted();
    apply(entry, patches);
    if (patches.size > MOST_PATCHES) throw logDamaged(source.name, logOffset, "changes too much of the file");
  }
  ctx.diagnostic(logReplayed(source.name, entries.length));
  const size = entries.reduce((most, entry) => Math.max(most, entry.header.lastFileOffset), source.size);
  return overlay(size === source.size ? source : new ZeroPadded(source, size), SECTOR, patches);
}

/** A ring of entries. */
class Log {
  readonly #bytes: Uint8Array;
  readonly #guid: string;
  readonly #entries = new Map<number, Entry | undefined>();
  readonly #tooMuch: () => Error;
  #left: number;

  constructor(bytes: Uint8Array, guid: string, tooMuch: () => Error) {
    this.#bytes = bytes;
    this.#guid = guid;
    this.#tooMuch = tooMuch;
    this.#left = bytes.length * MOST_SUMS;
  }

  /**
   * [MS-VHDX] 2.3.2: of the runs of sound entries whose last one names the first as its tail, that with the highest number.
   * Empty for a log that was opened and not written to.
   */
  activeSequence(): readonly Entry[] {
    let best: readonly Entry[] = [];
    for (let start = 0; start < this.#bytes.length; start += SECTOR) {
      const run = this.#runFrom(start);
      const last = run.at(-1)?.header;
      if (last === undefined || last.tail !== start) continue;
      const highest = best.at(-1)?.header.sequenceNumber;
      if (highest === undefined || last.sequenceNumber > highest) best = run;
    }
    return best;
  }

  #runFrom(start: number): readonly Entry[] {
    const run: Entry[] = [];
    let length = 0;
    for (;;) {
      const entry = this.#entryAt((start + length) % this.#bytes.length);
      const before = run.at(-1)?.header.sequenceNumber;
      if (entry === undefined || (before !== undefined && entry.header.sequenceNumber !== before + 1n)) return run;
      length += entry.bytes.length;
      if (length > this.#bytes.length) return run;
      run.push(entry);
    }
  }

  #entryAt(at: number): Entry | undefined {
    if (!this.#entries.has(at)) this.#entries.set(at, this.#parse(at));
    return this.#entries.get(at);
  }

  #parse(at: number): Entry | undefined {
    const header = new EntryHeader(this.#bytes, at);
    const length = header.entryLength;
    if (header.signature !== "loge" || header.logGuid !== this.#guid) return undefined;
    if (length === 0 || length % SECTOR !== 0 || length > this.#bytes.length) return undefined;
    this.#left -= length;
    if (this.#left < 0) throw this.#tooMuch();
    const bytes = this.#ring(at, length);
    const entry = { header: new EntryHeader(bytes, 0), bytes };
    return isSealed(bytes) && isWhole(entry) ? entry : undefined;
  }

  #ring(at: number, length: number): Uint8Array {
    const end = at + length - this.#bytes.length;
    if (end <= 0) return this.#bytes.subarray(at, at + length);
    return Buffer.concat([this.#bytes.subarray(at), this.#bytes.subarray(0, end)]);
  }
}

/** Where the data sectors of an entry begin. */
function dataOffset({ header }: Entry): number {
  return Math.ceil((EntryHeader.SIZE + header.descriptorCount * Descriptor.SIZE) / SECTOR) * SECTOR;
}

function descriptors({ header, bytes }: Entry): readonly Descriptor[] {
  return Array.from(
    { length: header.descriptorCount },
    (_, index) => new Descriptor(bytes, EntryHeader.SIZE + index * Descriptor.SIZE),
  );
}

function isWhole(entry: Entry): boolean {
  const { header, bytes } = entry;
  if (dataOffset(entry) > bytes.length) return false;
  const all = descriptors(entry);
  if (all.some((descriptor) => descriptor.sequenceNumber !== header.sequenceNumber)) return false;
  const data = all.filter(({ signature }) => signature === "desc").length;
  const zeros = all.filter(({ signature }) => signature === "zero").length;
  return data + zeros === all.length && dataOffset(entry) + data * SECTOR <= bytes.length;
}

/** Later entries stand over earlier ones. */
function apply(entry: Entry, patches: Map<number, Uint8Array>): void {
  let at = dataOffset(entry);
  for (const descriptor of descriptors(entry)) {
    const first = Math.floor(descriptor.fileOffset / SECTOR);
    if (descriptor.signature === "zero") {
      const end = first + Math.ceil(descriptor.zeroLength / SECTOR);
      for (let block = first; block < end && patches.size <= MOST_PATCHES; block++) patches.set(block, ZEROS);
    } else {
      const sector = new Uint8Array(entry.bytes.subarray(at, at + SECTOR));
      sector.set(descriptor.leadingBytes, 0);
      sector.set(descriptor.trailingBytes, SECTOR - 4);
      patches.set(first, sector);
      at += SECTOR;
    }
  }
}
