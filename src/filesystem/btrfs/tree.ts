import type { Steps } from "../../bytes/steps.ts";
import { nodeDamaged } from "./errors.ts";
import type { Node } from "./node.ts";
import type { Volume } from "./volume.ts";

/** Where a tree begins. */
export interface TreeRoot {
  readonly logical: number;
  readonly level: number;
  readonly generation: number;
}

interface Step {
  readonly node: Node;
  slot: number;
}

/** A place in a tree, from which it goes on in the order of keys. */
export class Cursor {
  readonly #volume: Volume;
  /** From the root to a leaf. */
  readonly #path: Step[];

  /** `path` ends at a leaf; its slot is -1 before the first item of the tree. */
  constructor(volume: Volume, path: Step[]) {
    this.#volume = volume;
    this.#path = path;
  }

  get #leaf(): Step {
    return this.#path[this.#path.length - 1] as Step;
  }
  get objectid(): number {
    return this.#leaf.node.objectid(this.#leaf.slot);
  }
  get type(): number {
    return this.#leaf.node.type(this.#leaf.slot);
  }
  get offset(): number {
    return this.#leaf.node.offset(this.#leaf.slot);
  }
  get item(): Uint8Array {
    return this.#leaf.node.item(this.#leaf.slot);
  }
  get isBeforeFirst(): boolean {
    return this.#leaf.slot < 0;
  }

  isBefore(objectid: number, type: number, offset: number): boolean {
    return this.isBeforeFirst || this.#leaf.node.compare(this.#leaf.slot, objectid, type, offset) < 0;
  }

  /** Goes to the next item; false at the end of the tree. */
  *next(): Steps<boolean> {
    const leaf = this.#leaf;
    if (leaf.slot + 1 < leaf.node.count) {
      leaf.slot++;
      return true;
    }
    this.#volume.ctx.signal.throwIfAborted();
    let depth = this.#path.length - 2;
    while (depth >= 0 && at(this.#path, depth).slot + 1 >= at(this.#path, depth).node.count) depth--;
    if (depth < 0) return false;
    at(this.#path, depth).slot++;
    const last = leaf.node;
    this.#path.length = depth + 1;
    while (this.#leaf.node.level > 0) {
      this.#path.push({ node: yield* childOf(this.#volume, this.#leaf.node, this.#leaf.slot), slot: 0 });
    }
    // Without this, overlapping children could be walked without end.
    if (last.compare(last.count - 1, this.objectid, this.type, this.offset) > 0) {
      throw nodeDamaged(0, "before and the one behind it overlap", this.#volume.name);
    }
    return true;
  }
}

function at(path: readonly Step[], depth: number): Step {
  return path[depth] as Step;
}

/** A child begins with the key that its parent has for it: so no node can stand in two places. */
function* childOf(volume: Volume, parent: Node, slot: number): Steps<Node> {
  const { logical, generation } = parent.child(slot);
  const node = yield* volume.node(logical, parent.level - 1, generation);
  if (node.count === 0) throw nodeDamaged(logical, "is empty", volume.name);
  if (node.compare(0, parent.objectid(slot), parent.type(slot), parent.offset(slot)) !== 0) {
    throw nodeDamaged(logical, "does not begin with the key by which it is found", volume.name);
  }
  return node;
}

/** A B-tree of items sorted by objectid, type and offset. */
export class Tree {
  readonly #volume: Volume;
  readonly #root: TreeRoot;

  constructor(volume: Volume, root: TreeRoot) {
    this.#volume = volume;
    this.#root = root;
  }

  /** The last item that is not above this key, or the place before the first item. */
  *floor(objectid: number, type: number, offset: number): Steps<Cursor> {
    const { logical, level, generation } = this.#root;
    const path: Step[] = [];
    for (let node = yield* this.#volume.node(logical, level, generation); ; ) {
      const slot = node.floor(objectid, type, offset);
      if (node.level === 0) {
        path.push({ node, slot });
        return new Cursor(this.#volume, path);
      }
      path.push({ node, slot: Math.max(0, slot) });
      node = yield* childOf(this.#volume, node, Math.max(0, slot));
    }
  }

  /** The first item that is not below this key; undefined at the end of the tree. */
  *from(objectid: number, type: number, offset: number): Steps<Cursor | undefined> {
    const cursor = yield* this.floor(objectid, type, offset);
    if (cursor.isBefore(objectid, type, offset) && !(yield* cursor.next())) return undefined;
    return cursor;
  }

  /** The item with this very key. */
  *get(objectid: number, type: number, offset: number): Steps<Uint8Array | undefined> {
    const cursor = yield* this.floor(objectid, type, offset);
    return cursor.isBefore(objectid, type, offset) ? undefined : cursor.item;
  }
}
