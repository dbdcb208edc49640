import { crc32c } from "../../../bytes/crc32c.ts";
import type { Entry } from "../../../bytes/entry.ts";
import { DirectoryEntryHeader } from "../directory-entry.ts";
import { inodeSeed } from "../inode.ts";
import { BLOCK } from "./geometry.ts";
import { HashTree } from "./hash-tree.ts";
import type { Name, Node } from "./node.ts";

/** struct ext4_dir_entry_tail, in each block that holds names. */
const TAIL = { SIZE: 12, FILE_TYPE: 0xde } as const;
const ROOM: number = BLOCK - TAIL.SIZE;
const FILE_TYPES: Readonly<Record<Entry["type"], number>> = {
  file: 1,
  directory: 2,
  "character-device": 3,
  "block-device": 4,
  fifo: 5,
  socket: 6,
  symlink: 7,
};
/** What mke2fs leaves for e2fsck to put files into without having to find space. */
const LOST_AND_FOUND_BLOCKS = 4;

/** The names of a block with names, from a range of a list. */
interface Leaf {
  readonly from: number;
  readonly to: number;
}

/** How a directory is laid out; its blocks are built when they are wanted. */
export interface DirectoryPlan {
  readonly blocks: number;
  readonly indexed: boolean;
  /** In order. */
  build(seed: number): Generator<Uint8Array>;
}

/** One block in the order of the names, or a hash tree. Throws UnsupportedError EXT_NOT_EXPRESSIBLE for more names than that holds. */
export function planDirectory(node: Node, hashSeed: Int32Array, isLostAndFound: boolean): DirectoryPlan {
  const namesOf = (): readonly Name[] => [...dots(node), ...(node.directory?.names ?? [])];
  const leaves = split(namesOf());
  const end = leaves.at(-1)?.to ?? 0;
  if (isLostAndFound) {
    while (leaves.length < LOST_AND_FOUND_BLOCKS) leaves.push({ from: end, to: end });
  } else if (leaves.length > 1) return planHashTree(node, hashSeed);
  return {
    blocks: leaves.length,
    indexed: false,
    *build(seed) {
      const names = namesOf();
      for (const leaf of leaves) yield leafBlock(names, leaf, node.number, seed);
    },
  };
}

function planHashTree(node: Node, hashSeed: Int32Array): DirectoryPlan {
  const names = node.directory?.names ?? [];
  const tree = new HashTree(names, hashSeed, node.entry.path);
  const sorted = tree.names;
  const leaves = split(sorted);
  const keys = leaves.map(({ from }) => tree.key(from));
  const inner = tree.innerBlocks(keys);
  return {
    blocks: inner + leaves.length,
    indexed: true,
    *build(seed) {
      yield* tree.build(keys, dotRecords(node), node.number, seed);
      for (const leaf of leaves) yield leafBlock(sorted, leaf, node.number, seed);
    },
  };
}

function dots(node: Node): [Name, Name] {
  return [
    { name: ".", node },
    { name: "..", node: node.directory?.parent ?? node },
  ];
}

function recordSize({ name }: Name): number {
  return (DirectoryEntryHeader.SIZE + name.length + 3) & ~3;
}

/** As many names into each block as fit. */
function split(names: readonly Name[]): Leaf[] {
  const leaves: Leaf[] = [];
  let from = 0;
  let used = 0;
  for (const [index, name] of names.entries()) {
    const length = recordSize(name);
    if (used + length > ROOM) {
      leaves.push({ from, to: index });
      from = index;
      used = 0;
    }
    used += length;
  }
  leaves.push({ from, to: names.length });
  return leaves;
}

/** The records of "." and "..", the latter up to the end of the block, as the root of a hash tree begins. */
function dotRecords(node: Node): Buffer {
  const bytes = Buffer.alloc(BLOCK);
  const [self, parent] = dots(node);
  putRecord(bytes, 0, self, recordSize(self));
  putRecord(bytes, recordSize(self), parent, BLOCK - recordSize(self));
  return bytes;
}

function putRecord(bytes: Buffer, at: number, { name, node }: Name, length: number): void {
  const header = new DirectoryEntryHeader(bytes, at, DirectoryEntryHeader.SIZE);
  header.inode = node.number;
  header.recLen = length;
  header.nameLen = name.length;
  header.fileType = FILE_TYPES[node.entry.type];
  bytes.write(name, at + DirectoryEntryHeader.SIZE, "latin1");
}

/** The last record reaches to the tail; a block without names is one free record. */
function leafBlock(names: readonly Name[], { from, to }: Leaf, inode: number, seed: number): Uint8Array {
  const bytes = Buffer.alloc(BLOCK);
  if (from === to) new DirectoryEntryHeader(bytes, 0, DirectoryEntryHeader.SIZE).recLen = ROOM;
  let at = 0;
  for (let index = from; index < to; index++) {
    const name = names[index] as Name;
    const length = index === to - 1 ? ROOM - at : recordSize(name);
    putRecord(bytes, at, name, length);
    at += length;
  }
  const tail = new DirectoryEntryHeader(bytes, ROOM, TAIL.SIZE);
  tail.recLen = TAIL.SIZE;
  tail.fileType = TAIL.FILE_TYPE;
  bytes.writeUInt32LE(crc32c(inodeSeed(seed, inode), bytes.subarray(0, ROOM)), BLOCK - 4);
  return bytes;
}
