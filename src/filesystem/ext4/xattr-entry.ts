import { LittleEndianView } from "../../bytes/view.ts";

/** First word of the attributes in an inode and of a block of them. */
export const XATTR_MAGIC = 0xea020000;
export const SYSTEM_INDEX = 7;
const INLINE_DATA_NAME = "data";

/** struct ext4_xattr_entry without its name. */
export class XattrEntry extends LittleEndianView {
  static readonly SIZE = 16;

  get nameLen(): number {
    return this.u8(0x00);
  }
  get nameIndex(): number {
    return this.u8(0x01);
  }
  get valueOffs(): number {
    return this.u16(0x02);
  }
  get valueInum(): number {
    return this.u32(0x04);
  }
  get valueSize(): number {
    return this.u32(0x08);
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
