import type { BytePath } from "../../bytes/byte-path.ts";
import type { ByteSource } from "../../bytes/byte-source.ts";
import type { Steps } from "../../bytes/steps.ts";
import type { Context } from "../../context.ts";
import { MetadataCache } from "../metadata-cache.ts";
import { DirectoryRecord, FLAG } from "./directory-record.ts";
import { descriptorDamaged, directoryDamaged, directoryTooLarge, warn } from "./errors.ts";
import { type RockRidge, RockRidgeReader, rockRidgeSkip } from "./rock-ridge.ts";
import { DESCRIPTOR, labelOf, VolumeDescriptor } from "./volume-descriptor.ts";

/** Directory records never cross a boundary of this many bytes (ECMA-119 6.8.1.1). */
const SECTOR = 2048;
/** Real discs have fewer than ten. */
const MOST_DESCRIPTORS = 64;

/** Bytes of a file that lie together on the volume. */
export interface Run {
  readonly offset: number;
  readonly length: number;
}

/** A file or directory as records describe it: one, or several for a file of 4 GiB and more. */
export interface Listed {
  readonly record: DirectoryRecord;
  /** Bytes from the start of the volume to the first record. */
  readonly at: number;
  readonly runs: readonly Run[];
  /** Bytes. */
  readonly size: number;
}

/** Which of the names that a disc can have are used. */
export type Naming = "rock-ridge" | "joliet" | "plain";

/** Which tree is read, and how. */
interface Tree {
  readonly naming: Naming;
  /** Bytes from the start of the volume to the root's record. */
  readonly rootAt: number;
  /** Bytes of each system use area in front of the Rock Ridge fields. */
  readonly skip: number;
}

interface Found {
  readonly descriptor: VolumeDescriptor;
  /** Bytes from the start of the volume. */
  readonly at: number;
}

interface Descriptors {
  readonly primary: Found;
  readonly joliet: Found | undefined;
  readonly hasUdf: boolean;
}

/** Descriptors, directories and Rock Ridge fields of one disc: what all its structures are read through. */
export class IsoVolume {
  readonly source: ByteSource;
  readonly ctx: Context;
  readonly naming: Naming;
  /** Bytes. */
  readonly blockSize: number;
  readonly size: number;
  readonly uuid: string | undefined;
  readonly label: string | undefined;
  readonly cache: MetadataCache;
  readonly #tree: Tree;
  readonly #rockRidge: RockRidgeReader;

  private constructor(source: ByteSource, ctx: Context, cache: MetadataCache, found: Descriptors, tree: Tree) {
    const primary = found.primary.descriptor;
    this.source = source;
    this.ctx = ctx;
    this.naming = tree.naming;
    this.blockSize = primary.logicalBlockSize;
    this.size = primary.volumeSpaceSize * this.blockSize;
    this.uuid = primary.modified.uuid ?? primary.created.uuid;
    this.label = labelOf(primary, found.joliet?.descriptor);
    this.cache = cache;
    this.#tree = tree;
    this.#rockRidge = new RockRidgeReader(cache, this.blockSize, source.name);
  }

  /** Rock Ridge is preferred to Joliet and that to plain names. Throws CorruptError ISO_DESCRIPTOR, ISO_DIRECTORY. */
  static *open(source: ByteSource, ctx: Context): Steps<IsoVolume> {
    const cache = new MetadataCache(source);
    const found = yield* readDescriptors(cache, source);
    const make = (naming: Naming, { at }: Found, skip = 0) =>
      new IsoVolume(source, ctx, cache, found, { naming, rootAt: at + VolumeDescriptor.ROOT_RECORD, skip });
    if (found.hasUdf) {
      const message = "the disc also has a UDF file system, which is not read and may hold more files";
      warn(ctx, "ISO_UDF", message, source.name, "");
    }
    const plain = make("plain", found.primary);
    const self = yield* plain.self(plain.directoryRun(yield* plain.root(), ""), "");
    const skip = rockRidgeSkip(self.systemUse);
    if (skip !== undefined) return make("rock-ridge", found.primary, skip);
    return found.joliet === undefined ? plain : make("joliet", found.joliet);
  }

  get name(): string {
    return this.source.name;
  }

  root(): Steps<Listed> {
    return this.file(this.#tree.rootAt, "");
  }

  /** The file or directory whose first record lies at `at`. `path` is for messages, here and below. */
  *file(at: number, path: BytePath): Steps<Listed> {
    const [file] = yield* this.#records(at, this.source.size, path, true);
    if (file !== undefined) return file;
    throw directoryDamaged("there is no record", this.name, path, at);
  }

  /** The record "." of a directory, which is its first. */
  *self(directory: Run, path: BytePath): Steps<DirectoryRecord> {
    const { offset, length } = directory;
    const [first] = yield* this.#records(offset, offset + length, path, true);
    if (first?.record.isSelf === true) return first.record;
    throw directoryDamaged('the directory does not begin with the record of "."', this.name, path, offset);
  }

  /** What a directory lists, "." and ".." included. */
  *list(directory: Run, path: BytePath): Steps<readonly Listed[]> {
    const { offset, length } = directory;
    const most = Math.min(this.source.size, this.ctx.limits.tableBytes);
    if (length > most) throw directoryTooLarge(length, most, this.name, path);
    yield* this.self(directory, path);
    return yield* this.#records(offset, offset + length, path, false);
  }

  /** Where a directory's records lie. */
  directoryRun({ runs: [run, ...more], at }: Listed, path: BytePath): Run {
    if (run !== undefined && more.length === 0) return run;
    throw directoryDamaged(
      `the directory lies in ${run === undefined ? 0 : more.length + 1} pieces`,
      this.name,
      path,
      at,
    );
  }

  /** The directory whose first block a Rock Ridge field names: its own record tells how long it is. */
  *relocated(block: number, path: BytePath): Steps<DirectoryRecord> {
    return yield* this.self({ offset: block * this.blockSize, length: SECTOR }, path);
  }

  /** What Rock Ridge says of a record. */
  fields(record: DirectoryRecord, path: BytePath): Steps<RockRidge> {
    return this.#rockRidge.read(record.systemUse.subarray(this.#tree.skip), path);
  }

  *#records(from: number, end: number, path: BytePath, onlyFirst: boolean): Steps<Listed[]> {
    const listed: Listed[] = [];
    let open: Listed | undefined;
    for (let at = from; at < end; ) {
      const sectorEnd = Math.min(end, (Math.floor(at / SECTOR) + 1) * SECTOR);
      const bytes = yield* this.cache.read(at, sectorEnd - at);
      for (let position = 0; position < bytes.length && bytes[position] !== 0; ) {
        const record = new DirectoryRecord(bytes, position, this.#recordSize(bytes, position, at, path));
        open = this.#joined(open, record, at + position, path);
        position += record.size;
        if ((record.flags & FLAG.MULTI_EXTENT) !== 0) continue;
        listed.push(open);
        if (onlyFirst) return listed;
        open = undefined;
      }
      at = sectorEnd;
    }
    if (open === undefined) return listed;
    throw directoryDamaged("a record announces another part of its file, but is the last", this.name, path, open.at);
  }

  #recordSize(bytes: Uint8Array, position: number, at: number, path: BytePath): number {
    const size = bytes[position] ?? 0;
    const nameLength = bytes[position + 32] ?? 0;
    const fits = position + size <= bytes.length && nameLength > 0 && DirectoryRecord.FIXED + nameLength <= size;
    if (fits) return size;
    const what = `a record of ${size} bytes with a name of ${nameLength}, ${bytes.length - position} in front of its end`;
    throw directoryDamaged(what, this.name, path, at + position);
  }

  #joined(open: Listed | undefined, record: DirectoryRecord, at: number, path: BytePath): Listed {
    const offset = (record.extent + record.extendedAttributeLength) * this.blockSize;
    const run = { offset, length: record.dataLength };
    if (open === undefined) return { record, at, runs: run.length === 0 ? [] : [run], size: run.length };
    if (!Buffer.from(open.record.identifier).equals(record.identifier)) {
      throw directoryDamaged(
        "a record announces another part of its file, but another file follows",
        this.name,
        path,
        at,
      );
    }
    return { record: open.record, at: open.at, runs: appended(open.runs, run), size: open.size + run.length };
  }
}

/** Parts that lie one behind the other on the volume are one. */
function appended(runs: readonly Run[], run: Run): readonly Run[] {
  const last = runs.at(-1);
  if (run.length === 0) return runs;
  if (last === undefined || last.offset + last.length !== run.offset) return [...runs, run];
  return [...runs.slice(0, -1), { offset: last.offset, length: last.length + run.length }];
}

/** What follows the descriptors of ISO 9660 if there is a UDF file system as well (ECMA-167 2/9). */
const UDF_IDENTIFIERS = ["BEA01", "BOOT2", "NSR02", "NSR03"];

function* readDescriptors(cache: MetadataCache, source: ByteSource): Steps<Descriptors> {
  let primary: Found | undefined;
  let joliet: Found | undefined;
  let hasUdf = false;
  let hasEnded = false;
  const end = Math.min(source.size, VolumeDescriptor.FIRST + MOST_DESCRIPTORS * VolumeDescriptor.SIZE);
  for (let at = VolumeDescriptor.FIRST; at < end; at += VolumeDescriptor.SIZE) {
    // Without a terminator the disc may end here, but not before it has told what it is.
    if (primary !== undefined && at + VolumeDescriptor.SIZE > end) break;
    const descriptor = new VolumeDescriptor(yield* cache.read(at, VolumeDescriptor.SIZE));
    const { type, standardIdentifier: identifier } = descriptor;
    hasUdf ||= identifier.startsWith("NSR0");
    if (UDF_IDENTIFIERS.includes(identifier)) continue;
    if (identifier !== "CD001") break;
    hasEnded ||= type === DESCRIPTOR.TERMINATOR;
    if (hasEnded) continue;
    if (type === DESCRIPTOR.PRIMARY) primary ??= { descriptor, at };
    else if (descriptor.isJoliet) joliet ??= { descriptor, at };
  }
  if (primary === undefined) throw descriptorDamaged("none is primary", source.name, VolumeDescriptor.FIRST);
  const { logicalBlockSize } = primary.descriptor;
  if (![512, 1024, 2048].includes(logicalBlockSize)) {
    throw descriptorDamaged(`blocks of ${logicalBlockSize} bytes, not of 512, 1024 or 2048`, source.name, primary.at);
  }
  return { primary, joliet, hasUdf };
}
