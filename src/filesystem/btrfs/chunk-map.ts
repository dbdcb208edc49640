import { LittleEndianView } from "../../bytes/view.ts";
import { chunkDamaged, featureUnsupported } from "./errors.ts";
import { ITEM } from "./node.ts";

/** Profiles of a chunk; none of them is "single". */
const PROFILE = {
  RAID0: 0x8,
  RAID1: 0x10,
  DUP: 0x20,
  RAID10: 0x40,
  RAID5: 0x80,
  RAID6: 0x100,
  RAID1C3: 0x200,
  RAID1C4: 0x400,
} as const;

const ANY_PROFILE = Object.values(PROFILE).reduce((all, bit) => all | bit, 0);
/** Behind this, `remapped` and what else may come change where the bytes are. */
const KNOWN_TYPES = 0x7 | ANY_PROFILE;
const KEY_SIZE = 17;

class ChunkItem extends LittleEndianView {
  static readonly HEADER = 0x30;
  static readonly STRIPE = 0x20;

  get length(): number {
    return this.u64(0x00);
  }
  get stripeLen(): number {
    return this.u64(0x10);
  }
  get type(): number {
    return this.u32(0x18);
  }
  get typeHigh(): number {
    return this.u32(0x1c);
  }
  get numStripes(): number {
    return this.u16(0x2c);
  }
  get subStripes(): number {
    return this.u16(0x2e);
  }
  stripe(index: number): Stripe {
    const at = ChunkItem.HEADER + index * ChunkItem.STRIPE;
    return { devid: this.u64(at), offset: this.u64(at + 8) };
  }
}

/** A part of a device. */
interface Stripe {
  readonly devid: number;
  readonly offset: number;
}

interface Chunk {
  readonly logical: number;
  readonly length: number;
  readonly profile: number;
  readonly stripeLen: number;
  readonly subStripes: number;
  readonly stripes: readonly Stripe[];
}

/** Where a run of logical addresses lies: the same bytes at each of `copies`. */
export interface Mapped {
  readonly length: number;
  readonly copies: readonly Stripe[];
}

/** Which parts of which devices the logical addresses of the file system are. */
export class ChunkMap {
  readonly #file: string;
  readonly #sectorSize: number;
  /** By logical address. */
  #chunks: Chunk[] = [];

  constructor(file: string, sectorSize: number) {
    this.#file = file;
    this.#sectorSize = sectorSize;
  }

  get size(): number {
    return this.#chunks.length;
  }

  /** The array in the superblock: what is needed to read the chunk tree. Throws CorruptError BTRFS_CHUNK. */
  addArray(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      if (at + KEY_SIZE + ChunkItem.HEADER > bytes.length)
        throw chunkDamaged("the array of system chunks is cut off", this.#file);
      const key = new DataView(bytes.buffer, bytes.byteOffset + at, KEY_SIZE);
      if (key.getUint8(8) !== ITEM.CHUNK) {
        throw chunkDamaged(`the array of system chunks holds an item of type ${key.getUint8(8)}`, this.#file);
      }
      const logical = key.getUint32(13, true) * 2 ** 32 + key.getUint32(9, true);
      at += KEY_SIZE;
      at += this.add(logical, bytes.subarray(at));
    }
  }

  /** Adds the chunk at a logical address, instead of one that is there already, and answers how long its item is. */
  add(logical: number, bytes: Uint8Array): number {
    if (bytes.length < ChunkItem.HEADER + ChunkItem.STRIPE)
      throw this.#damaged(logical, `its item has ${bytes.length} bytes`);
    const item = new ChunkItem(bytes, 0, bytes.length);
    const { numStripes, length, stripeLen, subStripes } = item;
    const size = ChunkItem.HEADER + numStripes * ChunkItem.STRIPE;
    if (numStripes === 0 || size > bytes.length) throw this.#damaged(logical, `it has ${numStripes} stripes`);
    const unknown = (item.type & ~KNOWN_TYPES) >>> 0;
    if (unknown !== 0 || item.typeHigh !== 0) {
      throw featureUnsupported(
        [`chunks of type 0x${(item.typeHigh * 2 ** 32 + (item.type >>> 0)).toString(16)}`],
        this.#file,
      );
    }
    const stripes = Array.from({ length: numStripes }, (_, index) => item.stripe(index));
    const chunk: Chunk = { logical, length, profile: item.type & ANY_PROFILE, stripeLen, subStripes, stripes };
    this.#check(chunk);
    const index = this.#floor(logical) + 1;
    const before = this.#chunks[index - 1];
    if (before?.logical === logical) this.#chunks[index - 1] = chunk;
    else this.#chunks.splice(index, 0, chunk);
    return size;
  }

  #check({ logical, length, profile, stripeLen, subStripes, stripes }: Chunk): void {
    const sector = this.#sectorSize;
    if (length === 0 || length % sector !== 0 || logical % sector !== 0 || logical + length > Number.MAX_SAFE_INTEGER) {
      throw this.#damaged(logical, `it has ${length} bytes`);
    }
    if (stripeLen !== 65536) throw this.#damaged(logical, `its stripes are ${stripeLen} bytes long`);
    if ((profile & (profile - 1)) !== 0)
      throw this.#damaged(logical, `it has several profiles (0x${profile.toString(16)})`);
    const count = stripes.length;
    const [least, most, whole] = PROFILES.get(profile) ?? [1, 1, 1];
    if (count < least || count > most || count % whole !== 0 || (profile === PROFILE.RAID10 && subStripes !== 2)) {
      throw this.#damaged(logical, `its ${count} stripes do not fit its profile 0x${profile.toString(16)}`);
    }
  }

  /** The run that begins at `logical`, of 1 to `limit` bytes. Throws CorruptError BTRFS_CHUNK where there is none. */
  find(logical: number, limit: number): Mapped {
    const chunk = this.#chunks[this.#floor(logical)];
    if (chunk === undefined || logical >= chunk.logical + chunk.length) {
      throw chunkDamaged(`none holds logical address 0x${logical.toString(16)}`, this.#file);
    }
    const at = logical - chunk.logical;
    const length = Math.min(limit, chunk.length - at);
    return (chunk.profile & STRIPED) === 0
      ? { length, copies: chunk.stripes.map(({ devid, offset }) => ({ devid, offset: offset + at })) }
      : striped(chunk, at, length);
  }

  /** Index of the last chunk that does not begin above; -1 if all do. */
  #floor(logical: number): number {
    let low = 0;
    let high = this.#chunks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#chunks[middle] as Chunk).logical <= logical) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  #damaged(logical: number, what: string): Error {
    return chunkDamaged(`at logical address 0x${logical.toString(16)}, ${what}`, this.#file);
  }
}

const STRIPED = PROFILE.RAID0 | PROFILE.RAID10 | PROFILE.RAID5 | PROFILE.RAID6;

/** How many stripes there may be, and of what their number is a multiple. */
const PROFILES: ReadonlyMap<number, readonly [least: number, most: number, whole: number]> = new Map([
  [PROFILE.DUP, [2, 2, 2]],
  [PROFILE.RAID0, [1, 65535, 1]],
  [PROFILE.RAID1, [2, 2, 2]],
  [PROFILE.RAID1C3, [3, 3, 3]],
  [PROFILE.RAID1C4, [4, 4, 4]],
  [PROFILE.RAID10, [2, 65534, 2]],
  [PROFILE.RAID5, [2, 65535, 1]],
  [PROFILE.RAID6, [3, 65535, 1]],
]);

/** One element of a row of stripes. Of RAID 5 and 6 the data alone is read; parity moves on by one device a row. */
function striped({ profile, stripeLen, stripes }: Chunk, at: number, limit: number): Mapped {
  const element = Math.floor(at / stripeLen);
  const skip = at % stripeLen;
  const length = Math.min(limit, stripeLen - skip);
  const place = (index: number, row: number): Stripe => {
    const { devid, offset } = stripes[index] as Stripe;
    return { devid, offset: offset + row * stripeLen + skip };
  };
  const count = stripes.length;
  if (profile === PROFILE.RAID0) return { length, copies: [place(element % count, Math.floor(element / count))] };
  if (profile === PROFILE.RAID10) {
    const pairs = count / 2;
    const row = Math.floor(element / pairs);
    const first = (element % pairs) * 2;
    return { length, copies: [place(first, row), place(first + 1, row)] };
  }
  const wide = count - (profile === PROFILE.RAID5 ? 1 : 2);
  const row = Math.floor(element / wide);
  return { length, copies: [place(((element % wide) + row) % count, row)] };
}
