import type { BytePath } from "../../src/bytes/byte-path.ts";
import { parentPath } from "../../src/bytes/byte-path.ts";
import { type Entry, NO_XATTRS } from "../../src/bytes/entry.ts";
import type { FileContent, FileTree } from "../../src/bytes/file-tree.ts";

/** A file or a symlink that a machine has in the place of the image's, or besides. */
export type NewFile =
  | { readonly path: BytePath; readonly bytes: Uint8Array }
  | { readonly path: BytePath; readonly target: BytePath };

/** Numbers above those of any tree of an image. */
const FIRST_NEW_INODE = 2 ** 40;

/**
 * A tree with some files of its own. One that replaces a file keeps that one's owner, mode and time; a new one is root's, with
 * the directories that it needs. Directories of a machine that an image need not have are made too.
 */
export function adaptTree(tree: FileTree, files: readonly NewFile[], directories: readonly BytePath[]): FileTree {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const entries = new Map<BytePath, Entry>();
  const replaced = new Set<number>();
  const shared = new Map<number, number>();
  for (const entry of tree.walk()) {
    if (entry.type === "file") shared.set(entry.inode, (shared.get(entry.inode) ?? 0) + 1);
    entries.set(entry.path, entry);
  }
  const root = entries.get("");
  const mtime = root?.mtime ?? { seconds: 0, nanoseconds: 0 };
  const contents = new Map<number, Uint8Array>();
  let inode = FIRST_NEW_INODE;
  const fresh = (path: BytePath) => ({ path, inode: inode++, links: 1, uid: 0, gid: 0, mtime, xattrs: NO_XATTRS });
  const makeDirectory = (path: BytePath): void => {
    if (path === "" || entries.has(path)) return;
    makeDirectory(parentPath(path));
    entries.set(path, { ...fresh(path), type: "directory", mode: 0o755 });
  };
  for (const path of directories) makeDirectory(path);
  for (const file of byPath.values()) {
    const { path } = file;
    makeDirectory(parentPath(path));
    const old = entries.get(path);
    // Another name of the same file keeps the content.
    if (old?.type === "file" && shared.get(old.inode) === 1) replaced.add(old.inode);
    if ("target" in file) {
      entries.set(path, { ...fresh(path), type: "symlink", mode: 0o777, target: file.target });
      continue;
    }
    const { bytes } = file;
    const kept = old?.type === "file" ? { mode: old.mode, uid: old.uid, gid: old.gid } : { mode: 0o644 };
    const entry: Entry = { ...fresh(path), ...kept, type: "file", size: bytes.length };
    entries.set(path, entry);
    contents.set(entry.inode, bytes);
  }
  const added = [...contents].filter(([, bytes]) => bytes.length > 0);
  return {
    walk: () => entries.values(),
    runs(number) {
      const bytes = contents.get(number);
      if (bytes === undefined) return tree.runs(number);
      return bytes.length === 0 ? [] : [{ length: bytes.length, kind: "data" }];
    },
    order: [...added.map(([number]) => number), ...tree.order.filter((number) => !replaced.has(number))],
    async *contents(): AsyncGenerator<FileContent, void> {
      for (const [number, bytes] of added) yield { inode: number, chunks: once(bytes) };
      for await (const content of tree.contents()) if (!replaced.has(content.inode)) yield content;
    },
  };
}

async function* once(bytes: Uint8Array): AsyncGenerator<{ readonly kind: "data"; readonly bytes: Uint8Array }, void> {
  yield { kind: "data", bytes };
}
