import type { ByteSource } from "../../bytes/byte-source.ts";
import type { Steps } from "../../bytes/steps.ts";
import type { Context } from "../../context.ts";
import { MetadataCache } from "../metadata-cache.ts";
import type { BootSector } from "./boot-sector.ts";
import { recordDamaged, tooLarge } from "./errors.ts";
import { ATTRIBUTE, type Attribute, FileRecord, listEntries } from "./file-record.ts";
import { fixed } from "./fixup.ts";
import { type ClusterSpace, Stream } from "./stream.ts";

/** Windows allows no more. */
const LARGEST_LIST = 256 << 10;
const MFT = 0;

/** The file records of one volume: what all its structures are read through. */
export class Volume implements ClusterSpace {
  readonly source: ByteSource;
  readonly ctx: Context;
  readonly clusterSize: number;
  readonly clusters: number;
  readonly #recordSize: number;
  readonly #cache: MetadataCache;
  readonly #mft: Stream;

  private constructor(source: ByteSource, boot: BootSector, mft: Stream, cache: MetadataCache, ctx: Context) {
    this.source = source;
    this.ctx = ctx;
    this.clusterSize = boot.clusterSize;
    this.clusters = boot.clusters;
    this.#recordSize = boot.recordSize;
    this.#cache = cache;
    this.#mft = mft;
  }

  /**
   * Finds the table of file records, whose own record is its first. Where that does not have room for all of the table's
   * runs, the others are in records that the runs so far lead to.
   */
  static *open(source: ByteSource, boot: BootSector, ctx: Context): Steps<Volume> {
    const cache = new MetadataCache(source);
    const bytes = yield* cache.read(boot.mftCluster * boot.clusterSize, boot.recordSize);
    const first = new FileRecord(fixed(bytes, "FILE", "file record 0", source.name), MFT, source.name);
    const own = first.attributes();
    const parts = own.filter((attribute) => attribute.type === ATTRIBUTE.DATA && attribute.name === "");
    const [start] = parts;
    if (start === undefined) throw recordDamaged("file record 0", "has no data", source.name);
    const space = { source, clusterSize: boot.clusterSize, clusters: boot.clusters };
    const volumeOf = () => new Volume(source, boot, new Stream(space, start, parts, MFT), cache, ctx);
    const list = yield* volumeOf().#attributeList(own, MFT);
    const entries = [...listEntries(list, MFT, source.name)]
      .filter((entry) => entry.type === ATTRIBUTE.DATA && entry.nameLength === 0 && entry.record !== MFT)
      .sort((a, b) => a.lowestVcn - b.lowestVcn);
    for (const { record, lowestVcn } of entries) {
      const extension = yield* volumeOf().#extension(record, first);
      const part = extension.find((found) => found.type === ATTRIBUTE.DATA && found.lowestVcn === lowestVcn);
      if (part === undefined)
        throw recordDamaged(`file record ${record}`, "lacks a part of the file table", source.name);
      parts.push(part);
    }
    const volume = volumeOf();
    volume.#mft.checkCovered();
    return volume;
  }

  get name(): string {
    return this.source.name;
  }

  /** Throws CorruptError NTFS_RECORD, also for a record that is not in use. */
  *record(number: number): Steps<FileRecord> {
    const what = `file record ${number}`;
    const offset = number * this.#recordSize;
    if (offset + this.#recordSize > this.#mft.size) {
      const count = Math.floor(this.#mft.size / this.#recordSize);
      throw recordDamaged(what, `is asked for, but there are only ${count}`, this.name);
    }
    const place = this.#mft.placeOf(offset, this.#recordSize);
    const bytes = yield* place === undefined
      ? this.#mft.read(offset, this.#recordSize)
      : this.#cache.read(place, this.#recordSize);
    const record = new FileRecord(fixed(bytes, "FILE", what, this.name), number, this.name);
    if (!record.isInUse) throw recordDamaged(what, "is not in use", this.name);
    return record;
  }

  /** All attributes of a file, also those for which its own record has no room. */
  *attributes(record: FileRecord): Steps<readonly Attribute[]> {
    const own = record.attributes();
    if (!own.some(({ type }) => type === ATTRIBUTE.LIST)) return own;
    const list = yield* this.#attributeList(own, record.number);
    const others = new Set([...listEntries(list, record.number, this.name)].map((entry) => entry.record));
    others.delete(record.number);
    const all = [...own];
    for (const number of others) all.push(...(yield* this.#extension(number, record)));
    return all;
  }

  *#attributeList(own: readonly Attribute[], record: number): Steps<Uint8Array> {
    const list = this.stream(own, ATTRIBUTE.LIST, "", record);
    return list === undefined ? new Uint8Array(0) : yield* this.readAll(list, LARGEST_LIST, `attribute list ${record}`);
  }

  *#extension(number: number, base: FileRecord): Steps<Attribute[]> {
    const record = yield* this.record(number);
    if (record.base.number === base.number && record.base.sequence === base.sequenceNumber) return record.attributes();
    throw recordDamaged(`file record ${number}`, `does not belong to file record ${base.number}`, this.name);
  }

  /** The value of the attribute of this type and name; undefined where there is none. */
  stream(attributes: readonly Attribute[], type: number, name: string, record: number): Stream | undefined {
    const parts = attributes.filter((attribute) => attribute.type === type && attribute.name === name);
    parts.sort((a, b) => a.lowestVcn - b.lowestVcn);
    const [first] = parts;
    return first && new Stream(this, first, first.isResident ? [first] : parts, record).checkCovered();
  }

  /** Refuses more than `limit` bytes. `what` is for messages. */
  *readAll(stream: Stream, limit: number, what: string): Steps<Uint8Array> {
    if (stream.size > limit) throw tooLarge(what, stream.size, limit, this.name);
    return yield* stream.read(0, stream.size);
  }
}
