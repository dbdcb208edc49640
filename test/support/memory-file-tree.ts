import { type BytePath, parentPath } from "../../src/bytes/byte-path.ts";
import type { Chunk } from "../../src/bytes/byte-source.ts";
import type { Run } from "../../src/bytes/content.ts";
import type { Entry, Timestamp } from "../../src/bytes/entry.ts";
import { NO_XATTRS } from "../../src/bytes/entry.ts";
import type { FileTree } from "../../src/bytes/file-tree.ts";

/** A part of a file's content: bytes, or that many zeros that are a hole. */
export type Part = Uint8Array | number;

/** What is not said is root's, of 2023, mode 0644 or 0755. */
export interface TreeNode {
  readonly type?: Entry["type"];
  readonly parts?: readonly Part[];
  readonly target?: BytePath;
  readonly device?: readonly [major: number, minor: number];
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: Timestamp;
  readonly xattrs?: ReadonlyMap<string, Uint8Array>;
  /** The path, which comes before, of a file that this is another name of. */
  readonly same?: BytePath;
}

const TIME: Timestamp = { seconds: 1_700_000_000, nanoseconds: 123_456_789 };

/** A tree from paths in the order of its walk; parents that are not named come by themselves. */
export function memoryFileTree(nodes: Iterable<readonly [path: BytePath, node: TreeNode]>): FileTree {
  const entries = new Map<BytePath, Entry>();
  const parts = new Map<number, readonly Part[]>();
  const add = (path: BytePath, node: TreeNode): void => {
    if (path !== "" && !entries.has(parentPath(path))) add(parentPath(path), { type: "directory" });
    const same = node.same === undefined ? undefined : entries.get(node.same);
    const entry = same === undefined ? entryOf(path, node, entries.size + 1) : { ...same, path };
    entries.set(path, entry);
    if (entry.type === "file" && entry.size > 0 && same === undefined) parts.set(entry.inode, node.parts ?? []);
  };
  add("", { type: "directory" });
  for (const [path, node] of nodes) add(path, node);
  return {
    walk: () => entries.values(),
    runs: (inode) => (parts.get(inode) ?? []).map(runOf),
    order: [...parts.keys()],
    async *contents() {
      for (const [inode, list] of parts) yield { inode, chunks: chunksOf(list) };
    },
  };
}

function entryOf(path: BytePath, node: TreeNode, inode: number): Entry {
  const { type = "file", uid = 0, gid = 0, mtime = TIME, xattrs = NO_XATTRS } = node;
  const base = {
    path,
    inode,
    links: 1,
    mode: node.mode ?? (type === "directory" ? 0o755 : 0o644),
    uid,
    gid,
    mtime,
    xattrs,
  };
  if (type === "file")
    return { ...base, type, size: (node.parts ?? []).reduce<number>((sum, part) => sum + sizeOf(part), 0) };
  if (type === "symlink") return { ...base, type, target: node.target ?? "target" };
  if (type !== "character-device" && type !== "block-device") return { ...base, type };
  const [major, minor] = node.device ?? [1, 3];
  return { ...base, type, major, minor };
}

function sizeOf(part: Part): number {
  return typeof part === "number" ? part : part.length;
}

function runOf(part: Part): Run {
  return { length: sizeOf(part), kind: typeof part === "number" ? "zero" : "data" };
}

async function* chunksOf(parts: readonly Part[]): AsyncIterable<Chunk> {
  for (const part of parts) {
    yield typeof part === "number" ? { kind: "zero", length: part } : { kind: "data", bytes: part };
  }
}
