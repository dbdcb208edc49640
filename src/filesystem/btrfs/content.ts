import { type BytePath, displayPath } from "../../bytes/byte-path.ts";
import { type Awaitable, type ByteSource, checkRange, clip, type Extent, shift } from "../../bytes/byte-source.ts";
import { run, type Steps } from "../../bytes/steps.ts";
import { decompressExtent } from "./compression.ts";
import { extentDamaged } from "./errors.ts";
import type { ExtentFinder, Piece } from "./extents.ts";
import { FileExtent } from "./items.ts";
import type { Subvolume } from "./subvolume.ts";
import type { Volume } from "./volume.ts";

/** Extents of up to 128 KiB each. */
const KEPT_EXTENTS = 32;

/** Decompressed extents, the last few of all files: an extent may be shared, and is read in parts. */
export class PlainExtents {
  readonly #volume: Volume;
  readonly #kept = new Map<number, Uint8Array>();

  constructor(volume: Volume) {
    this.#volume = volume;
  }

  *read(extent: FileExtent, inode: number): Steps<Uint8Array> {
    const { diskBytenr, diskNumBytes, compression, ramBytes } = extent;
    const kept = this.#kept.get(diskBytenr);
    // An extent is compressed as a whole, whatever part of it an item tells of; damaged items may disagree.
    if (kept?.length === ramBytes) return kept;
    const stored = yield* this.#volume.read(diskBytenr, diskNumBytes);
    const plain = plainBytes(stored, compression, ramBytes, inode, this.#volume);
    if (this.#kept.size >= KEPT_EXTENTS) {
      for (const oldest of this.#kept.keys()) {
        this.#kept.delete(oldest);
        break;
      }
    }
    this.#kept.set(diskBytenr, plain);
    return plain;
  }
}

function plainBytes(
  stored: Uint8Array,
  compression: number,
  ramBytes: number,
  inode: number,
  volume: Volume,
): Uint8Array {
  const plain = decompressExtent(stored, compression, ramBytes, volume.superBlock.sectorSize);
  if (plain !== undefined) return plain;
  throw extentDamaged(inode, `its ${stored.length} compressed bytes are damaged`, volume.name);
}

/** The bytes of a file or of a symlink's target. */
export class FileContent implements ByteSource {
  readonly name: string;
  readonly size: number;
  readonly #volume: Volume;
  readonly #plain: PlainExtents;
  readonly #extents: ExtentFinder;
  readonly #inode: number;

  /** `size` in bytes; what extents hold beyond it is not part of the file. */
  constructor(subvolume: Subvolume, plain: PlainExtents, inode: number, size: number, path: BytePath) {
    this.name = `${JSON.stringify(displayPath(path))} in ${subvolume.volume.name}`;
    this.size = size;
    this.#volume = subvolume.volume;
    this.#plain = plain;
    this.#extents = subvolume.extents(inode);
    this.#inode = inode;
  }

  read(offset: number, length: number): Awaitable<Uint8Array> {
    checkRange(this, offset, length);
    return run(this.steps(offset, length));
  }

  /** As `read`, for a range that is known to lie inside. */
  *steps(offset: number, length: number): Steps<Uint8Array> {
    if (length === 0) return new Uint8Array(0);
    const first = yield* this.#extents.find(offset);
    if (first.extent !== undefined && offset + length <= first.end)
      return yield* this.#data(first, first.extent, offset, length);
    const bytes = new Uint8Array(length);
    const end = offset + length;
    for (let at = offset, piece = first; ; piece = yield* this.#extents.find(at)) {
      const part = Math.min(end, piece.end) - at;
      if (piece.extent !== undefined) bytes.set(yield* this.#data(piece, piece.extent, at, part), at - offset);
      at += part;
      if (at >= end) return bytes;
    }
  }

  *#data({ origin }: Piece, extent: FileExtent, at: number, length: number): Steps<Uint8Array> {
    const skip = at - origin;
    if (extent.type === FileExtent.INLINE) return this.#inline(extent).subarray(skip, skip + length);
    const from = extent.offset + skip;
    if (extent.compression === 0) return yield* this.#volume.read(extent.diskBytenr + from, length);
    return (yield* this.#plain.read(extent, this.#inode)).subarray(from, from + length);
  }

  #inline({ inlineData, compression, ramBytes }: FileExtent): Uint8Array {
    return compression === 0 ? inlineData : plainBytes(inlineData, compression, ramBytes, this.#inode, this.#volume);
  }

  extentAt(offset: number, limit: number): Awaitable<Extent> {
    checkRange(this, offset, 1);
    return run(this.#extentAt(offset, Math.min(limit, this.size - offset)));
  }

  *#extentAt(offset: number, limit: number): Steps<Extent> {
    const { origin, end, extent } = yield* this.#extents.find(offset);
    const length = Math.min(limit, end - offset);
    if (extent === undefined) return { offset, length, kind: "zero" };
    if (extent.type === FileExtent.INLINE || extent.compression !== 0) return { offset, length, kind: "data" };
    const logical = extent.diskBytenr + extent.offset + offset - origin;
    const below = yield* this.#volume.extentAt(logical, length);
    return clip(shift(below, offset - logical), offset, length);
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
