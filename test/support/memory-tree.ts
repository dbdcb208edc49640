import { type GuestTree, mountTree } from "../../converters/guest/tree.ts";
import { type BytePath, parentPath } from "../../src/bytes/byte-path.ts";
import type { Entry, FileEntry, Timestamp } from "../../src/bytes/entry.ts";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import type { FileSystem } from "../../src/filesystem/file-system.ts";

/** An entry of a tree in memory; what is not said is root's, mode 0644 or 0755, of 2023. */
export interface MemoryNode {
  readonly text?: string;
  readonly bytes?: Uint8Array;
  readonly link?: string;
  readonly device?: readonly [type: "character-device" | "block-device", major: number, minor: number];
  readonly special?: "fifo" | "socket";
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: Timestamp;
  readonly xattrs?: Readonly<Record<string, string>>;
  /** Another name of the file by this path, which must come before in byte order. */
  readonly hardLinkOf?: string;
}

/** Paths to contents; a path that ends with `/` is a directory, `-> target` is a symlink. Parents need not be named. */
export type MemoryFiles = Readonly<Record<string, string | MemoryNode>>;

/** A file system from a record: a guest for tests of policies. */
export function memoryFileSystem(files: MemoryFiles): Pick<FileSystem, "walk" | "lookup" | "content"> {
  const entries = new Map<BytePath, Entry>();
  const contents = new Map<number, Uint8Array>();
  const links = new Map<number, number>();
  const add = (path: BytePath, node: MemoryNode, directory: boolean): void => {
    if (path !== "" && !entries.has(parentPath(path))) add(parentPath(path), {}, true);
    const target = node.hardLinkOf === undefined ? undefined : entries.get(node.hardLinkOf);
    const inode = target?.inode ?? entries.size + 2;
    links.set(inode, (links.get(inode) ?? 0) + 1);
    const bytes = contents.get(inode) ?? node.bytes ?? Buffer.from(node.text ?? "", "utf8");
    contents.set(inode, bytes);
    entries.set(path, entryOf(path, node, directory, inode, bytes.length));
  };
  add("", {}, true);
  for (const [path, content] of Object.entries(files)) {
    const node = typeof content === "string" ? nodeOf(content) : content;
    add(path.replace(/\/$/, ""), node, path.endsWith("/"));
  }
  const linked = (entry: Entry): Entry => ({ ...entry, links: links.get(entry.inode) ?? 1 });
  const sorted = [...entries.values()].sort((a, b) => (treeKey(a.path) < treeKey(b.path) ? -1 : 1));
  return {
    async *walk(enter = () => true) {
      const closed: string[] = [];
      for (const entry of sorted.map(linked)) {
        if (closed.some((path) => entry.path.startsWith(path))) continue;
        if (entry.type === "directory" && !enter(entry)) closed.push(entry.path === "" ? "" : `${entry.path}/`);
        yield entry;
      }
    },
    async lookup(path) {
      const entry = entries.get(path);
      return entry && linked(entry);
    },
    content: (file: FileEntry) => new MemorySource(contents.get(file.inode) ?? new Uint8Array(0), file.path),
  };
}

/** The same as a machine's tree. */
export function memoryTree(files: MemoryFiles): GuestTree {
  return mountTree([{ path: "", fileSystem: memoryFileSystem(files) }]);
}

function nodeOf(content: string): MemoryNode {
  return content.startsWith("-> ") ? { link: content.slice(3) } : { text: content };
}

/** Names of one directory in byte order, each directory right before what it holds. */
function treeKey(path: BytePath): string {
  return path.replaceAll("/", "\0");
}

function entryOf(path: BytePath, node: MemoryNode, directory: boolean, inode: number, size: number): Entry {
  const xattrs = new Map(
    Object.entries(node.xattrs ?? {}).map(([name, value]) => [name, Buffer.from(value, "latin1")]),
  );
  const { uid = 0, gid = 0, mtime = { seconds: 1_700_000_000, nanoseconds: 0 } } = node;
  const base = { path, inode, links: 1, mode: node.mode ?? (directory ? 0o755 : 0o644), uid, gid, mtime, xattrs };
  if (directory) return { ...base, type: "directory" };
  if (node.link !== undefined) return { ...base, type: "symlink", target: node.link };
  if (node.special !== undefined) return { ...base, type: node.special };
  if (node.device === undefined) return { ...base, type: "file", size };
  const [type, major, minor] = node.device;
  return { ...base, type, major, minor };
}
