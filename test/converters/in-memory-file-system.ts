import { type BytePath, baseName, joinPath, parentPath } from "../../src/bytes/byte-path.ts";
import type { ByteSource } from "../../src/bytes/byte-source.ts";
import { type DirectoryEntry, type Entry, type FileEntry, NO_XATTRS } from "../../src/bytes/entry.ts";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import type { FileSystem } from "../../src/filesystem/file-system.ts";

/** What a path holds: the text of a file, a symlink, another name of an earlier file, or a directory (null). */
export type Node = string | { readonly target: BytePath } | { readonly linkTo: BytePath } | null;

export interface InMemoryOptions {
  readonly type?: string;
  readonly uuid?: string;
  readonly label?: string;
  /** Added to every inode number. */
  readonly inodeBase?: number;
}

/** A file system for tests that keeps the contract of the real ones; parents of the paths are made. */
export class InMemoryFileSystem implements FileSystem {
  readonly type: string;
  readonly uuid: string | undefined;
  readonly label: string | undefined;
  readonly size = 1 << 20;
  readonly used = undefined;
  readonly entries = new Map<BytePath, Entry>();
  readonly #texts = new Map<number, string>();
  readonly #children = new Map<BytePath, string[]>();

  constructor(nodes: Readonly<Record<BytePath, Node>>, options: InMemoryOptions = {}) {
    this.type = options.type ?? "ext4";
    this.uuid = options.uuid;
    this.label = options.label;
    let next = (options.inodeBase ?? 0) + 2;
    const add = (path: BytePath, node: Node): void => {
      if (this.entries.has(path)) return;
      if (path !== "") {
        add(parentPath(path), null);
        this.#children.get(parentPath(path))?.push(baseName(path));
      }
      if (node === null) this.#children.set(path, []);
      const entry = this.#entry(path, node, next++);
      this.entries.set(path, entry);
      if (typeof node === "string") this.#texts.set(entry.inode, node);
    };
    add("", null);
    for (const [path, node] of Object.entries(nodes)) add(path, node);
    for (const names of this.#children.values())
      names.sort((a, b) => Buffer.from(a, "latin1").compare(Buffer.from(b, "latin1")));
  }

  #entry(path: BytePath, node: Node, inode: number): Entry {
    const base = {
      path,
      inode,
      links: 1,
      mode: 0o755,
      uid: 0,
      gid: 0,
      mtime: { seconds: 0, nanoseconds: 0 },
      xattrs: NO_XATTRS,
    };
    if (node === null) return { ...base, type: "directory" };
    if (typeof node === "string") return { ...base, type: "file", size: node.length };
    if ("target" in node) return { ...base, type: "symlink", target: node.target };
    const first = this.entries.get(node.linkTo);
    if (first === undefined) throw new Error(`no ${node.linkTo}`);
    return { ...first, path };
  }

  async *walk(enter: (directory: DirectoryEntry) => boolean = () => true): AsyncIterable<Entry> {
    const pending: BytePath[] = [""];
    for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
      const entry = this.entries.get(path) as Entry;
      yield entry;
      if (entry.type !== "directory" || !enter(entry)) continue;
      const at = path;
      pending.push(...(this.#children.get(at) ?? []).toReversed().map((name) => joinPath(at, name)));
    }
  }

  lookup(path: BytePath): Promise<Entry | undefined> {
    return Promise.resolve(this.entries.get(path));
  }

  content(file: FileEntry): ByteSource {
    const text = this.#texts.get(file.inode);
    if (text === undefined || this.entries.get(file.path)?.inode !== file.inode)
      throw new Error(`not mine: ${file.path}`);
    return new MemorySource(Buffer.from(text, "latin1"), file.path);
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
