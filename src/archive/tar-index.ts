import { type BytePath, displayPath } from "../bytes/byte-path.ts";
import type { ByteSource } from "../bytes/byte-source.ts";
import type { Timestamp } from "../bytes/entry.ts";
import { Slice } from "../bytes/slice.ts";
import type { Context } from "../context.ts";
import {
  archiveTruncated,
  checksumWrong,
  indexTooLarge,
  memberMissing,
  notTar,
  paxNumberMalformed,
  sizeNegative,
} from "./errors.ts";
import { mergePax, NO_RECORDS, type PaxRecords, parsePax, paxDecimal } from "./pax.ts";
import { BLOCK, paddingOf } from "./tar-encode.ts";
import { looksLikeTar, TarHeader, TypeFlag } from "./tar-header.ts";

export type TarMemberType =
  | "file"
  | "hard-link"
  | "symlink"
  | "character-device"
  | "block-device"
  | "directory"
  | "fifo"
  /** A file whose body holds only its data, after a map: GNU's own way and the pax one. */
  | "sparse-file"
  /** Something that only one vendor's tar knows; its body is skipped. */
  | "other";

/** A member of an archive and where it lies. Everything is as the archive says: nothing is decoded or made safe. */
export interface TarMember {
  readonly name: BytePath;
  readonly type: TarMemberType;
  /** Bytes of the body. */
  readonly size: number;
  /** Where the body begins. */
  readonly offset: number;
  /** Where the first block begins that belongs to this member, extended headers included; they end at `offset`. */
  readonly headerOffset: number;
  /** Empty for anything but links. */
  readonly linkName: BytePath;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: Timestamp;
  readonly userName: string;
  readonly groupName: string;
  /** The pax records that hold for this member, the global ones among them. */
  readonly records: PaxRecords;
}

export interface TarIndex {
  /** In the order of the archive. */
  readonly members: readonly TarMember[];
  /** Where the end of archive begins: after the last member's padding. */
  readonly end: number;
}

const TYPES: ReadonlyMap<string, TarMemberType> = new Map([
  [TypeFlag.FILE, "file"],
  [TypeFlag.OLD_FILE, "file"],
  [TypeFlag.CONTIGUOUS_FILE, "file"],
  [TypeFlag.HARD_LINK, "hard-link"],
  [TypeFlag.SYMLINK, "symlink"],
  [TypeFlag.CHARACTER_DEVICE, "character-device"],
  [TypeFlag.BLOCK_DEVICE, "block-device"],
  [TypeFlag.DIRECTORY, "directory"],
  [TypeFlag.FIFO, "fifo"],
  [TypeFlag.GNU_SPARSE, "sparse-file"],
]);

/** These have no body, whatever their size field says: some tars give links the size of what they point to. */
const BODILESS: ReadonlySet<TarMemberType> = new Set([
  "hard-link",
  "symlink",
  "character-device",
  "block-device",
  "directory",
  "fifo",
]);

/** The body of a member, which lies in the archive as it is. `archive` stays the owner. */
export function memberContent(archive: ByteSource, member: TarMember, name: string): ByteSource {
  return new Slice(archive, member.offset, member.size, name);
}

/**
 * Finds the members of a tar archive by its headers alone, seeking over the bodies. Ustar, GNU, pax and the form before them.
 * It ends at two zero blocks, or where the file ends between two members. Throws CorruptError for a header whose checksum is
 * wrong and for a member that is cut off; memory stays within `limits.tableBytes`.
 */
export async function indexTar(source: ByteSource, ctx: Context): Promise<TarIndex> {
  return await new TarIndexer(source, ctx).run();
}

/** What extended headers say about the member that follows them. */
interface Announced {
  readonly headerOffset: number;
  /** Empty values included: they take global records away. */
  records: PaxRecords;
  longName?: BytePath;
  longLink?: BytePath;
}

class TarIndexer {
  readonly #source: ByteSource;
  readonly #ctx: Context;
  readonly #members: TarMember[] = [];
  #globals: PaxRecords = NO_RECORDS;
  #announced: Announced | undefined;
  #at = 0;
  /** Bytes of all headers: a measure of what the index takes up in memory. */
  #headerBytes = 0;

  constructor(source: ByteSource, ctx: Context) {
    this.#source = source;
    this.#ctx = ctx;
  }

  async run(): Promise<TarIndex> {
    for (let header = await this.#nextHeader(); header !== undefined; header = await this.#nextHeader()) {
      this.#ctx.signal.throwIfAborted();
      await this.#take(header);
    }
    if (this.#announced !== undefined) throw memberMissing(this.#source.name, this.#at);
    return { members: this.#members, end: this.#at };
  }

  /** The header at the current place, or undefined at the end of the archive; `#at` stays before it. */
  async #nextHeader(): Promise<TarHeader | undefined> {
    const { name, size } = this.#source;
    // The padding of the last member may be missing.
    const left = size - this.#at;
    if (left <= 0) {
      this.#at = size;
      return undefined;
    }
    const bytes = await this.#source.read(this.#at, Math.min(BLOCK, left));
    if (left < BLOCK) {
      if (bytes.every((byte) => byte === 0)) return undefined;
      if (this.#at === 0) throw notTar(name);
      throw archiveTruncated("a member header", BLOCK - left, BLOCK, name, size);
    }
    const header = new TarHeader(bytes, 0, { file: name, offset: this.#at });
    if (header.isZero) return await this.#endOfArchive();
    if (this.#at === 0 && !looksLikeTar(bytes)) throw notTar(name);
    if (!header.hasValidChecksum()) {
      throw checksumWrong(name, this.#at, header.computedChecksum(), header.checksum);
    }
    return header;
  }

  async #endOfArchive(): Promise<undefined> {
    const next = this.#at + BLOCK;
    const bytes = await this.#source.read(next, Math.min(BLOCK, this.#source.size - next));
    if (bytes.some((byte) => byte !== 0)) {
      this.#ctx.diagnostic({
        code: "ARCHIVE_LONE_ZERO_BLOCK",
        severity: "warning",
        message: "the archive ends at a single zero block, although more follows it",
        where: { file: this.#source.name, offset: this.#at },
      });
    }
    return undefined;
  }

  async #take(header: TarHeader): Promise<void> {
    const announced = this.#announced ?? { headerOffset: this.#at, records: NO_RECORDS };
    const flag = header.typeFlag;
    switch (flag) {
      case TypeFlag.PAX:
      case TypeFlag.PAX_SOLARIS:
        announced.records = new Map([...announced.records, ...(await this.#records(header))]);
        this.#announced = announced;
        return;
      case TypeFlag.PAX_GLOBAL:
        this.#globals = mergePax(this.#globals, await this.#records(header));
        this.#announced = announced;
        return;
      case TypeFlag.GNU_LONG_NAME:
        announced.longName = untilNul(await this.#extension(header, "a long name"));
        this.#announced = announced;
        return;
      case TypeFlag.GNU_LONG_LINK:
        announced.longLink = untilNul(await this.#extension(header, "a long link name"));
        this.#announced = announced;
        return;
      default:
        this.#announced = undefined;
        await this.#takeMember(header, announced);
    }
  }

  async #records(header: TarHeader): Promise<PaxRecords> {
    const offset = this.#at + BLOCK;
    return parsePax(await this.#extension(header, "a pax header"), this.#source.name, offset);
  }

  /** The body of an extended header. */
  async #extension(header: TarHeader, what: string): Promise<Uint8Array> {
    const { size } = header;
    const offset = this.#at + BLOCK;
    this.#account(BLOCK + size);
    this.#checkBody(what, offset, size);
    this.#at = offset + size + paddingOf(size);
    return await this.#source.read(offset, size);
  }

  #account(bytes: number): void {
    this.#headerBytes += bytes;
    const limit = this.#ctx.limits.tableBytes;
    if (this.#headerBytes > limit) throw indexTooLarge(this.#source.name, this.#at, limit);
  }

  #checkBody(what: string, offset: number, size: number): void {
    const { name, size: end } = this.#source;
    if (size < 0) throw sizeNegative(name, this.#at, size);
    const missing = offset + size - end;
    if (missing > 0) throw archiveTruncated(what, Math.min(missing, size), size, name, end);
  }

  async #takeMember(header: TarHeader, announced: Announced): Promise<void> {
    const records = mergePax(this.#globals, announced.records);
    const name = records.get("path") ?? announced.longName ?? header.path;
    const type = memberType(header, name, records);
    const size = BODILESS.has(type) ? 0 : this.#recorded(records, "size", header.size);
    this.#account(BLOCK + name.length);
    const { headerOffset } = announced;
    const offset = await this.#bodyOffset(header);
    this.#checkBody(JSON.stringify(displayPath(name)), offset, size);
    this.#members.push({
      name,
      type,
      size,
      offset,
      headerOffset,
      linkName: records.get("linkpath") ?? announced.longLink ?? header.linkName,
      mode: header.mode,
      uid: this.#recorded(records, "uid", header.uid),
      gid: this.#recorded(records, "gid", header.gid),
      mtime: paxDecimal(records.get("mtime") ?? "") ?? { seconds: header.mtime, nanoseconds: 0 },
      userName: header.userName,
      groupName: header.groupName,
      records,
    });
    this.#at = offset + size + paddingOf(size);
  }

  /** A GNU sparse map that does not fit into the header goes on in blocks of 21 entries and a flag for one more. */
  async #bodyOffset(header: TarHeader): Promise<number> {
    let offset = this.#at + BLOCK;
    if (header.typeFlag !== TypeFlag.GNU_SPARSE) return offset;
    for (let more = header.isExtended; more; offset += BLOCK) {
      this.#account(BLOCK);
      this.#checkBody("a sparse map", offset, BLOCK);
      more = (await this.#source.read(offset + 504, 1))[0] !== 0;
    }
    return offset;
  }

  #recorded(records: PaxRecords, key: string, otherwise: number): number {
    const text = records.get(key);
    if (text === undefined) return otherwise;
    const number = /^[0-9]+$/.test(text) ? Number(text) : Number.NaN;
    if (Number.isSafeInteger(number)) return number;
    throw paxNumberMalformed(this.#source.name, this.#at, key, text);
  }
}

function untilNul(bytes: Uint8Array): BytePath {
  const end = bytes.indexOf(0);
  return Buffer.from(end < 0 ? bytes : bytes.subarray(0, end)).toString("latin1");
}

function memberType(header: TarHeader, name: BytePath, records: PaxRecords): TarMemberType {
  const type = TYPES.get(header.typeFlag) ?? "other";
  if (type !== "file") return type;
  if (header.typeFlag === TypeFlag.OLD_FILE && name.endsWith("/")) return "directory";
  return records.has("GNU.sparse.major") || records.has("GNU.sparse.numblocks") ? "sparse-file" : "file";
}
