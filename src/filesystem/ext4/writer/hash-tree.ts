import type { BytePath } from "../../../bytes/byte-path.ts";
import { crc32c } from "../../../bytes/crc32c.ts";
import { treeNotExpressible } from "../errors.ts";
import { inodeSeed } from "../inode.ts";
import { BLOCK } from "./geometry.ts";
import { halfMd4 } from "./half-md4.ts";
import type { Name } from "./node.ts";

/** s_def_hash_version and dx_root_info.hash_version: half MD4; the superblock's flags say that bytes are unsigned. */
export const HALF_MD4 = 1;
/** Behind the two names of the root: struct dx_root_info. */
const ROOT_INFO = 24;
const ROOT_INFO_LENGTH = 8;
const ROOT_ENTRIES = 32;
/** Behind the free record that an inner node looks like. */
const NODE_ENTRIES = 8;
const ENTRY = 8;
/** struct dx_tail. */
const TAIL = 8;
const ROOT_LIMIT: number = (BLOCK - ROOT_ENTRIES - TAIL) / ENTRY;
const NODE_LIMIT: number = (BLOCK - NODE_ENTRIES - TAIL) / ENTRY;

/** Where a leaf, or a node with leaves, begins. */
interface Child {
  readonly key: number;
  /** Logical. */
  readonly block: number;
}

/** The index of a large directory (feature dir_index): one or two levels over leaves in the order of the names' hashes. */
export class HashTree {
  /** In the order of the leaves. */
  readonly names: readonly Name[];
  readonly #hashes: Float64Array;
  readonly #path: BytePath;

  constructor(names: readonly Name[], seed: Int32Array, path: BytePath) {
    const hashed = names.map((name) => ({ name, ...halfMd4(name.name, seed) }));
    hashed.sort((a, b) => a.hash - b.hash || a.minor - b.minor || (a.name.name < b.name.name ? -1 : 1));
    this.names = hashed.map(({ name }) => name);
    this.#hashes = Float64Array.from(hashed, ({ hash }) => hash);
    this.#path = path;
  }

  /** Of a leaf that begins with the name of this index: odd where the leaf before ends with the same hash. */
  key(index: number): number {
    const hash = this.#hashes[index] as number;
    return index > 0 && this.#hashes[index - 1] === hash ? hash + 1 : hash;
  }

  /** The root and the nodes above leaves with these keys. */
  innerBlocks(keys: readonly number[]): number {
    if (keys.length <= ROOT_LIMIT) return 1;
    const nodes = Math.ceil(keys.length / NODE_LIMIT);
    if (nodes <= ROOT_LIMIT) return 1 + nodes;
    throw treeNotExpressible(`${this.names.length} names in one directory`, this.#path);
  }

  /** The root, which starts as `dots`, then the nodes. */
  *build(keys: readonly number[], dots: Buffer, inode: number, seed: number): Generator<Uint8Array> {
    const inner = this.innerBlocks(keys);
    const leaves = keys.map((key, index) => ({ key, block: inner + index }));
    dots[ROOT_INFO + 4] = HALF_MD4;
    dots[ROOT_INFO + 5] = ROOT_INFO_LENGTH;
    if (inner === 1) {
      yield withEntries(dots, ROOT_ENTRIES, ROOT_LIMIT, leaves, inode, seed);
      return;
    }
    dots[ROOT_INFO + 6] = 1;
    const parts = Array.from({ length: inner - 1 }, (_, index) =>
      leaves.slice(index * NODE_LIMIT, (index + 1) * NODE_LIMIT),
    );
    const nodes = parts.map((part, index) => ({ key: (part[0] as Child).key, block: 1 + index }));
    yield withEntries(dots, ROOT_ENTRIES, ROOT_LIMIT, nodes, inode, seed);
    for (const part of parts) {
      const bytes = Buffer.alloc(BLOCK);
      bytes.writeUInt16LE(BLOCK, 4);
      yield withEntries(bytes, NODE_ENTRIES, NODE_LIMIT, part, inode, seed);
    }
  }
}

/** struct dx_countlimit in the place of the first key, the children, and the checksum of all that is in use. */
function withEntries(
  bytes: Buffer,
  at: number,
  limit: number,
  children: readonly Child[],
  inode: number,
  seed: number,
): Buffer {
  for (const [index, { key, block }] of children.entries()) {
    bytes.writeUInt32LE(key, at + index * ENTRY);
    bytes.writeUInt32LE(block, at + index * ENTRY + 4);
  }
  bytes.writeUInt16LE(limit, at);
  bytes.writeUInt16LE(children.length, at + 2);
  const used = crc32c(inodeSeed(seed, inode), bytes.subarray(0, at + children.length * ENTRY));
  bytes.writeUInt32LE(crc32c(used, Buffer.alloc(TAIL)), BLOCK - TAIL + 4);
  return bytes;
}
