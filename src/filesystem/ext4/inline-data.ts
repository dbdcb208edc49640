import type { Inode } from "./inode.ts";
import { isInlineData, listEntries, valueIn, XATTR_MAGIC } from "./xattr-entry.ts";

/** The part of inline data that does not fit into i_block: the attribute "system.data", which may be absent. */
export function inlineRest(inode: Inode): Uint8Array {
  const space = inode.attributeSpace;
  const none = new Uint8Array(0);
  if (space === undefined || space === "damaged") return none;
  if (new DataView(space.buffer, space.byteOffset).getUint32(0, true) !== XATTR_MAGIC) return none;
  const bytes = space.subarray(4);
  const found = listEntries(bytes, 0).entries.find(({ entry, name }) => isInlineData(entry.nameIndex, name));
  if (found === undefined || found.entry.valueInum !== 0) return none;
  return valueIn(found.entry, bytes) ?? none;
}

/** All bytes of an inode with inline data: i_block, then the attribute that holds the rest. */
export function inlineBytes(inode: Inode): Uint8Array {
  const rest = inlineRest(inode);
  const bytes = new Uint8Array(inode.block.length + rest.length);
  bytes.set(inode.block);
  bytes.set(rest, inode.block.length);
  return bytes;
}
