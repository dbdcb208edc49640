import { type BytePath, bytePath } from "../../bytes/byte-path.ts";
import type { Steps } from "../../bytes/steps.ts";
import { LittleEndianView } from "../../bytes/view.ts";
import { inodeDamaged, nodeDamaged, subvolumeMissing } from "./errors.ts";
import { dirItems, FIRST_FREE, FS_TREE, latin1, RootItem } from "./items.ts";
import { ITEM } from "./node.ts";
import { type LoggedInode, Subvolume } from "./subvolume.ts";
import { Tree } from "./tree.ts";
import type { Volume } from "./volume.ts";

const LAST = 2 ** 64;

/** Changes by subvolume and inode. */
export type Logged = ReadonlyMap<number, ReadonlyMap<number, LoggedInode>>;

/** struct btrfs_root_ref without its name: where the root of a subvolume stands in its parent. */
class RootRef extends LittleEndianView {
  static readonly SIZE = 0x12;

  get dirid(): number {
    return this.u64(0x00);
  }
  get nameLen(): number {
    return this.u16(0x10);
  }
}

/** The subvolumes of a file system, by what the tree of roots says. */
export class Subvolumes {
  readonly #volume: Volume;
  readonly #roots: Tree;
  readonly #logged: Logged;
  readonly #open = new Map<number, Subvolume | undefined>();

  constructor(volume: Volume, logged: Logged = new Map()) {
    const { root, rootLevel, generation } = volume.superBlock;
    this.#volume = volume;
    this.#roots = new Tree(volume, { logical: root, level: rootLevel, generation });
    this.#logged = logged;
  }

  /** Undefined where there is none with this id, or where it is being deleted. */
  *byId(id: number): Steps<Subvolume | undefined> {
    if (this.#open.has(id)) return this.#open.get(id);
    const tree = id === FS_TREE || id >= FIRST_FREE ? yield* this.#tree(id) : undefined;
    const subvolume = tree === undefined ? undefined : new Subvolume(this.#volume, id, tree, this.#logged.get(id));
    this.#open.set(id, subvolume);
    return subvolume;
  }

  *#tree(id: number): Steps<Tree | undefined> {
    const cursor = yield* this.#roots.floor(id, ITEM.ROOT, LAST);
    if (cursor.isBeforeFirst || cursor.objectid !== id || cursor.type !== ITEM.ROOT) return undefined;
    const root = rootItem(cursor.item, id, this.#volume);
    if (root.refs === 0) return undefined;
    return new Tree(this.#volume, { logical: root.bytenr, level: root.level, generation: root.generation });
  }

  /** The subvolume that is mounted when none is named. */
  *ofDefault(): Steps<Subvolume> {
    const id = (yield* this.#defaultId()) ?? FS_TREE;
    const subvolume = yield* this.byId(id);
    if (subvolume !== undefined) return subvolume;
    throw subvolumeMissing(id, this.#volume.name);
  }

  *#defaultId(): Steps<number | undefined> {
    const directory = this.#volume.superBlock.rootDirObjectid;
    let cursor = yield* this.#roots.from(directory, ITEM.DIR, 0);
    while (cursor !== undefined && cursor.objectid === directory && cursor.type === ITEM.DIR) {
      const found = dirItems(cursor.item)?.find(({ name }) => name === "default");
      if (found !== undefined) return found.location.objectid;
      if (!(yield* cursor.next())) cursor = undefined;
    }
    return undefined;
  }

  /** By id, or by path from the top level. Throws NotFoundError BTRFS_SUBVOLUME. */
  *named(subvolume: string | number): Steps<Subvolume> {
    const found = typeof subvolume === "number" ? yield* this.byId(subvolume) : yield* this.#byPath(subvolume);
    if (found !== undefined) return found;
    throw subvolumeMissing(subvolume, this.#volume.name);
  }

  *#byPath(text: string): Steps<Subvolume | undefined> {
    let subvolume = yield* this.byId(FS_TREE);
    let directory = FIRST_FREE;
    for (const name of toBytes(text)
      .split("/")
      .filter((part) => part !== "")) {
      if (subvolume === undefined) return undefined;
      const records: readonly {
        readonly name: BytePath;
        readonly location: { readonly objectid: number; readonly type: number };
      }[] = yield* subvolume.names(directory, "");
      const found = records.find((record) => record.name === name);
      if (found === undefined) return undefined;
      if (found.location.type !== ITEM.ROOT) {
        directory = found.location.objectid;
        continue;
      }
      subvolume = yield* this.childOf(subvolume, directory, name, found.location.objectid);
      directory = FIRST_FREE;
    }
    return directory === FIRST_FREE ? subvolume : undefined;
  }

  /**
   * The subvolume `id` at a name in a directory of another one. Undefined where it does not belong there, as in a snapshot of
   * its parent: Linux shows an empty directory.
   */
  *childOf(parent: Subvolume, directory: number, name: BytePath, id: number): Steps<Subvolume | undefined> {
    const bytes = yield* this.#roots.get(parent.id, ITEM.ROOT_REF, id);
    if (bytes === undefined || bytes.length < RootRef.SIZE) return undefined;
    const ref = new RootRef(bytes, 0, RootRef.SIZE);
    const fits = ref.dirid === directory && latin1(bytes, RootRef.SIZE, RootRef.SIZE + ref.nameLen) === name;
    return fits ? yield* this.byId(id) : undefined;
  }

  /** Ids in ascending order. */
  *ids(): Steps<number[]> {
    const ids: number[] = [];
    let cursor = yield* this.#roots.from(FS_TREE, ITEM.ROOT, 0);
    while (cursor !== undefined && cursor.objectid < LAST / 2) {
      const { objectid } = cursor;
      if (cursor.type === ITEM.ROOT && (objectid === FS_TREE || objectid >= FIRST_FREE) && ids.at(-1) !== objectid) {
        ids.push(objectid);
        if (ids.length * 8 > this.#volume.ctx.limits.tableBytes) {
          throw nodeDamaged(
            this.#volume.superBlock.root,
            `leads to more than ${ids.length} subvolumes`,
            this.#volume.name,
          );
        }
      }
      if (!(yield* cursor.next())) cursor = undefined;
    }
    return ids;
  }
}

/** Throws CorruptError BTRFS_INODE for an item that is too short. */
export function rootItem(bytes: Uint8Array, id: number, volume: Volume): RootItem {
  if (bytes.length >= RootItem.SIZE) return new RootItem(bytes);
  throw inodeDamaged(id, `is a subvolume whose item has ${bytes.length} bytes`, volume.name);
}

/** A path may come from fstab, where it is bytes already, or from an option. */
function toBytes(text: string): BytePath {
  return /^[\0-\xff]*$/.test(text) && /[\x80-\xff]/.test(text) ? text : bytePath(text);
}
