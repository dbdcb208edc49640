import type { BytePath } from "../../bytes/byte-path.ts";
import type { Steps } from "../../bytes/steps.ts";
import { LittleEndianView } from "../../bytes/view.ts";
import { utf16Path } from "../utf16.ts";
import { indexDamaged, nameUnsafe } from "./errors.ts";
import { ATTRIBUTE, type Attribute, FileName, type Reference } from "./file-record.ts";
import { fixed } from "./fixup.ts";
import type { Stream } from "./stream.ts";
import type { Volume } from "./volume.ts";

/** The index of a directory by names. */
const NAMES = "$I30";
/** File records below it hold the file system itself: $MFT, $LogFile, $Extend... */
const FIRST_USER_RECORD = 16;
const ENTRY_FLAG = { LAST: 0x2 } as const;
const NODE_HEADER = 0x10;
/** For an index of 256 GiB. */
const LARGEST_BITMAP = 8 << 20;
/** Bytes that are read at once. */
const PIECE = 256 << 10;

/** A name in a directory. */
export interface DirectoryRecord {
  readonly name: BytePath;
  readonly reference: Reference;
}

/** $INDEX_ROOT. */
class IndexRoot extends LittleEndianView {
  static readonly SIZE = 0x10;

  constructor(bytes: Uint8Array) {
    super(bytes, 0, IndexRoot.SIZE);
  }
  /** Bytes. */
  get blockSize(): number {
    return this.u32(0x08);
  }
}

/** Where the entries of a node stand, counted from this header. */
class NodeHeader extends LittleEndianView {
  constructor(bytes: Uint8Array, offset: number) {
    super(bytes, offset, NODE_HEADER);
  }
  get firstEntry(): number {
    return this.u32(0x00);
  }
  get totalSize(): number {
    return this.u32(0x04);
  }
}

/** An entry of a node, whose key is a $FILE_NAME. */
class IndexEntry extends LittleEndianView {
  static readonly LEAST = 0x10;

  constructor(bytes: Uint8Array, offset: number) {
    super(bytes, offset, IndexEntry.LEAST);
  }
  get file(): Reference {
    return { number: this.u32(0x00) + this.u16(0x04) * 0x1_0000_0000, sequence: this.u16(0x06) };
  }
  get length(): number {
    return this.u16(0x08);
  }
  get keyLength(): number {
    return this.u16(0x0a);
  }
  get isLast(): boolean {
    return (this.u16(0x0c) & ENTRY_FLAG.LAST) !== 0;
  }
}

/**
 * What a directory holds, sorted by the bytes of the names. As its tree is sorted in another way, all blocks that are in use
 * are read as they stand, like drivers do: no pointers are followed, so none can lead astray.
 */
export function* readDirectory(
  volume: Volume,
  attributes: readonly Attribute[],
  number: number,
  path: BytePath,
): Steps<readonly DirectoryRecord[]> {
  const rootStream = volume.stream(attributes, ATTRIBUTE.INDEX_ROOT, NAMES, number);
  if (rootStream === undefined) throw indexDamaged(number, "it has no index", volume.name);
  const bytes = yield* volume.readAll(rootStream, 64 << 10, "an index root");
  if (bytes.length < IndexRoot.SIZE + NODE_HEADER) throw indexDamaged(number, "its index is cut", volume.name);
  const found: DirectoryRecord[] = [];
  collect(volume, bytes, IndexRoot.SIZE, number, path, found);
  const blocks = volume.stream(attributes, ATTRIBUTE.INDEX_ALLOCATION, NAMES, number);
  if (blocks !== undefined && blocks.size > 0) {
    const { blockSize } = new IndexRoot(bytes);
    if (blockSize < 512 || blockSize > 64 << 10 || (blockSize & (blockSize - 1)) !== 0) {
      throw indexDamaged(number, `its blocks have ${blockSize} bytes`, volume.name);
    }
    const bitmap = volume.stream(attributes, ATTRIBUTE.BITMAP, NAMES, number);
    if (bitmap === undefined) throw indexDamaged(number, "which of its blocks are in use is not recorded", volume.name);
    const used = yield* volume.readAll(bitmap, LARGEST_BITMAP, "an index bitmap");
    yield* collectBlocks(volume, blocks, blockSize, used, number, path, found);
  }
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function* collectBlocks(
  volume: Volume,
  blocks: Stream,
  blockSize: number,
  used: Uint8Array,
  number: number,
  path: BytePath,
  found: DirectoryRecord[],
): Steps<void> {
  const inUse = (block: number) => ((used[block >> 3] ?? 0) & (1 << (block & 7))) !== 0;
  // No block is a hole, so a volume has room for so many.
  const most = Math.floor(Math.min(blocks.size, volume.clusters * volume.clusterSize) / blockSize);
  const count = Math.min(most, used.length * 8);
  const perPiece = PIECE / blockSize;
  for (let block = 0; block < count; ) {
    if (!inUse(block)) {
      block++;
      continue;
    }
    volume.ctx.signal.throwIfAborted();
    const first = block;
    const end = Math.min(count, first + perPiece);
    const piece = yield* blocks.read(first * blockSize, (end - first) * blockSize);
    for (; block < end; block++) {
      if (!inUse(block)) continue;
      const at = (block - first) * blockSize;
      const what = `block ${block} of directory ${number}`;
      collect(volume, fixed(piece.subarray(at, at + blockSize), "INDX", what, volume.name), 0x18, number, path, found);
    }
  }
}

/** Adds the entries of a node, whose header stands at `at`. */
function collect(
  volume: Volume,
  bytes: Uint8Array,
  at: number,
  number: number,
  path: BytePath,
  found: DirectoryRecord[],
): void {
  const header = new NodeHeader(bytes, at);
  const end = at + header.totalSize;
  if (end > bytes.length) throw indexDamaged(number, `a node has ${header.totalSize} bytes`, volume.name);
  for (let position = at + header.firstEntry; position + IndexEntry.LEAST <= end; ) {
    const entry = new IndexEntry(bytes, position);
    if (entry.isLast) return;
    if (entry.length < IndexEntry.LEAST + entry.keyLength || position + entry.length > end) {
      throw indexDamaged(number, `an entry has ${entry.length} bytes at 0x${position.toString(16)}`, volume.name);
    }
    const record = named(volume, bytes, position, entry, number, path);
    if (record !== undefined) found.push(record);
    position += entry.length;
  }
}

/** Undefined for what is not shown: the file system's own files, and short names that stand beside long ones. */
function named(
  volume: Volume,
  bytes: Uint8Array,
  position: number,
  entry: IndexEntry,
  number: number,
  path: BytePath,
): DirectoryRecord | undefined {
  const start = position + IndexEntry.LEAST;
  const key =
    entry.keyLength < FileName.LEAST ? undefined : new FileName(bytes.subarray(start, start + entry.keyLength));
  const units = key?.name;
  if (key === undefined || units === undefined) {
    throw indexDamaged(number, `a name is cut at 0x${position.toString(16)}`, volume.name);
  }
  if (key.isDosOnly || entry.file.number < FIRST_USER_RECORD) return undefined;
  const name = utf16Path(units);
  if (name === "" || name === "." || name === ".." || /[/\0]/.test(name)) throw nameUnsafe(name, volume.name, path);
  return { name, reference: entry.file };
}
