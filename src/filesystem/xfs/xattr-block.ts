import { BigEndianView } from "../../bytes/view.ts";

const LEAF = { V4: 0xfbee, V5: 0x3bee } as const;
const NODE = { V4: 0xfebe, V5: 0x3ebe } as const;
const LEAF_HEADER = { V4: 0x20, V5: 0x50 } as const;
const NODE_HEADER = { V4: 0x10, V5: 0x40 } as const;
const COUNT_AT = { V4: 0x0c, V5: 0x38 } as const;
const ENTRY = 8;

/** xfs_attr_leaf_entry.flags, and those of the short form. */
const FLAG = { LOCAL: 0x01, ROOT: 0x02, SECURE: 0x04, PARENT: 0x08, INCOMPLETE: 0x80 } as const;

/** A name as it is stored: its bytes, and its namespace in flags. */
export interface AttributeName {
  readonly bytes: Uint8Array;
  readonly flags: number;
}

/** An attribute with its value, or with where that lies in the attribute fork. */
export interface Attribute {
  readonly name: AttributeName;
  readonly value: Uint8Array | { readonly block: number; readonly length: number };
}

/** The name as system calls have it; undefined for what they do not show. */
export function nameOf({ bytes, flags }: AttributeName): string | undefined {
  if ((flags & (FLAG.PARENT | FLAG.INCOMPLETE)) !== 0) return undefined;
  const prefix = (flags & FLAG.ROOT) !== 0 ? "trusted." : (flags & FLAG.SECURE) !== 0 ? "security." : "user.";
  return prefix + Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}

/** struct xfs_attr_sf_hdr and its entries, in the inode; undefined if they are damaged. */
export function localAttributes(bytes: Uint8Array): { name: AttributeName; value: Uint8Array }[] | undefined {
  if (bytes.length < 4) return undefined;
  const view = new ShortForm(bytes, 0, 4);
  const size = Math.min(view.totSize, bytes.length);
  const list: { name: AttributeName; value: Uint8Array }[] = [];
  let at = 4;
  for (let index = 0; index < view.count; index++) {
    const [nameLength = 0, valueLength = 0, flags = 0] = bytes.subarray(at, at + 3);
    const valueAt = at + 3 + nameLength;
    if (nameLength === 0 || valueAt + valueLength > size) return undefined;
    const name = { bytes: bytes.subarray(at + 3, valueAt), flags };
    list.push({ name, value: bytes.subarray(valueAt, valueAt + valueLength) });
    at = valueAt + valueLength;
  }
  return list;
}

class ShortForm extends BigEndianView {
  get totSize(): number {
    return this.u16(0x00);
  }
  get count(): number {
    return this.u8(0x02);
  }
}

/** struct xfs_da_blkinfo. */
class BlockInfo extends BigEndianView {
  get magic(): number {
    return this.u16(0x08);
  }
}

function magicOf(block: Uint8Array): number {
  return new BlockInfo(block, 0, 0x0c).magic;
}

export function isLeaf(block: Uint8Array, hasChecksums: boolean): boolean {
  return magicOf(block) === (hasChecksums ? LEAF.V5 : LEAF.V4);
}

export function isNode(block: Uint8Array, hasChecksums: boolean): boolean {
  return magicOf(block) === (hasChecksums ? NODE.V5 : NODE.V4);
}

/** struct xfs_da_intnode or xfs_da3_intnode. */
export class AttributeNode extends BigEndianView {
  readonly #version: "V4" | "V5";

  constructor(block: Uint8Array, hasChecksums: boolean) {
    super(block, 0, block.length);
    this.#version = hasChecksums ? "V5" : "V4";
  }

  /** Block of the attribute fork; undefined if there is none. */
  get firstChild(): number | undefined {
    if (this.u16(COUNT_AT[this.#version]) === 0) return undefined;
    return this.u32(NODE_HEADER[this.#version] + 4) || undefined;
  }
}

/** struct xfs_attr_leafblock or xfs_attr3_leafblock. */
export class AttributeLeaf extends BigEndianView {
  readonly #size: number;
  readonly #version: "V4" | "V5";

  constructor(block: Uint8Array, hasChecksums: boolean) {
    super(block, 0, block.length);
    this.#size = block.length;
    this.#version = hasChecksums ? "V5" : "V4";
  }

  /** The next leaf, a block of the attribute fork; 0 if this is the last one. */
  get forw(): number {
    return this.u32(0x00);
  }
  get count(): number {
    return this.u16(COUNT_AT[this.#version]);
  }

  /** All attributes in the order of their hashes, undefined for one that is damaged. */
  *attributes(): Generator<Attribute | undefined> {
    const table = LEAF_HEADER[this.#version];
    if (table + this.count * ENTRY > this.#size) yield undefined;
    else for (let index = 0; index < this.count; index++) yield this.#attribute(table + index * ENTRY);
  }

  #attribute(entryAt: number): Attribute | undefined {
    const at = this.u16(entryAt + 4);
    const flags = this.u8(entryAt + 6);
    const isLocal = (flags & FLAG.LOCAL) !== 0;
    const lengthAt = at + (isLocal ? 2 : 8);
    if (lengthAt >= this.#size) return undefined;
    const nameAt = lengthAt + 1;
    const valueAt = nameAt + this.u8(lengthAt);
    const valueLength = isLocal ? this.u16(at) : 0;
    if (valueAt === nameAt || valueAt + valueLength > this.#size) return undefined;
    const name = { bytes: this.bytes(nameAt, valueAt - nameAt), flags };
    if (isLocal) return { name, value: this.bytes(valueAt, valueLength) };
    return { name, value: { block: this.u32(at), length: this.u32(at + 4) } };
  }
}

/** struct xfs_attr3_rmt_hdr. */
export class RemoteValueHeader extends BigEndianView {
  static readonly MAGIC = 0x5841524d;
  static readonly SIZE = 0x38;

  get magic(): number {
    return this.u32(0x00);
  }
  /** Bytes of the value in the blocks before. */
  get offset(): number {
    return this.u32(0x04);
  }
  get length(): number {
    return this.u32(0x08);
  }
}
