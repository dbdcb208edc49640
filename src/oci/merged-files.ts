import { type BytePath, baseName, displayPath, parentPath } from "../bytes/byte-path.ts";
import { type Entry, NO_XATTRS, type Timestamp } from "../bytes/entry.ts";
import type { Context } from "../context.ts";
import type { Where } from "../errors.ts";
import { layerEntries, layerLinkTarget, layerMetadata, layerPath } from "./errors.ts";
import type { LinkAttributes } from "./layer-reader.ts";
import type { Whiteout } from "./whiteout.ts";
import type { RunLengths } from "./zero-runs.ts";

interface InodeBase {
  /** From 1 in the order of the walk; 0 until all layers are merged. */
  number: number;
  /** Names that the merged tree has for it. */
  links: number;
  /** The layer that it comes from, and of its entries which. For a directory: the layer that named it last. */
  layer: number;
  readonly item: number;
  mode: number;
  uid: number;
  gid: number;
  /** The time in two fields, since there may be a million of them. */
  seconds: number;
  nanoseconds: number;
  xattrs: ReadonlyMap<string, Uint8Array>;
}

export interface FileInode extends InodeBase {
  readonly type: "file";
  readonly size: number;
  /** Undefined for a file without zeros to speak of. */
  runs: RunLengths | undefined;
}

export interface DirectoryInode extends InodeBase {
  readonly type: "directory";
  /** Undefined until something is in it. */
  names: Map<BytePath, Named> | undefined;
}

interface SymlinkInode extends InodeBase {
  readonly type: "symlink";
  readonly target: BytePath;
}

interface SpecialInode extends InodeBase {
  readonly type: "character-device" | "block-device" | "fifo" | "socket";
  readonly major: number;
  readonly minor: number;
}

export type Inode = FileInode | DirectoryInode | SymlinkInode | SpecialInode;

/** A further name of a file; the layer is that of the name. */
interface HardLink {
  readonly type: "link";
  readonly inode: Inode;
  readonly layer: number;
}

/** What a name in a directory stands for: the first name of an inode is the inode itself, which saves an object for each. */
export type Named = Inode | HardLink;

export function inodeOf(named: Named): Inode;
export function inodeOf(named: Named | undefined): Inode | undefined;
export function inodeOf(named: Named | undefined): Inode | undefined {
  return named?.type === "link" ? named.inode : named;
}

/** What Linux takes: NAME_MAX, PATH_MAX without its NUL, and links on the way to a file. */
const MOST_NAME = 255;
const MOST_TARGET = 4095;
const MOST_LINKS = 40;
const SYMLINK_MODE = 0o777;
const IMPLIED_MODE = 0o755;
/** Attributes above this many bytes are hardly twice the same. */
const MOST_SHARED = 512;

/**
 * The files of an image as its layers are laid over each other (image-spec "Applying Changesets"), as clients do it in one
 * directory: symlinks on the way to a file are followed inside the root, a hard link's own attributes go to the file that it
 * names, of two entries for one path the later one holds, and directories that nobody names come from what is in them.
 */
export class MergedFiles {
  readonly root: DirectoryInode;
  readonly #ctx: Context;
  readonly #shared = new Map<string, ReadonlyMap<string, Uint8Array>>();
  #layer = -1;
  #file = "";
  #isRootImplied = true;
  #count = 1;
  #bytes = 0;

  constructor(ctx: Context) {
    this.#ctx = ctx;
    this.root = implied({ seconds: 0, nanoseconds: 0 }, 0);
  }

  /** What follows lies over all that came before. */
  beginLayer(name: string): void {
    this.#layer += 1;
    this.#file = name;
  }

  /** Throws CorruptError LAYER_ENTRIES, LAYER_METADATA, LAYER_PATH. */
  add(entry: Entry, runs: RunLengths | undefined): Inode {
    if (this.#isRootImplied) this.#stampRoot(entry);
    if (entry.path === "") return this.#addRoot(entry);
    const parent = this.#parentOf(entry.path, entry.mtime);
    const name = this.#name(entry.path);
    const there = parent.names?.get(name);
    if (entry.type === "directory" && there?.type === "directory") return this.#renew(there, entry);
    const inode = this.#inode(entry, runs);
    this.#put(parent, name, inode);
    return inode;
  }

  /** Throws CorruptError LAYER_LINK_TARGET besides what `add` does. */
  link(path: BytePath, target: BytePath, attributes: LinkAttributes): void {
    const named = this.find(target);
    const inode = inodeOf(named);
    const isSame = named !== undefined && this.find(path) === named;
    if (inode === undefined || inode.type === "directory" || isSame) {
      throw layerLinkTarget(this.#where(path), displayPath(target), inode?.type);
    }
    // Clients keep the attributes of the file where a link has none of its own.
    const xattrs =
      attributes.xattrs.size === 0
        ? inode.xattrs
        : this.#interned(path, new Map([...inode.xattrs, ...attributes.xattrs]));
    Object.assign(inode, attributesOf(attributes), { xattrs });
    if (inode.type === "symlink") inode.mode = SYMLINK_MODE;
    const parent = this.#parentOf(path, attributes.mtime);
    this.#put(parent, this.#name(path), { type: "link", inode, layer: this.#layer });
  }

  /** Hides what lower layers have: what its own layer has stays, before or after the whiteout. */
  whiteout(whiteout: Whiteout): void {
    if (whiteout.kind === "reserved") return;
    if (whiteout.kind === "opaque") {
      const directory = this.#descend(whiteout.path);
      if (directory !== undefined) this.#hideBelow(directory);
      return;
    }
    const parent = this.#descend(parentPath(whiteout.path));
    const name = baseName(whiteout.path);
    const named = parent?.names?.get(name);
    if (named?.type === "directory") this.#hideBelow(named);
    const isOwn = named?.layer === this.#layer || (named?.type === "directory" && (named.names?.size ?? 0) > 0);
    if (!isOwn) parent?.names?.delete(name);
  }

  /** Symlinks are followed on the way, but not at the end. */
  find(path: BytePath): Named | undefined {
    const directory = this.#descend(parentPath(path));
    return path === "" ? this.root : directory?.names?.get(baseName(path));
  }

  /** Symlinks are followed to the end. */
  follow(path: BytePath): Inode | undefined {
    const named = inodeOf(this.find(path));
    for (let at = named, links = 0, parent = parentPath(path); ; links++) {
      if (at?.type !== "symlink") return at;
      if (links > MOST_LINKS) return undefined;
      const next = at.target.startsWith("/") ? at.target.replace(/^\/+/, "") : `${parent}/${at.target}`;
      const directory = this.#descend(next);
      if (directory !== undefined) return directory;
      at = inodeOf(this.find(next.replace(/\/+$/, "")));
      parent = parentPath(next);
    }
  }

  #where(path: BytePath): Where {
    return { file: this.#file, path: displayPath(path) };
  }

  #stampRoot({ mtime }: Entry): void {
    this.#isRootImplied = false;
    Object.assign(this.root, { seconds: mtime.seconds, nanoseconds: mtime.nanoseconds });
  }

  #addRoot(entry: Entry): Inode {
    if (entry.type !== "directory") throw layerPath(this.#where(""), "makes the root something else than a directory");
    return this.#renew(this.root, entry);
  }

  /** A directory that is named again takes the attributes and keeps what is in it. */
  #renew(directory: DirectoryInode, entry: Entry): DirectoryInode {
    const xattrs = this.#interned(entry.path, entry.xattrs);
    return Object.assign(directory, attributesOf(entry), { xattrs, layer: this.#layer });
  }

  #put(parent: DirectoryInode, name: BytePath, named: Named): void {
    parent.names ??= new Map();
    parent.names.set(name, named);
  }

  /** A string of its own: a part of a long one would keep that in memory. */
  #name(path: BytePath): BytePath {
    const name = baseName(path);
    if (name.length > MOST_NAME) {
      throw layerPath(this.#where(path), `has a name of ${name.length} bytes, more than ${MOST_NAME}`);
    }
    return this.#text(path, name);
  }

  #text(path: BytePath, text: BytePath): BytePath {
    this.#charge(path, text.length);
    return Buffer.from(text, "latin1").toString("latin1");
  }

  #charge(path: BytePath, bytes: number): void {
    this.#bytes += bytes;
    const limit = this.#ctx.limits.tableBytes;
    if (this.#bytes > limit) throw layerMetadata(this.#where(path), limit);
  }

  #interned(path: BytePath, xattrs: ReadonlyMap<string, Uint8Array>): ReadonlyMap<string, Uint8Array> {
    if (xattrs.size === 0) return NO_XATTRS;
    let key = "";
    let bytes = 0;
    for (const [name, value] of xattrs) bytes += name.length + value.length;
    if (bytes <= MOST_SHARED) {
      for (const [name, value] of xattrs) key += `${name}\0${value.length}\0${Buffer.from(value).toString("latin1")}`;
      const known = this.#shared.get(key);
      if (known !== undefined) return known;
      this.#shared.set(key, xattrs);
    }
    this.#charge(path, bytes);
    return xattrs;
  }

  #tally(path: BytePath): void {
    const limit = this.#ctx.limits.entries;
    if (++this.#count > limit) throw layerEntries(this.#where(path), limit);
  }

  #inode(entry: Entry, runs: RunLengths | undefined): Inode {
    this.#tally(entry.path);
    const { mode, uid, gid, seconds, nanoseconds } = attributesOf(entry);
    const xattrs = this.#interned(entry.path, entry.xattrs);
    const layer = this.#layer;
    const item = entry.inode;
    const base = { number: 0, links: 0, layer, item, mode, uid, gid, seconds, nanoseconds, xattrs };
    switch (entry.type) {
      case "file":
        return { type: "file", ...base, size: entry.size, runs };
      case "directory":
        return { type: "directory", ...base, names: undefined };
      case "symlink": {
        if (entry.target.length > MOST_TARGET || entry.target.includes("\0")) {
          throw layerPath(this.#where(entry.path), "is a symlink that no file system can hold");
        }
        return { type: "symlink", ...base, mode: SYMLINK_MODE, target: this.#text(entry.path, entry.target) };
      }
      case "character-device":
      case "block-device":
        return { type: entry.type, ...base, major: entry.major, minor: entry.minor };
      default:
        return { type: entry.type, ...base, major: 0, minor: 0 };
    }
  }

  /** The directory that holds `path`, made where it is missing. */
  #parentOf(path: BytePath, mtime: Timestamp): DirectoryInode {
    const parent = parentPath(path);
    const make = (at: DirectoryInode, name: BytePath, there: Named | undefined): DirectoryInode => {
      if (there?.layer === this.#layer) throw layerPath(this.#where(path), "leads through what is no directory");
      this.#tally(path);
      const made = implied(mtime, this.#layer);
      this.#put(at, this.#name(name), made);
      return made;
    };
    const found = this.#descend(parent, make);
    if (found === undefined) throw layerPath(this.#where(path), "leads through too many links or directories");
    return found;
  }

  /** The directory `path`, through symlinks but never out of the root; undefined where there is none and `make` is absent. */
  #descend(
    path: BytePath,
    make?: (at: DirectoryInode, name: BytePath, there: Named | undefined) => DirectoryInode,
  ): DirectoryInode | undefined {
    const stack = [this.root];
    const pending = path.split("/").reverse();
    for (let steps = 0, links = 0; pending.length > 0; steps++) {
      if (steps > this.#ctx.limits.depth || stack.length > this.#ctx.limits.depth) return undefined;
      const name = pending.pop() as string;
      if (name === "" || name === ".") continue;
      const at = stack.at(-1) as DirectoryInode;
      if (name === "..") {
        if (stack.length > 1) stack.pop();
        continue;
      }
      const named = at.names?.get(name);
      const inode = inodeOf(named);
      if (inode?.type === "directory") stack.push(inode);
      else if (inode?.type === "symlink") {
        if (++links > MOST_LINKS) return undefined;
        if (inode.target.startsWith("/")) stack.length = 1;
        pending.push(...inode.target.split("/").reverse());
      } else if (make === undefined) return undefined;
      else stack.push(make(at, name, named));
    }
    return stack.at(-1);
  }

  /** Takes out of a directory what the current layer did not put there. */
  #hideBelow(directory: DirectoryInode): void {
    for (const [name, named] of directory.names ?? []) {
      if (named.type === "directory") this.#hideBelow(named);
      const holds = named.type === "directory" && (named.names?.size ?? 0) > 0;
      if (named.layer !== this.#layer && !holds) directory.names?.delete(name);
    }
  }
}

function attributesOf({ mode, uid, gid, mtime }: LinkAttributes) {
  return { mode, uid, gid, seconds: mtime.seconds, nanoseconds: mtime.nanoseconds };
}

/** As clients make it, but with the time of what it is made for instead of now: the same image gives the same tree. */
function implied({ seconds, nanoseconds }: Timestamp, layer: number): DirectoryInode {
  const base = { number: 0, links: 0, layer, item: 0, mode: IMPLIED_MODE, uid: 0, gid: 0, seconds, nanoseconds };
  return { type: "directory", ...base, xattrs: NO_XATTRS, names: undefined };
}
