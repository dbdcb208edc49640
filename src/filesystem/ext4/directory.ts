import type { BytePath } from "../../bytes/byte-path.ts";
import type { Steps } from "../../bytes/steps.ts";
import { DirectoryEntryHeader } from "./directory-entry.ts";
import { directoryDamaged, warn } from "./errors.ts";
import { inlineRest } from "./inline-data.ts";
import { INODE_FLAG, type Inode } from "./inode.ts";
import { INCOMPAT } from "./super-block.ts";
import type { Volume } from "./volume.ts";

/** Behind the parent's inode number in a directory that lies in its inode. */
const INLINE_START = 4;
/** What a name and its number take in memory, about. */
const RECORD_BYTES = 64;

/** A name in a directory. */
export interface DirectoryRecord {
  readonly name: BytePath;
  readonly inode: number;
}

/**
 * Reads directories, all blocks in order: a hash tree's inner nodes look like empty records, so its leaves are found too. One
 * reader never reads more blocks than the file system has: directories that share blocks would take for ever.
 */
export class DirectoryReader {
  readonly #volume: Volume;
  readonly #hasFileType: boolean;
  #blocksRead = 0;

  constructor(volume: Volume) {
    this.#volume = volume;
    this.#hasFileType = volume.superBlock.hasIncompat(INCOMPAT.FILETYPE);
  }

  /** Names in byte order, without "." and "..". Throws CorruptError EXT_DIRECTORY where a record is damaged. */
  *read(inode: Inode, path: BytePath): Steps<DirectoryRecord[]> {
    let records: DirectoryRecord[] = [];
    const changes = this.#volume.fastCommits?.names.get(inode.number);
    if (inode.hasFlag(INODE_FLAG.INLINE_DATA)) {
      this.#parse(inode.block.subarray(INLINE_START), records, path);
      this.#parse(inlineRest(inode), records, path);
    } else {
      yield* this.#blocks(inode, records, path, changes === undefined);
    }
    if (changes !== undefined) {
      records = records.filter(({ name }) => !changes.has(name));
      for (const [name, number] of changes) if (number !== undefined) records.push({ name, inode: number });
    }
    records.sort((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)));
    const twice = records.find(({ name }, index) => records[index + 1]?.name === name);
    if (twice === undefined) return records;
    throw directoryDamaged(
      `the name ${JSON.stringify(twice.name)} stands twice in the directory`,
      this.#volume.name,
      path,
    );
  }

  *#blocks(inode: Inode, records: DirectoryRecord[], path: BytePath, wantsAll: boolean): Steps<void> {
    const volume = this.#volume;
    const map = volume.map(inode);
    const end = Math.ceil(volume.sizeOf(inode, true) / volume.blockSize);
    let holes = 0;
    for (let logical = 0; logical < end; ) {
      volume.ctx.signal.throwIfAborted();
      const run = yield* map.find(logical);
      const count = Math.min(run.count, end - logical);
      logical += count;
      if (run.physical === undefined) holes += count;
      else {
        this.#blocksRead += count;
        if (this.#blocksRead > volume.blocks) {
          throw directoryDamaged("directories have more blocks than the file system", volume.name, path);
        }
        for (let index = 0; index < count; index++) {
          this.#parse(yield* volume.block(run.physical + index), records, path);
        }
      }
    }
    if (holes > 0 && wantsAll) {
      warn(
        volume.ctx,
        "EXT_DIRECTORY_HOLE",
        `${holes} of ${end} blocks of the directory are missing`,
        volume.name,
        path,
      );
    }
  }

  /** Adds what one block, or one part of an inline directory, holds. */
  #parse(bytes: Uint8Array, records: DirectoryRecord[], path: BytePath): void {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = 0; at + DirectoryEntryHeader.SIZE <= bytes.length; ) {
      const header = new DirectoryEntryHeader(bytes, at, DirectoryEntryHeader.SIZE);
      const length = recordLength(header.recLen, bytes.length);
      const nameLen = this.#hasFileType ? header.nameLen : header.oldNameLen;
      const nameAt = at + DirectoryEntryHeader.SIZE;
      const free = header.inode === 0;
      if (length < DirectoryEntryHeader.SIZE || length % 4 !== 0 || at + length > bytes.length) {
        throw directoryDamaged(`a record of ${length} bytes at ${at} of ${bytes.length}`, this.#volume.name, path);
      }
      if (!free) {
        if (nameLen === 0 || nameLen > DirectoryEntryHeader.MAX_NAME || nameAt + nameLen > at + length) {
          throw directoryDamaged(`a name of ${nameLen} bytes in a record of ${length}`, this.#volume.name, path);
        }
        this.#add(buffer.toString("latin1", nameAt, nameAt + nameLen), header.inode, records, path);
      }
      at += length;
    }
  }

  #add(name: BytePath, inode: number, records: DirectoryRecord[], path: BytePath): void {
    if (name === "." || name === "..") return;
    if (name.includes("/") || name.includes("\0")) {
      throw directoryDamaged(`the name ${JSON.stringify(name)} holds a slash or a NUL`, this.#volume.name, path);
    }
    if (records.length * RECORD_BYTES > this.#volume.ctx.limits.tableBytes) {
      throw directoryDamaged(`more than ${records.length} names in one directory`, this.#volume.name, path);
    }
    records.push({ name, inode });
  }
}

/** Lengths above 65532 do not fit into 16 bits: with blocks of 64 KiB the low two bits, else free, carry on. */
function recordLength(stored: number, blockSize: number): number {
  if (blockSize < 65536) return stored;
  if (stored === 0xffff || stored === 0) return blockSize;
  return (stored & 0xfffc) | ((stored & 3) << 16);
}
