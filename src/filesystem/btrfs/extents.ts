import type { Steps } from "../../bytes/steps.ts";
import { isKnownCompression, MOST_PLAIN } from "./compression.ts";
import { compressionUnsupported, extentDamaged } from "./errors.ts";
import { FileExtent } from "./items.ts";
import { ITEM } from "./node.ts";
import type { Cursor, Tree } from "./tree.ts";

/** A part of a file, in bytes from its start. */
export interface Piece {
  readonly start: number;
  readonly end: number;
  /** Where the part of the extent that `extent` tells of begins in the file; below `start` if it was cut. */
  readonly origin: number;
  /** Undefined for a hole. */
  readonly extent: FileExtent | undefined;
}

/** Finds parts of a file. */
export interface ExtentFinder {
  /** The part that holds `offset`; the last one is a hole without an end. */
  find(offset: number): Steps<Piece>;
}

/** Reads an item. Throws CorruptError BTRFS_EXTENT, UnsupportedError BTRFS_CODING. */
export function pieceOf(bytes: Uint8Array, start: number, inode: number, sectorSize: number, file: string): Piece {
  const refuse = (what: string) => extentDamaged(inode, `at 0x${start.toString(16)} ${what}`, file);
  if (bytes.length < FileExtent.HEADER) throw refuse(`has an item of ${bytes.length} bytes`);
  const extent = new FileExtent(bytes);
  const { compression, encryption, type } = extent;
  if (encryption !== 0) throw compressionUnsupported(`has the encryption ${encryption}`, file);
  if (compression !== 0 && !isKnownCompression(compression)) {
    throw compressionUnsupported(`has the compression ${compression}`, file);
  }
  if (type === FileExtent.INLINE) {
    const length = compression === 0 ? bytes.length - FileExtent.HEADER : extent.ramBytes;
    if (length > MOST_PLAIN) throw refuse(`has ${length} bytes inline`);
    return { start, end: start + length, origin: start, extent };
  }
  if (type !== FileExtent.REGULAR && type !== FileExtent.PREALLOCATED) throw refuse(`has type ${type}`);
  if (bytes.length < FileExtent.SIZE) throw refuse(`has an item of ${bytes.length} bytes`);
  const { numBytes, offset, ramBytes, diskBytenr, diskNumBytes } = extent;
  const end = start + numBytes;
  if (numBytes === 0 || end > Number.MAX_SAFE_INTEGER) throw refuse(`has ${numBytes} bytes`);
  if (diskBytenr === 0 || type === FileExtent.PREALLOCATED) return { start, end, origin: start, extent: undefined };
  if (diskBytenr % sectorSize !== 0) throw refuse(`does not begin at a sector, but at 0x${diskBytenr.toString(16)}`);
  if (compression !== 0 && (ramBytes > MOST_PLAIN || diskNumBytes > MOST_PLAIN)) {
    throw refuse(`has ${diskNumBytes} compressed bytes for ${ramBytes}`);
  }
  const whole = compression === 0 ? diskNumBytes : ramBytes;
  if (offset + numBytes > whole) throw refuse(`takes ${numBytes} bytes from ${offset} on of ${whole}`);
  return { start, end, origin: start, extent };
}

/** A part, and the first item behind it. */
interface Found {
  readonly piece: Piece;
  readonly ahead: Cursor | undefined;
}

/** The extents of an inode in its subvolume's tree. */
export class TreeExtents implements ExtentFinder {
  readonly #tree: Tree;
  readonly #inode: number;
  readonly #sectorSize: number;
  readonly #file: string;
  #last: Found | undefined;

  constructor(tree: Tree, inode: number, sectorSize: number, file: string) {
    this.#tree = tree;
    this.#inode = inode;
    this.#sectorSize = sectorSize;
    this.#file = file;
  }

  *find(offset: number): Steps<Piece> {
    const last = this.#last;
    if (last !== undefined && offset >= last.piece.start && offset < last.piece.end) return last.piece;
    // A cursor belongs to one search: another one may begin while this one waits.
    this.#last = undefined;
    const ahead = last?.piece.end === offset ? last.ahead : undefined;
    const found = ahead === undefined ? yield* this.#seek(offset) : yield* this.#onwards(offset, ahead);
    this.#last = found;
    return found.piece;
  }

  *#seek(offset: number): Steps<Found> {
    const cursor = yield* this.#tree.floor(this.#inode, ITEM.EXTENT_DATA, offset);
    let start = 0;
    if (this.#isExtent(cursor)) {
      const piece = this.#piece(cursor);
      if (offset < piece.end) return { piece, ahead: (yield* cursor.next()) ? cursor : undefined };
      start = piece.end;
    }
    return this.#hole(start, (yield* cursor.next()) ? cursor : undefined);
  }

  /** What begins at `start`, where the part before the cursor ends. */
  *#onwards(start: number, cursor: Cursor): Steps<Found> {
    if (!this.#isExtent(cursor) || cursor.offset > start) return this.#hole(start, cursor);
    if (cursor.offset < start) return yield* this.#seek(start);
    const piece = this.#piece(cursor);
    return { piece, ahead: (yield* cursor.next()) ? cursor : undefined };
  }

  /** Up to the item at the cursor. */
  #hole(start: number, ahead: Cursor | undefined): Found {
    const end = ahead !== undefined && this.#isExtent(ahead) ? ahead.offset : Number.MAX_SAFE_INTEGER;
    return { piece: { start, end, origin: start, extent: undefined }, ahead };
  }

  #isExtent(cursor: Cursor): boolean {
    return !cursor.isBeforeFirst && cursor.objectid === this.#inode && cursor.type === ITEM.EXTENT_DATA;
  }

  #piece(cursor: Cursor): Piece {
    return pieceOf(cursor.item, cursor.offset, this.#inode, this.#sectorSize, this.#file);
  }
}

/** Extents in memory, by their start, none of which overlap. */
export class ListedExtents implements ExtentFinder {
  readonly #pieces: readonly Piece[];

  constructor(pieces: readonly Piece[]) {
    this.#pieces = pieces;
  }

  // biome-ignore lint/correctness/useYield: the other finder has to wait
  *find(offset: number): Steps<Piece> {
    let low = 0;
    let high = this.#pieces.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#pieces[middle] as Piece).end <= offset) low = middle + 1;
      else high = middle;
    }
    const piece = this.#pieces[low];
    if (piece !== undefined && piece.start <= offset) return piece;
    const start = this.#pieces[low - 1]?.end ?? 0;
    return { start, end: piece?.start ?? Number.MAX_SAFE_INTEGER, origin: start, extent: undefined };
  }
}
