import { type BytePath, baseName, parentPath } from "../../../bytes/byte-path.ts";
import type { DirectoryEntry, Entry, Timestamp } from "../../../bytes/entry.ts";
import type { FileTree } from "../../../bytes/file-tree.ts";
import type { Context } from "../../../context.ts";
import { timeClamped, treeNotExpressible } from "../errors.ts";
import { FIRST_SECOND, Inode, LAST_SECOND } from "../inode.ts";
import { NO_XATTR_PLACES, type XattrPlaces } from "./xattr-places.ts";

/** A stretch of an inode's blocks; `logical` counts from its beginning. */
export interface Extent {
  readonly logical: number;
  readonly start: number;
  readonly count: number;
}

export const NO_EXTENTS: readonly Extent[] = [];

/** A name in a directory. */
export interface Name {
  readonly name: BytePath;
  readonly node: Node;
}

/** An inode of the file system to be. */
export interface Node {
  /** Under its first name. */
  readonly entry: Entry;
  /** Known when all have been seen. */
  number: number;
  links: number;
  readonly mtime: Timestamp;
  /** Bytes. */
  size: number;
  extents: readonly Extent[];
  /** Blocks of the extent tree outside the inode. */
  indexBlocks: readonly number[];
  xattrs: XattrPlaces;
  /** The block of those attributes that are outside the inode; 0 for none. */
  xattrBlock: number;
  /** Of directories. */
  readonly directory: Directory | undefined;
}

export interface Directory {
  readonly parent: Node;
  readonly names: Name[];
  /** With a hash tree. */
  indexed: boolean;
}

/** What a tree holds, inodes in the order of their numbers. */
export interface Nodes {
  readonly root: Node;
  readonly lostAndFound: Node | undefined;
  /** All but the root, which has a number of its own. */
  readonly numbered: readonly Node[];
  /** By the tree's inode numbers. */
  readonly files: ReadonlyMap<number, Node>;
}

export const FIRST_INODE = 11;
export const LOST_AND_FOUND = "lost+found";
/** EXT4_LINK_MAX. */
export const MOST_LINKS = 65000;
const MOST_NAME = 255;
/** The kernel wants a NUL behind the target, in the same block. */
const MOST_TARGET = 4095;
/** Logical blocks have 32 bits. */
const MOST_BYTES = 0xffff_ffff * 4096;

/** Reads all of a tree's metadata. Throws UnsupportedError EXT_NOT_EXPRESSIBLE for what ext4 cannot hold. */
export function collect(tree: FileTree, time: Timestamp, ctx: Context): Nodes {
  const directories = new Map<BytePath, Node>();
  const files = new Map<number, Node>();
  const numbered: Node[] = [];
  const newRoot = (entry: DirectoryEntry): Node => {
    const node = newNode(entry, undefined, ctx);
    directories.set("", node);
    return node;
  };
  let root: Node | undefined;
  for (const entry of tree.walk()) {
    if (entry.path === "") {
      root = newRoot(entry as DirectoryEntry);
      continue;
    }
    root ??= newRoot(rootEntry(time));
    const parent = directories.get(parentPath(entry.path));
    if (parent?.directory === undefined) throw new Error(`${entry.path} comes before the directory that holds it`);
    const known = entry.type === "directory" ? undefined : files.get(entry.inode);
    const node = known ?? newNode(entry, parent, ctx);
    parent.directory.names.push({ name: nameOf(entry), node });
    if (known !== undefined) addLink(known);
    else numbered.push(node);
    if (entry.type === "directory") {
      parent.links++;
      directories.set(entry.path, node);
    } else files.set(entry.inode, node);
  }
  root ??= newRoot(rootEntry(time));
  return { root, files, ...withLostAndFound(root, numbered, time, ctx) };
}

/** It has the first number, as mke2fs gives it. A file of this name is left alone: e2fsck makes the directory when it needs it. */
function withLostAndFound(
  root: Node,
  numbered: Node[],
  time: Timestamp,
  ctx: Context,
): Pick<Nodes, "lostAndFound" | "numbered"> {
  const names = root.directory?.names ?? [];
  let found = names.find(({ name }) => name === LOST_AND_FOUND)?.node;
  if (found === undefined) {
    found = newNode({ ...rootEntry(time), path: LOST_AND_FOUND, mode: 0o700 }, root, ctx);
    names.push({ name: LOST_AND_FOUND, node: found });
    root.links++;
  }
  const all = [found, ...numbered.filter((node) => node !== found)];
  for (const [index, node] of all.entries()) node.number = FIRST_INODE + index;
  return { lostAndFound: found.directory === undefined ? undefined : found, numbered: all };
}

function rootEntry(mtime: Timestamp): DirectoryEntry {
  return { type: "directory", path: "", inode: 0, links: 2, mode: 0o755, uid: 0, gid: 0, mtime, xattrs: new Map() };
}

function newNode(entry: Entry, parent: Node | undefined, ctx: Context): Node {
  checkExpressible(entry);
  const node = {
    entry,
    number: Inode.ROOT,
    links: entry.type === "directory" ? 2 : 1,
    mtime: timeOf(entry, ctx),
    size: entry.type === "file" ? entry.size : 0,
    extents: NO_EXTENTS,
    indexBlocks: [],
    xattrs: NO_XATTR_PLACES,
    xattrBlock: 0,
    directory: undefined,
  };
  if (entry.type !== "directory") return node;
  const root: { directory: Directory | undefined } & Omit<Node, "directory"> = node;
  root.directory = { parent: parent ?? root, names: [], indexed: false };
  return root;
}

function addLink(node: Node): void {
  if (++node.links > MOST_LINKS)
    throw treeNotExpressible(`the file has more than ${MOST_LINKS} names`, node.entry.path);
}

/** Not after SOURCE_DATE_EPOCH, and within what an inode can hold. */
function timeOf({ mtime, path }: Entry, { epoch, diagnostic }: Context): Timestamp {
  if (epoch !== undefined && mtime.seconds >= epoch) return { seconds: epoch, nanoseconds: 0 };
  if (mtime.seconds >= FIRST_SECOND && mtime.seconds <= LAST_SECOND) return mtime;
  diagnostic(timeClamped(mtime.seconds, path));
  return { seconds: mtime.seconds < 0 ? FIRST_SECOND : LAST_SECOND, nanoseconds: 0 };
}

function nameOf({ path }: Entry): BytePath {
  const name = baseName(path);
  if (name.length > MOST_NAME) throw treeNotExpressible(`its name has ${name.length} of ${MOST_NAME} bytes`, path);
  if (name === "" || name === "." || name === "..") throw new Error(`${path} is no path`);
  return name;
}

function checkExpressible(entry: Entry): void {
  const refuse = (what: string): never => {
    throw treeNotExpressible(what, entry.path);
  };
  if (entry.uid > 0xffff_ffff || entry.gid > 0xffff_ffff) refuse(`its owner is ${entry.uid}:${entry.gid}`);
  if (entry.type === "file" && entry.size > MOST_BYTES) refuse(`a file of ${entry.size} bytes`);
  if (entry.type === "symlink" && (entry.target === "" || entry.target.length > MOST_TARGET)) {
    refuse(`a symlink's target has 1 to ${MOST_TARGET} bytes, not ${entry.target.length}`);
  }
  if (entry.type !== "character-device" && entry.type !== "block-device") return;
  if (entry.major > 0xfff || entry.minor > 0xf_ffff) refuse(`the device ${entry.major}:${entry.minor} has no number`);
}
