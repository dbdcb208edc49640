import { type BytePath, joinPath, parentPath } from "../../src/bytes/byte-path.ts";
import { type ByteSource, readAll } from "../../src/bytes/byte-source.ts";
import type { DirectoryEntry, Entry, FileEntry } from "../../src/bytes/entry.ts";
import { type FileSystem, follow } from "../../src/filesystem/file-system.ts";

/**
 * The files of a machine as it sees them itself: its root file system with the others mounted in their places. `inode` is
 * unique over the whole tree; the order of `walk` is that of a single file system. Borrows the file systems.
 */
export interface GuestTree extends Pick<FileSystem, "walk" | "lookup" | "content"> {
  /** One entry by path, through symlinks, as the running machine would find it. Its `path` is the real one. */
  follow(path: BytePath): Promise<Entry | undefined>;
  /**
   * The content of a file, through symlinks; undefined where there is no such file. More than `limit` bytes (16 MiB) are
   * refused with CorruptError BYTES_TOO_LARGE.
   */
  readFile(path: BytePath, limit?: number): Promise<Uint8Array | undefined>;
  /** What a directory holds, in byte order, through symlinks to the directory; nothing where there is no such directory. */
  list(path: BytePath): Promise<readonly Entry[]>;
}

/** A file system and the place of its root in the tree: a path without symlinks, "" for the root itself. */
export interface Mount {
  readonly path: BytePath;
  readonly fileSystem: Pick<FileSystem, "walk" | "lookup" | "content">;
}

/** The walk over one mount, as far as it has come. */
interface Walk {
  readonly mount: Mount;
  readonly entries: AsyncIterator<Entry>;
}

const READ_LIMIT = 16 << 20;

/**
 * Puts file systems together. The first mount is the root; each other one lies on a directory of those before it, and hides
 * what that directory held. Of two on the same path the later one counts.
 */
export function mountTree(mounts: readonly [Mount, ...Mount[]]): GuestTree {
  return new MountedTree(mounts);
}

class MountedTree implements GuestTree {
  readonly #root: Mount;
  readonly #byPath: ReadonlyMap<BytePath, Mount>;
  /** The deepest first, so that the first one that fits is the right one. */
  readonly #deepestFirst: readonly Mount[];
  readonly #inodes: TreeInodes;

  constructor(mounts: readonly [Mount, ...Mount[]]) {
    this.#root = mounts[0];
    this.#byPath = new Map(mounts.slice(1).map((mount) => [mount.path, mount]));
    this.#deepestFirst = [...this.#byPath.values()].sort((a, b) => b.path.length - a.path.length);
    this.#inodes = new TreeInodes([this.#root, ...this.#deepestFirst]);
  }

  /** One loop over a pile of walks: measured, handing entries up through nested generators costs 10 us for each level. */
  async *walk(enter: (directory: DirectoryEntry) => boolean = () => true): AsyncGenerator<Entry, void> {
    const pile = [this.#begin(this.#root, enter)];
    try {
      for (let top = pile.at(-1); top !== undefined; top = pile.at(-1)) {
        const { value: found, done } = await top.entries.next();
        if (done === true) {
          pile.pop();
          continue;
        }
        const entry = this.#outward(top.mount, found);
        const covering = entry.type === "directory" ? this.#mountOn(top.mount, entry.path) : undefined;
        if (covering === undefined) yield entry;
        else pile.push(this.#begin(covering, enter));
      }
    } finally {
      for (const { entries } of pile.reverse()) await entries.return?.();
    }
  }

  #begin(mount: Mount, enter: (directory: DirectoryEntry) => boolean): Walk {
    const walk = mount.fileSystem.walk((directory) => {
      const entry = this.#outward(mount, directory);
      return this.#mountOn(mount, entry.path) === undefined && enter(entry);
    });
    return { mount, entries: walk[Symbol.asyncIterator]() };
  }

  async lookup(path: BytePath): Promise<Entry | undefined> {
    const mount = this.#holding(path);
    const entry = await mount.fileSystem.lookup(inward(mount, path));
    return entry && this.#outward(mount, entry);
  }

  content(file: FileEntry): ByteSource {
    const { mount, inode } = this.#inodes.inward(file.inode);
    if (mount === this.#root && inode === file.inode) return mount.fileSystem.content(file);
    return mount.fileSystem.content(moved(file, inward(mount, file.path), inode));
  }

  follow(path: BytePath): Promise<Entry | undefined> {
    return follow(this, path);
  }

  async readFile(path: BytePath, limit = READ_LIMIT): Promise<Uint8Array | undefined> {
    const entry = await this.follow(path);
    return entry?.type === "file" ? await readAll(this.content(entry), limit) : undefined;
  }

  async list(path: BytePath): Promise<readonly Entry[]> {
    const directory = await this.follow(path);
    if (directory?.type !== "directory") return [];
    const onTheWay = (at: BytePath) => at === "" || at === directory.path || directory.path.startsWith(`${at}/`);
    const held: Entry[] = [];
    for await (const entry of this.walk(({ path }) => onTheWay(path))) {
      if (entry.path !== "" && parentPath(entry.path) === directory.path) held.push(entry);
      else if (held.length > 0) break;
    }
    return held;
  }

  /** The mount that covers a directory of `parent`; a mount's own root is not covered by itself. */
  #mountOn(parent: Mount, path: BytePath): Mount | undefined {
    const found = this.#byPath.get(path);
    return found === parent ? undefined : found;
  }

  #holding(path: BytePath): Mount {
    const holds = ({ path: at }: Mount) =>
      path.startsWith(at) && (path.length === at.length || path[at.length] === "/");
    return this.#deepestFirst.find(holds) ?? this.#root;
  }

  /** Measured: 0.1 us an entry; those of the root file system need no copy. */
  #outward<E extends Entry>(mount: Mount, entry: E): E {
    const inode = this.#inodes.outward(mount, entry.inode);
    if (mount === this.#root && inode === entry.inode) return entry;
    return moved(entry, entry.path === "" ? mount.path : joinPath(mount.path, entry.path), inode);
  }
}

function inward(mount: Mount, path: BytePath): BytePath {
  return mount.path === "" ? path : path.slice(mount.path.length + 1);
}

/** Field by field, because a file system may give entries whose fields are getters. */
function moved<E extends Entry>(entry: E, path: BytePath, inode: number): E;
function moved(entry: Entry, path: BytePath, inode: number): Entry {
  const { links, mode, uid, gid, mtime, xattrs } = entry;
  const base = { path, inode, links, mode, uid, gid, mtime, xattrs };
  switch (entry.type) {
    case "file":
      return { ...base, type: entry.type, size: entry.size };
    case "symlink":
      return { ...base, type: entry.type, target: entry.target };
    case "character-device":
    case "block-device":
      return { ...base, type: entry.type, major: entry.major, minor: entry.minor };
    default:
      return { ...base, type: entry.type };
  }
}

const INODES_OF_ONE = 2 ** 44;
const MOST_NUMBERED = 256;
const FIRST_ODD = MOST_NUMBERED * INODES_OF_ONE;

interface Origin {
  readonly mount: Mount;
  readonly inode: number;
}

/**
 * Numbers that are unique over all mounts: the mount's index times 2^44 plus the inode. What does not fit (btrfs and XFS may
 * use any 64-bit number; more than 256 mounts) gets a number above 2^52 from a table.
 */
class TreeInodes {
  readonly #mounts: readonly Mount[];
  readonly #index: ReadonlyMap<Mount, number>;
  readonly #odd = new Map<Mount, Map<number, number>>();
  readonly #oddOrigins: Origin[] = [];

  constructor(mounts: readonly Mount[]) {
    this.#mounts = mounts;
    this.#index = new Map(mounts.map((mount, index) => [mount, index]));
  }

  outward(mount: Mount, inode: number): number {
    const index = this.#index.get(mount) ?? MOST_NUMBERED;
    if (inode < INODES_OF_ONE && index < MOST_NUMBERED) return index * INODES_OF_ONE + inode;
    const numbers = this.#odd.get(mount) ?? new Map<number, number>();
    const known = numbers.get(inode);
    if (known !== undefined) return known;
    const number = FIRST_ODD + this.#oddOrigins.length;
    this.#oddOrigins.push({ mount, inode });
    this.#odd.set(mount, numbers.set(inode, number));
    return number;
  }

  /** The other way round. Throws a plain Error for a number that this tree never gave. */
  inward(number: number): Origin {
    if (number >= FIRST_ODD) {
      const origin = this.#oddOrigins[number - FIRST_ODD];
      if (origin !== undefined) return origin;
    } else {
      const index = Math.floor(number / INODES_OF_ONE);
      const mount = this.#mounts[index];
      if (mount !== undefined) return { mount, inode: number - index * INODES_OF_ONE };
    }
    throw new Error(`inode ${number} is not of this tree`);
  }
}
