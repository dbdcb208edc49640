import { join64, LittleEndianView } from "../../bytes/view.ts";
import { checksumFits } from "./checksum.ts";
import { hex, type SuperBlock } from "./super-block.ts";

/**
 * The address of an item: trees are sorted by objectid, type, offset. Numbers above 2^53 (negative ones, as the kernel
 * writes them) are rounded, which keeps the order.
 */
export interface Key {
  readonly objectid: number;
  readonly type: number;
  readonly offset: number;
}

/** Item types that are read. */
export const ITEM = {
  INODE: 1,
  INODE_REF: 12,
  INODE_EXTREF: 13,
  XATTR: 24,
  DIR_LOG_INDEX: 72,
  DIR: 84,
  DIR_INDEX: 96,
  EXTENT_DATA: 108,
  ROOT: 132,
  ROOT_REF: 156,
  CHUNK: 228,
} as const;

const HEADER = 101;
const LEAF_ITEM = 25;
const POINTER = 33;

/** A tree block: struct btrfs_header and what follows. `level` 0 is a leaf with items, others have pointers to children. */
export class Node extends LittleEndianView {
  readonly count: number;
  readonly level: number;
  readonly #stride: number;
  readonly #size: number;

  constructor(bytes: Uint8Array) {
    super(bytes, 0, bytes.length);
    this.level = this.u8(0x64);
    this.count = this.u32(0x60);
    this.#stride = this.level === 0 ? LEAF_ITEM : POINTER;
    this.#size = bytes.length;
  }

  /** What is wrong with a block that was found at `logical`; undefined for a sound one. */
  static damage(bytes: Uint8Array, logical: number, superBlock: SuperBlock): string | undefined {
    if (!checksumFits(superBlock.csumType, bytes)) return "has a wrong checksum";
    const node = new Node(bytes);
    const low = node.u32(0x30);
    const high = node.u32(0x34);
    if (high * 2 ** 32 + low !== logical) return `says that it belongs elsewhere`;
    if (hex(node.bytes(0x20, 16)) !== superBlock.metadataUuid) return "belongs to another file system";
    return node.#damage();
  }

  #damage(): string | undefined {
    const { count, level } = this;
    if (level > 7) return `has level ${level}`;
    if (count > (this.#size - HEADER) / this.#stride) return `holds ${count} items, more than fit`;
    if (level > 0 && count === 0) return "is an inner node without children";
    const floor = HEADER + count * LEAF_ITEM;
    for (let slot = 0; slot < count; slot++) {
      if (slot > 0 && this.#compareSlots(slot - 1, slot) >= 0)
        return `has its items ${slot - 1} and ${slot} in the wrong order`;
      if (level > 0) continue;
      const start = HEADER + this.u32(HEADER + slot * LEAF_ITEM + 17);
      if (start < floor || start + this.u32(HEADER + slot * LEAF_ITEM + 21) > this.#size) {
        return `has an item ${slot} outside of it`;
      }
    }
    return undefined;
  }

  get generation(): number {
    return this.u64(0x50);
  }

  objectid(slot: number): number {
    return this.#rounded(HEADER + slot * this.#stride);
  }

  type(slot: number): number {
    return this.u8(HEADER + slot * this.#stride + 8);
  }

  offset(slot: number): number {
    return this.#rounded(HEADER + slot * this.#stride + 9);
  }

  /** Of an inner node: the child's address and the generation that it must have. */
  child(slot: number): { readonly logical: number; readonly generation: number } {
    const at = HEADER + slot * POINTER + 17;
    return { logical: this.u64(at), generation: this.u64(at + 8) };
  }

  /** Of a leaf: the bytes of an item. */
  item(slot: number): Uint8Array {
    const at = HEADER + slot * LEAF_ITEM + 17;
    return this.bytes(HEADER + this.u32(at), this.u32(at + 4));
  }

  /** The last slot whose key is not above this one; -1 if all are. */
  floor(objectid: number, type: number, offset: number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.compare(middle, objectid, type, offset) <= 0) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** Negative if the slot's key is below this one. */
  compare(slot: number, objectid: number, type: number, offset: number): number {
    return this.objectid(slot) - objectid || this.type(slot) - type || this.offset(slot) - offset;
  }

  /** Exact, whatever the size of the numbers. */
  #compareSlots(left: number, right: number): number {
    const a = HEADER + left * this.#stride;
    const b = HEADER + right * this.#stride;
    return (
      this.u32(a + 4) - this.u32(b + 4) ||
      this.u32(a) - this.u32(b) ||
      this.u8(a + 8) - this.u8(b + 8) ||
      this.u32(a + 13) - this.u32(b + 13) ||
      this.u32(a + 9) - this.u32(b + 9)
    );
  }

  #rounded(at: number): number {
    return this.u32(at + 4) * 2 ** 32 + this.u32(at);
  }
}

/** struct btrfs_disk_key. Unlike a node's keys it points somewhere, so that a number above 2^53 is refused. */
export function diskKey(view: LittleEndianView, at: number): Key {
  const number = (offset: number) => join64(view.u32(offset + 4), view.u32(offset), offset);
  return { objectid: number(at), type: view.u8(at + 8), offset: view.u32(at + 13) * 2 ** 32 + view.u32(at + 9) };
}
