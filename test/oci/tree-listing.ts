import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Context, createContext } from "../../src/context.ts";
import { type ImageTree, openImageTree } from "../../src/oci/image-tree.ts";
import { inPieces } from "./layer-items.ts";

const LISTING = fileURLToPath(new URL("../support/listing.py", import.meta.url));

/** A row of listing.py. */
export type Row = Readonly<Record<string, unknown>>;

export function treeOf(
  layers: readonly Uint8Array[],
  overrides: Partial<Context> = {},
  keep?: (path: string, size: number) => boolean,
): Promise<ImageTree> {
  const inputs = layers.map((bytes, index) => ({
    name: `layer${index}`,
    mediaType: undefined,
    open: () => inPieces(bytes, 10_000),
  }));
  return openImageTree(inputs, keep === undefined ? {} : { keep }, createContext(overrides));
}

async function digests(tree: ImageTree): Promise<Map<number, string>> {
  const found = new Map<number, string>();
  for await (const { inode, chunks } of tree.contents()) {
    const hash = createHash("sha256");
    for await (const chunk of chunks) hash.update(chunk.kind === "data" ? chunk.bytes : Buffer.alloc(chunk.length));
    found.set(inode, hash.digest("hex"));
  }
  return found;
}

const EMPTY = createHash("sha256").digest("hex");

/** A tree as listing.py would list it. */
export async function listTree(tree: ImageTree): Promise<Row[]> {
  const hashes = await digests(tree);
  const rows: Record<string, unknown>[] = [];
  const first = new Map<number, string>();
  const entries = [...tree.walk()].sort((a, b) => (a.path < b.path ? -1 : 1));
  for (const entry of entries) {
    const { path, type, mode, uid, gid, mtime, xattrs, inode, links } = entry;
    if (!first.has(inode)) first.set(inode, path);
    const names = [...xattrs].sort(([a], [b]) => (a < b ? -1 : 1));
    rows.push({
      path,
      type,
      mode,
      uid,
      gid,
      mtime: Number(BigInt(mtime.seconds) * 1_000_000_000n + BigInt(mtime.nanoseconds)),
      ...(entry.type === "file" && { size: entry.size, sha256: hashes.get(inode) ?? EMPTY }),
      ...(entry.type === "symlink" && { target: entry.target }),
      ...("major" in entry && { device: [entry.major, entry.minor] }),
      xattrs: Object.fromEntries(names.map(([name, value]) => [name, Buffer.from(value).toString("base64")])),
      ...(links > 1 && { same: first.get(inode) }),
    });
  }
  return rows;
}

/** What umoci makes of these layers, in a folder that does not exist yet; undefined if it refuses them. */
export function unpackWithUmoci(layers: readonly string[], folder: string): Row[] | undefined {
  const umoci = (...args: string[]): void => void execFileSync("umoci", args, { stdio: "pipe" });
  const image = ["--image", `${folder}:t`];
  const bundle = `${folder}.bundle`;
  try {
    umoci("init", "--layout", folder);
    umoci("new", ...image);
    for (const layer of layers) umoci("raw", "add-layer", ...image, layer);
    umoci("unpack", ...image, bundle);
    const lines = execFileSync("python3", [LISTING, "tree", `${bundle}/rootfs`]).toString();
    return lines
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Row);
  } catch (cause) {
    if (cause instanceof Error && cause.message.includes("umoci unpack")) return undefined;
    throw cause;
  } finally {
    rmSync(folder, { recursive: true, force: true });
    rmSync(bundle, { recursive: true, force: true });
  }
}
