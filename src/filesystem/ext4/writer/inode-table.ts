import type { Entry, Timestamp } from "../../../bytes/entry.ts";
import { INODE_FLAG, Inode, MODE } from "../inode.ts";
import { extentBlocks } from "./extent-blocks.ts";
import { BLOCK, copyBlocks, copyGroups, type Geometry, GROUP_BLOCKS, INODE } from "./geometry.ts";
import type { Contents, Layout, OwnBlocks } from "./layout.ts";
import { hasSlowTarget } from "./layout.ts";
import { FIRST_INODE, MOST_LINKS, type Node } from "./node.ts";
import { EXTRA_ISIZE, type XattrValue, xattrValueHash } from "./xattr-places.ts";

export const RESIZE_INODE = 7;
export const JOURNAL_INODE = 8;
const SECTORS: number = BLOCK / 512;
const POINTERS: number = BLOCK / 4;
/** Of i_block. */
const DIRECT_POINTERS = 12;
const DOUBLE_INDIRECT = 13;
/** Of the resize inode and the journal. */
const PRIVATE: number = MODE.FILE | 0o600;

const FORMATS: Readonly<Record<Entry["type"], number>> = {
  file: MODE.FILE,
  directory: MODE.DIRECTORY,
  symlink: MODE.SYMLINK,
  "character-device": MODE.CHARACTER,
  "block-device": MODE.BLOCK,
  fifo: MODE.FIFO,
  socket: MODE.SOCKET,
};

/** Encodes inodes by number, in the order of the table. */
export class InodeTable {
  readonly #contents: Contents;
  readonly #layout: Layout;
  readonly #seed: number;
  readonly #time: Timestamp;

  /** `time` is that of the file system's own inodes. */
  constructor(contents: Contents, layout: Layout, seed: number, time: Timestamp) {
    this.#contents = contents;
    this.#layout = layout;
    this.#seed = seed;
    this.#time = time;
  }

  /** Whole blocks with the inodes from `first` on; those that are not in use are zeros. */
  blocks(first: number, count: number): Uint8Array {
    const bytes = new Uint8Array(Math.ceil((count * INODE) / BLOCK) * BLOCK);
    for (let index = 0; index < count; index++) {
      const inode = new Inode(bytes, index * INODE, INODE, first + index);
      if (this.#encode(inode)) inode.setChecksum(this.#seed);
    }
    return bytes;
  }

  #encode(inode: Inode): boolean {
    const { nodes, values } = this.#contents;
    if (inode.number === Inode.ROOT) return this.#encodeNode(inode, nodes.root);
    if (inode.number === RESIZE_INODE && this.#layout.resizeBlock > 0) return this.#encodeResize(inode);
    if (inode.number === JOURNAL_INODE && this.#layout.journal.blocks > 0) return this.#encodeJournal(inode);
    const index = inode.number - FIRST_INODE;
    if (index < 0) return false;
    const node = nodes.numbered[index];
    if (node !== undefined) return this.#encodeNode(inode, node);
    const valueIndex = index - nodes.numbered.length;
    const value = values[valueIndex];
    return value !== undefined && this.#encodeValue(inode, value, this.#layout.values[valueIndex] as OwnBlocks);
  }

  #encodeNode(inode: Inode, node: Node): boolean {
    const { entry } = node;
    inode.mode = FORMATS[entry.type] | entry.mode;
    inode.uid = entry.uid;
    inode.gid = entry.gid;
    // What has more subdirectories than that is not counted (feature dir_nlink).
    inode.linksCount = node.links > MOST_LINKS ? 1 : node.links;
    inode.size64 = entry.type === "symlink" ? entry.target.length : node.size;
    inode.extraIsize = EXTRA_ISIZE;
    inode.times = node.mtime;
    inode.fileAclBlock = node.xattrBlock;
    const { inside } = node.xattrs;
    if (inside !== undefined) inode.bytes(INODE - inside.length, inside.length).set(inside);
    if (entry.type === "character-device" || entry.type === "block-device") inode.device = entry;
    else if (entry.type === "symlink" && !hasSlowTarget(entry)) inode.block.set(Buffer.from(entry.target, "latin1"));
    else if (entry.type !== "fifo" && entry.type !== "socket") {
      this.#putExtents(inode, node, node.directory?.indexed === true ? INODE_FLAG.INDEX : 0);
    }
    inode.blocks512 = (blockCount(node) + xattrBlocks(node)) * SECTORS;
    return true;
  }

  #encodeValue(inode: Inode, { value }: XattrValue, own: OwnBlocks): boolean {
    this.#encodePrivate(inode, value.length, own, INODE_FLAG.EA_INODE);
    inode.valueHash = xattrValueHash(value, this.#seed);
    inode.valueReferences = 1;
    return true;
  }

  #encodeJournal(inode: Inode): boolean {
    const { journal } = this.#layout;
    this.#encodePrivate(inode, journal.blocks * BLOCK, journal, 0);
    return true;
  }

  #encodePrivate(inode: Inode, size: number, own: OwnBlocks, flags: number): void {
    inode.mode = PRIVATE;
    inode.linksCount = 1;
    inode.size64 = size;
    inode.extraIsize = EXTRA_ISIZE;
    inode.times = this.#time;
    this.#putExtents(inode, own, flags);
    inode.blocks512 = blockCount(own) * SECTORS;
  }

  #putExtents(inode: Inode, { extents, indexBlocks }: OwnBlocks, flags: number): void {
    inode.flags = INODE_FLAG.EXTENTS | flags;
    inode.block.set(extentBlocks(extents, indexBlocks, inode.number, this.#seed).root);
  }

  /** A file whose blocks are those in reserve for descriptors, by way of a block of pointers. */
  #encodeResize(inode: Inode): boolean {
    const { geometry, resizeBlock } = this.#layout;
    inode.mode = PRIVATE;
    inode.linksCount = 1;
    inode.size64 = (DIRECT_POINTERS + POINTERS + POINTERS * POINTERS) * BLOCK;
    inode.extraIsize = EXTRA_ISIZE;
    inode.times = this.#time;
    inode.setU32(0x28 + DOUBLE_INDIRECT * 4, resizeBlock);
    inode.blocks512 = (1 + geometry.reservedBlocks * (1 + copyGroups(geometry).length)) * SECTORS;
    return true;
  }
}

/** Those of values with inodes of their own too. */
function xattrBlocks({ xattrBlock, xattrs }: Node): number {
  const own = xattrBlock > 0 ? 1 : 0;
  return xattrs.values.reduce((sum, { value }) => sum + Math.ceil(value.length / BLOCK), own);
}

function blockCount({ extents, indexBlocks }: OwnBlocks): number {
  return extents.reduce((sum, { count }) => sum + count, indexBlocks.length);
}

/** The block of the resize inode: each block in reserve stands at the place that its descriptors will have. */
export function resizePointers({ geometry, resizeBlock }: Layout): Uint8Array {
  const bytes = Buffer.alloc(resizeBlock === 0 ? 0 : BLOCK);
  const first = copyBlocks(geometry) - geometry.reservedBlocks;
  for (let index = 0; index < geometry.reservedBlocks; index++) {
    const slot = (geometry.descriptorBlocks + index) % POINTERS;
    bytes.writeUInt32LE(first + index, slot * 4);
  }
  return bytes;
}

/** The blocks in reserve behind the first descriptors: each points to those behind the copies. */
export function reservedBlocks(geometry: Geometry): Uint8Array {
  const groups = copyGroups(geometry);
  const bytes = Buffer.alloc(groups.length === 0 ? 0 : geometry.reservedBlocks * BLOCK);
  if (bytes.length === 0) return bytes;
  const first = copyBlocks(geometry) - geometry.reservedBlocks;
  for (let index = 0; index < geometry.reservedBlocks; index++) {
    for (const [slot, group] of groups.entries()) {
      bytes.writeUInt32LE(group * GROUP_BLOCKS + first + index, index * BLOCK + slot * 4);
    }
  }
  return bytes;
}
