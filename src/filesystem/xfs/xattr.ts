import { NO_XATTRS } from "../../bytes/entry.ts";
import type { Steps } from "../../bytes/steps.ts";
import { readBlocks } from "./content.ts";
import type { ExtentMap } from "./extent-map.ts";
import { FORK_FORMAT, type Inode } from "./inode.ts";
import { kernelAcl } from "./posix-acl.ts";
import type { Volume } from "./volume.ts";
import {
  AttributeLeaf,
  type AttributeName,
  AttributeNode,
  isLeaf,
  isNode,
  localAttributes,
  nameOf,
  RemoteValueHeader,
} from "./xattr-block.ts";

/** XATTR_SIZE_MAX of Linux: nothing longer can be set or read through its system calls. */
const MAX_VALUE = 65536;
/** The same in leaves, nodes and the blocks of remote values, of version 5. */
const CHECKSUM_AT = 0x0c;
/** Of those that have their attributes outside the inode, nearly all need no more. */
const BLOCKS_EACH = 4;
/** XFS_DA_NODE_MAXDEPTH. */
const MAX_DEPTH = 5;

const ACL_NAMES: ReadonlyMap<string, string> = new Map([
  ["trusted.SGI_ACL_FILE", "system.posix_acl_access"],
  ["trusted.SGI_ACL_DEFAULT", "system.posix_acl_default"],
]);

/** What could be read, and what was wrong with the rest. */
export interface Xattrs {
  readonly values: ReadonlyMap<string, Uint8Array>;
  readonly damage: string | undefined;
}

const NONE: Xattrs = { values: NO_XATTRS, damage: undefined };

/** Collects the attributes of one inode. */
class Collector {
  readonly values = new Map<string, Uint8Array>();
  damage: string | undefined;

  add(name: AttributeName, value: Uint8Array | undefined): void {
    const full = nameOf(name);
    if (full === undefined) return;
    const aclName = ACL_NAMES.get(full);
    const shown = aclName === undefined || value === undefined ? value : kernelAcl(value);
    if (shown === undefined) this.damage ??= `the value of ${JSON.stringify(full)} is damaged`;
    else this.values.set(aclName ?? full, shown);
  }
}

/**
 * The extended attributes of inodes, which do not share attribute blocks. One reader never reads more blocks than the file
 * system has and a few for each time it is asked, since an inode is asked for once for each of its hard links.
 */
export class XattrReader {
  readonly #volume: Volume;
  #blocksLeft: number;

  constructor(volume: Volume) {
    this.#volume = volume;
    this.#blocksLeft = volume.blocks;
  }

  *read(inode: Inode): Steps<Xattrs> {
    const fork = inode.attributeFork;
    if (fork === undefined) return NONE;
    const collector = new Collector();
    if (fork.format === FORK_FORMAT.LOCAL) {
      const list = localAttributes(fork.bytes);
      if (list === undefined) return { values: NO_XATTRS, damage: "the list in the inode is damaged" };
      for (const { name, value } of list) collector.add(name, value);
      return collector;
    }
    if (fork.format === FORK_FORMAT.EXTENTS && fork.extents === 0) return NONE;
    this.#blocksLeft += BLOCKS_EACH;
    const map = this.#volume.map(inode, fork);
    collector.damage = yield* this.#leaves(map, collector);
    return collector;
  }

  /** All leaves from the first on; answers what is wrong, if anything is. */
  *#leaves(map: ExtentMap, collector: Collector): Steps<string | undefined> {
    const seen = new Set<number>();
    let at = 0;
    for (let depth = 0; ; depth++) {
      const block = yield* this.#block(map, at);
      if (block === undefined) return `block ${at} of the attributes is missing`;
      if (isLeaf(block, this.#hasChecksums)) break;
      if (!isNode(block, this.#hasChecksums) || depth >= MAX_DEPTH) return `block ${at} does not hold attributes`;
      const child = new AttributeNode(block, this.#hasChecksums).firstChild;
      if (child === undefined) return `block ${at} of their tree is damaged`;
      at = child;
    }
    do {
      if (seen.has(at)) return `block ${at} of the attributes is reached a second time`;
      seen.add(at);
      const block = yield* this.#block(map, at);
      if (block === undefined || !isLeaf(block, this.#hasChecksums)) return `block ${at} does not hold attributes`;
      const leaf = new AttributeLeaf(block, this.#hasChecksums);
      for (const attribute of leaf.attributes()) {
        if (attribute === undefined) return `block ${at} of the attributes is damaged`;
        const { name, value } = attribute;
        const isBytes = value instanceof Uint8Array;
        collector.add(name, isBytes ? value : yield* this.#remoteValue(map, value.block, value.length));
      }
      at = leaf.forw;
    } while (at !== 0);
    return collector.damage;
  }

  *#block(map: ExtentMap, logical: number): Steps<Uint8Array | undefined> {
    if (this.#blocksLeft-- <= 0) return undefined;
    const found = yield* readBlocks(this.#volume, map, logical, 1);
    if (found === undefined) return undefined;
    const { bytes, offset } = found;
    this.#volume.verify(bytes, CHECKSUM_AT, offset, "an attribute block");
    return bytes;
  }

  /** Behind a header in each block of version 5; without one on version 4. */
  *#remoteValue(map: ExtentMap, first: number, length: number): Steps<Uint8Array | undefined> {
    if (length > MAX_VALUE) return undefined;
    const value = new Uint8Array(length);
    for (let done = 0, at = first; done < length; at++) {
      const block = yield* this.#block(map, at);
      if (block === undefined) return undefined;
      const wanted = Math.min(length - done, this.#volume.blockSize);
      const part = this.#hasChecksums ? this.#behindHeader(block, done) : block.subarray(0, wanted);
      if (part === undefined || part.length === 0 || part.length > wanted) return undefined;
      value.set(part, done);
      done += part.length;
    }
    return value;
  }

  #behindHeader(block: Uint8Array, offset: number): Uint8Array | undefined {
    const { SIZE, MAGIC } = RemoteValueHeader;
    const header = new RemoteValueHeader(block, 0, SIZE);
    if (header.magic !== MAGIC || header.offset !== offset || header.length > block.length - SIZE) return undefined;
    return block.subarray(SIZE, SIZE + header.length);
  }

  get #hasChecksums(): boolean {
    return this.#volume.superBlock.hasChecksums;
  }
}
