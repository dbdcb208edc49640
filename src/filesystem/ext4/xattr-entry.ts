import { crc32c } from "../../bytes/crc32c.ts";
import { LittleEndianView } from "../../bytes/view.ts";

/** First word of the attributes in an inode and of a block of them. */
export const XATTR_MAGIC = 0xea020000;
const SYSTEM_INDEX = 7;
const INLINE_DATA_NAME = "data";

/** What an entry's nameIndex stands for. */
export const PREFIXES: ReadonlyMap<number, string> = new Map([
  [1, "user."],
  [2, "system.posix_acl_access"],
  [3, "system.posix_acl_default"],
  [4, "trusted."],
  [6, "security."],
  [SYSTEM_INDEX, "system."],
  [8, "system.richacl"],
  [10, "gnu."],
]);

/** struct ext4_xattr_entry without its name. */
export class XattrEntry extends LittleEndianView {
  static readonly SIZE = 16;

  get nameLen(): number {
    return this.u8(0x00);
  }
  set nameLen(value: number) {
    this.setU8(0x00, value);
  }
  get nameIndex(): number {
    return this.u8(0x01);
  }
  set nameIndex(value: number) {
    this.setU8(0x01, value);
  }
  get valueOffs(): number {
    return this.u16(0x02);
  }
  set valueOffs(value: number) {
    this.setU16(0x02, value);
  }
  get valueInum(): number {
    return this.u32(0x04);
  }
  set valueInum(value: number) {
    this.setU32(0x04, value);
  }
  get valueSize(): number {
    return this.u32(0x08);
  }
  set valueSize(value: number) {
    this.setU32(0x08, value);
  }
  set hash(value: number) {
    this.setU32(0x0c, value);
  }
}

/** struct ext4_xattr_header, at the start of a block of attributes. */
export class XattrBlockHeader extends LittleEndianView {
  static readonly SIZE = 32;
  readonly #block: Uint8Array;

  constructor(block: Uint8Array) {
    super(block, 0, XattrBlockHeader.SIZE);
    this.#block = block;
  }

  get magic(): number {
    return this.u32(0x00);
  }
  set magic(value: number) {
    this.setU32(0x00, value);
  }
  set refCount(value: number) {
    this.setU32(0x04, value);
  }
  get blocks(): number {
    return this.u32(0x08);
  }
  set blocks(value: number) {
    this.setU32(0x08, value);
  }
  set hash(value: number) {
    this.setU32(0x0c, value);
  }

  /** CRC-32C with the feature metadata_csum, of a block by its number; to be called last. */
  setChecksum(number: number, fileSystemSeed: number): void {
    this.setU32(0x10, 0);
    const at = Buffer.alloc(8);
    at.writeUInt32LE(number % 0x1_0000_0000, 0);
    at.writeUInt32LE(Math.floor(number / 0x1_0000_0000), 4);
    this.setU32(0x10, crc32c(crc32c(fileSystemSeed, at), this.#block));
  }
}

/** Inline data is kept as the attribute "system.data", which nobody sees as one. */
export function isInlineData(index: number, name: string): boolean {
  return index === SYSTEM_INDEX && name === INLINE_DATA_NAME;
}

/** A copy, so that an attribute does not keep a whole piece of the volume in memory. */
export function valueIn({ valueOffs, valueSize }: XattrEntry, bytes: Uint8Array): Uint8Array | undefined {
  return valueOffs + valueSize > bytes.length
    ? undefined
    : Uint8Array.from(bytes.subarray(valueOffs, valueOffs + valueSize));
}

/** The entries before the first damaged one, if any. */
export interface Listed {
  readonly entries: readonly { readonly entry: XattrEntry; readonly name: string }[];
  readonly damage: string | undefined;
}

/** The entries from `start`, up to a zero word; values count from the start of `bytes`. */
export function listEntries(bytes: Uint8Array, start: number): Listed {
  const entries: { entry: XattrEntry; name: string }[] = [];
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = start; at + 4 <= bytes.length && buffer.readUInt32LE(at) !== 0; ) {
    if (at + XattrEntry.SIZE > bytes.length) return { entries, damage: "their list leaves its block" };
    const entry = new XattrEntry(bytes, at, XattrEntry.SIZE);
    const nameEnd = at + XattrEntry.SIZE + entry.nameLen;
    if (nameEnd > bytes.length) return { entries, damage: "their list leaves its block" };
    const name = buffer.toString("latin1", at + XattrEntry.SIZE, nameEnd);
    if (name.includes("\0")) return { entries, damage: "a name holds a NUL" };
    entries.push({ entry, name });
    at = (nameEnd + 3) & ~3;
  }
  return { entries, damage: undefined };
}
