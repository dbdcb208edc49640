import { NO_XATTRS } from "../../bytes/entry.ts";
import type { Steps } from "../../bytes/steps.ts";
import { readBlocks } from "./content.ts";
import { INODE_FLAG, type Inode } from "./inode.ts";
import { kernelAcl } from "./posix-acl.ts";
import type { Volume } from "./volume.ts";
import {
  isInlineData,
  listEntries,
  PREFIXES,
  valueIn,
  XATTR_MAGIC,
  XattrBlockHeader,
  type XattrEntry,
} from "./xattr-entry.ts";

/** XATTR_SIZE_MAX of Linux: nothing longer can be set or read through its system calls. */
const MAX_VALUE = 65536;
const KEPT_BLOCKS = 256;

/** What could be read, and what was wrong with the rest. */
export interface Xattrs {
  readonly values: ReadonlyMap<string, Uint8Array>;
  readonly damage: string | undefined;
}

const NONE: Xattrs = { values: NO_XATTRS, damage: undefined };

/** The extended attributes of inodes. Blocks are shared by inodes that have the same attributes, so the last ones are kept. */
export class XattrReader {
  readonly #volume: Volume;
  readonly #blocks = new Map<number, Xattrs>();

  constructor(volume: Volume) {
    this.#volume = volume;
  }

  *read(inode: Inode): Steps<Xattrs> {
    const inside = yield* this.#inInode(inode);
    const block = inode.fileAcl(this.#volume.superBlock.has64Bit);
    if (block === 0) return inside;
    const outside = yield* this.#inBlock(block);
    if (inside === NONE) return outside;
    return {
      values: new Map([...outside.values, ...inside.values]),
      damage: inside.damage ?? outside.damage,
    };
  }

  *#inInode(inode: Inode): Steps<Xattrs> {
    const space = inode.attributeSpace;
    if (space === undefined) return NONE;
    if (space === "damaged")
      return { values: NO_XATTRS, damage: `inode ${inode.number} leaves no room for attributes` };
    if (new DataView(space.buffer, space.byteOffset).getUint32(0, true) !== XATTR_MAGIC) return NONE;
    return yield* this.#attributes(space.subarray(4), 0);
  }

  *#inBlock(block: number): Steps<Xattrs> {
    const kept = this.#blocks.get(block);
    if (kept !== undefined) return kept;
    const found = yield* this.#readBlock(block);
    if (this.#blocks.size >= KEPT_BLOCKS) this.#blocks.clear();
    this.#blocks.set(block, found);
    return found;
  }

  *#readBlock(block: number): Steps<Xattrs> {
    if (!this.#volume.holds(block, 1)) {
      return { values: NO_XATTRS, damage: `their block ${block} lies outside the file system` };
    }
    const bytes = yield* this.#volume.block(block);
    const header = new XattrBlockHeader(bytes);
    if (header.magic !== XATTR_MAGIC || header.blocks !== 1) {
      return { values: NO_XATTRS, damage: `block ${block} does not hold attributes` };
    }
    return yield* this.#attributes(bytes, XattrBlockHeader.SIZE);
  }

  *#attributes(bytes: Uint8Array, start: number): Steps<Xattrs> {
    const list = listEntries(bytes, start);
    let { damage } = list;
    const values = new Map<string, Uint8Array>();
    for (const { entry, name } of list.entries) {
      const prefix = PREFIXES.get(entry.nameIndex);
      if (prefix === undefined || isInlineData(entry.nameIndex, name)) continue;
      const value = yield* this.#value(entry, bytes);
      const shown = entry.nameIndex === 2 || entry.nameIndex === 3 ? value && kernelAcl(value) : value;
      if (shown === undefined) damage ??= `the value of ${JSON.stringify(prefix + name)} is damaged`;
      else values.set(prefix + name, shown);
    }
    return { values, damage };
  }

  *#value(entry: XattrEntry, bytes: Uint8Array): Steps<Uint8Array | undefined> {
    const { valueSize, valueOffs, valueInum } = entry;
    if (valueSize > MAX_VALUE) return undefined;
    if (valueInum === 0) return valueIn(entry, bytes);
    if (valueInum > this.#volume.superBlock.inodesCount || valueOffs !== 0) return undefined;
    const inode = yield* this.#volume.inode(valueInum);
    if (!inode.hasFlag(INODE_FLAG.EA_INODE) || inode.size64 !== valueSize) return undefined;
    return yield* readBlocks(this.#volume, this.#volume.map(inode), valueSize);
  }
}
