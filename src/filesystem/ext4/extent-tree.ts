import type { Steps } from "../../bytes/steps.ts";
import { type BlockMap, NO_END, type Run } from "./block-map.ts";
import { extentTreeDamaged } from "./errors.ts";
import { ExtentNode } from "./extent-node.ts";
import type { Volume } from "./volume.ts";

const MAX_DEPTH = 5;

/** A leaf and the logical blocks it answers for. */
interface Leaf {
  readonly node: ExtentNode;
  readonly from: number;
  readonly to: number;
}

/**
 * The extent tree of an inode. Nothing of it is kept but the last leaf: a look-up goes down from the root through blocks
 * that the volume caches, so memory does not grow with the file, and what a damaged tree can cost is bounded by its depth.
 */
export class ExtentTree implements BlockMap {
  readonly #volume: Volume;
  readonly #root: Uint8Array;
  readonly #inode: number;
  #leaf: Leaf | undefined;

  /** `root` is the inode's i_block. */
  constructor(volume: Volume, root: Uint8Array, inode: number) {
    this.#volume = volume;
    this.#root = root;
    this.#inode = inode;
  }

  *find(logical: number): Steps<Run> {
    const kept = this.#leaf;
    if (kept !== undefined && kept.from <= logical && logical < kept.to) return runInLeaf(kept, logical);
    let node = this.#node(this.#root, undefined, 0, NO_END);
    let from = 0;
    let to = NO_END;
    while (node.depth > 0) {
      const index = node.search(logical);
      if (index + 1 < node.entries) to = node.logical(index + 1);
      if (index < 0) return { count: to - logical, physical: undefined };
      from = node.logical(index);
      const block = node.child(index);
      node = this.#node(yield* this.#volume.block(block), node.depth - 1, from, to);
    }
    const leaf = { node, from, to };
    this.#leaf = leaf;
    return runInLeaf(leaf, logical);
  }

  /** Checks a node as a whole, so that whatever is looked up in it can be trusted. */
  #node(bytes: Uint8Array, depth: number | undefined, from: number, to: number): ExtentNode {
    const node = new ExtentNode(bytes, 0, bytes.length);
    const refuse = (what: string): never => {
      throw extentTreeDamaged(this.#inode, what, this.#volume.name);
    };
    const room = ExtentNode.room(bytes.length);
    if (node.magic !== ExtentNode.MAGIC) refuse(`a node has magic 0x${node.magic.toString(16)} instead of 0xf30a`);
    if (node.entries > node.max || node.max > room)
      refuse(`a node has ${node.entries} of ${node.max} entries in room for ${room}`);
    if (node.depth > MAX_DEPTH || (depth !== undefined && node.depth !== depth)) {
      refuse(`a node has depth ${node.depth} instead of ${depth ?? "at most 5"}`);
    }
    let end = from;
    for (let index = 0; index < node.entries; index++) {
      const logical = node.logical(index);
      if (logical < end || logical >= to) refuse(`block ${logical} stands out of order`);
      end = logical + 1;
      if (node.depth > 0) {
        if (!this.#volume.holds(node.child(index), 1))
          refuse(`a node at block ${node.child(index)}, outside the file system`);
        continue;
      }
      const length = node.length(index);
      end = logical + length;
      if (length === 0 || end > to) refuse(`the extent at block ${logical} has a length of ${length}`);
      if (!this.#volume.holds(node.start(index), length)) {
        refuse(`the extent at block ${logical} lies at block ${node.start(index)}, outside the file system`);
      }
    }
    return node;
  }
}

function runInLeaf({ node, to }: Leaf, logical: number): Run {
  const index = node.search(logical);
  const skipped = index < 0 ? NO_END : logical - node.logical(index);
  if (index >= 0 && skipped < node.length(index)) {
    const physical = node.isUnwritten(index) ? undefined : node.start(index) + skipped;
    return { count: node.length(index) - skipped, physical };
  }
  const next = index + 1 < node.entries ? node.logical(index + 1) : to;
  return { count: next - logical, physical: undefined };
}
