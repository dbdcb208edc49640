import type { BytePath } from "../../bytes/byte-path.ts";
import type { Steps } from "../../bytes/steps.ts";
import { BigEndianView } from "../../bytes/view.ts";
import { readBlocks } from "./content.ts";
import { directoryDamaged } from "./errors.ts";
import { FORK_FORMAT, type Inode } from "./inode.ts";
import type { Volume } from "./volume.ts";

/** Byte offset in the data fork at which indexes begin that reading in order does without (XFS_DIR2_LEAF_OFFSET). */
const LEAF_OFFSET = 2 ** 35;
/** What a name and its number take in memory, about. */
const RECORD_BYTES = 64;
const FREE_TAG = 0xffff;
const HEADER_V4 = 0x10;
const HEADER_V5 = 0x40;
/** Of version 5. */
const CHECKSUM_AT = 0x04;
/** In front of a name: inode number and length. */
const ENTRY_HEADER = 9;
/** Behind a name: the entry's own offset. */
const ENTRY_TAG = 2;

const MAGIC = {
  BLOCK_V4: 0x58443242,
  DATA_V4: 0x58443244,
  BLOCK_V5: 0x58444233,
  DATA_V5: 0x58444433,
} as const;

/** A directory block as a record of its own: entries, free space, and in a single block its index at the end. */
class DataBlock extends BigEndianView {
  get magic(): number {
    return this.u32(0x00);
  }
  get isSingle(): boolean {
    return this.magic === MAGIC.BLOCK_V4 || this.magic === MAGIC.BLOCK_V5;
  }
  /** Of a single block: how many entries of 8 bytes its index has. */
  tailCount(size: number): number {
    return this.u32(size - 8);
  }
}

/** A name in a directory. */
export interface DirectoryRecord {
  readonly name: BytePath;
  readonly inode: number;
}

/**
 * Reads directories, all data blocks in order, whatever index stands beside them. One reader never reads more blocks than
 * the file system has: directories that share blocks would take for ever.
 */
export class DirectoryReader {
  readonly #volume: Volume;
  readonly #blocksPerBlock: number;
  /** Of the entry's type behind the name. */
  readonly #typeSize: number;
  #blocksRead = 0;

  constructor(volume: Volume) {
    this.#volume = volume;
    this.#blocksPerBlock = 2 ** volume.superBlock.dirBlkLog;
    this.#typeSize = volume.superBlock.hasFileType ? 1 : 0;
  }

  /** Names in byte order, without "." and "..". Throws CorruptError XFS_DIRECTORY where an entry is damaged. */
  *read(inode: Inode, path: BytePath): Steps<DirectoryRecord[]> {
    const records: DirectoryRecord[] = [];
    if (inode.format === FORK_FORMAT.LOCAL) this.#shortForm(inode, records, path);
    else yield* this.#blocks(inode, records, path);
    records.sort((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)));
    const twice = records.find(({ name }, index) => records[index + 1]?.name === name);
    if (twice === undefined) return records;
    return this.#refuse(`the name ${JSON.stringify(twice.name)} stands twice in the directory`, path);
  }

  /** struct xfs_dir2_sf_hdr and its entries, in the inode. */
  #shortForm(inode: Inode, records: DirectoryRecord[], path: BytePath): void {
    const { bytes } = inode.dataFork;
    const size = Math.min(inode.length, bytes.length);
    const count = bytes[0] ?? 0;
    const wide = (bytes[1] ?? 0) > 0;
    const numberSize = wide ? 8 : 4;
    let at = 2 + numberSize;
    const view = new ShortForm(bytes, 0, bytes.length);
    for (let index = 0; index < count; index++) {
      const nameLength = at < size ? view.u8(at) : 0;
      const nameAt = at + 3;
      const numberAt = nameAt + nameLength + this.#typeSize;
      if (nameLength === 0 || numberAt + numberSize > size) {
        this.#refuse(`${count} entries do not fit into ${size} bytes`, path);
      }
      const number = wide ? view.u64(numberAt) : view.u32(numberAt);
      this.#add(bytes, nameAt, nameLength, number, records, path);
      at = numberAt + numberSize;
    }
  }

  *#blocks(inode: Inode, records: DirectoryRecord[], path: BytePath): Steps<void> {
    const volume = this.#volume;
    const map = volume.map(inode, inode.dataFork);
    const step = this.#blocksPerBlock;
    const end = LEAF_OFFSET / volume.blockSize;
    for (let logical = 0; logical < end; ) {
      volume.ctx.signal.throwIfAborted();
      const run = yield* map.find(logical);
      if (run.physical === undefined) {
        const next = Math.floor((logical + run.count) / step) * step;
        if (next <= logical) this.#refuse(`block ${logical} of the directory is missing`, path);
        logical = next;
        continue;
      }
      this.#blocksRead += step;
      if (this.#blocksRead > volume.blocks) this.#refuse("directories have more blocks than the file system", path);
      const block = yield* readBlocks(volume, map, logical, step);
      if (block === undefined) return this.#refuse(`block ${logical} of the directory is not whole`, path);
      volume.verify(block.bytes, CHECKSUM_AT, block.offset, "a directory block");
      this.#parse(block.bytes, records, path);
      logical += step;
    }
  }

  /** Adds what one data block holds. */
  #parse(bytes: Uint8Array, records: DirectoryRecord[], path: BytePath): void {
    const block = new DataBlock(bytes, 0, bytes.length);
    const { hasChecksums } = this.#volume.superBlock;
    const { magic, isSingle } = block;
    if (!isSingle && magic !== (hasChecksums ? MAGIC.DATA_V5 : MAGIC.DATA_V4)) {
      this.#refuse(`a block has magic 0x${magic.toString(16)}`, path);
    }
    const end = isSingle ? bytes.length - 8 - block.tailCount(bytes.length) * 8 : bytes.length;
    let at = hasChecksums ? HEADER_V5 : HEADER_V4;
    if (end < at)
      this.#refuse(`an index of ${block.tailCount(bytes.length)} entries does not fit into its block`, path);
    while (at < end) {
      const free = block.u16(at) === FREE_TAG;
      const nameLength = free ? 0 : at + ENTRY_HEADER < end ? block.u8(at + 8) : 0;
      const length = free ? block.u16(at + 2) : entryLength(nameLength, this.#typeSize);
      if (length < 8 || length % 8 !== 0 || at + length > end || (!free && nameLength === 0)) {
        this.#refuse(`an entry of ${length} bytes at ${at} of ${end}`, path);
      }
      if (!free) {
        if (block.u16(at + length - ENTRY_TAG) !== (at & 0xffff)) {
          this.#refuse(`the entry at ${at} says that it is at ${block.u16(at + length - ENTRY_TAG)}`, path);
        }
        this.#add(bytes, at + ENTRY_HEADER, nameLength, block.u64(at), records, path);
      }
      at += length;
    }
  }

  #add(bytes: Uint8Array, at: number, length: number, inode: number, records: DirectoryRecord[], path: BytePath): void {
    const name = Buffer.from(bytes.buffer, bytes.byteOffset + at, length).toString("latin1");
    if (name === "." || name === "..") return;
    if (name.includes("/") || name.includes("\0")) {
      this.#refuse(`the name ${JSON.stringify(name)} holds a slash or a NUL`, path);
    }
    if (records.length * RECORD_BYTES > this.#volume.ctx.limits.tableBytes) {
      this.#refuse(`more than ${records.length} names in one directory`, path);
    }
    records.push({ name, inode });
  }

  #refuse(what: string, path: BytePath): never {
    throw directoryDamaged(what, this.#volume.name, path);
  }
}

/** Entries that lie in the inode, their fields not aligned. */
class ShortForm extends BigEndianView {}

/** Entries are aligned to 8 bytes. */
function entryLength(nameLength: number, typeSize: number): number {
  return Math.ceil((ENTRY_HEADER + nameLength + typeSize + ENTRY_TAG) / 8) * 8;
}
