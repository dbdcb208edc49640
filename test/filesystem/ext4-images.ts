import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import type { BytePath } from "../../src/bytes/byte-path.ts";
import type { Content } from "../../src/bytes/content.ts";
import type { Entry } from "../../src/bytes/entry.ts";
import type { FileTree } from "../../src/bytes/file-tree.ts";
import { createContext } from "../../src/context.ts";
import { type Ext4Options, type Ext4Plan, planExt4 } from "../../src/filesystem/ext4/writer/plan.ts";
import { memoryFileTree, type TreeNode } from "../support/memory-file-tree.ts";

const LISTING = fileURLToPath(new URL("../support/listing.py", import.meta.url));

const MIB = 1 << 20;

export const UUID = "a5a6f6ea-3c21-4d0b-9a8d-000000000001";

export function planned(tree: FileTree, options: Partial<Ext4Options> = {}, epoch?: number): Ext4Plan {
  return planExt4(tree, { uuid: UUID, label: "root", freeBytes: 0, ...options }, createContext({ epoch }));
}

/** Where data may be, from the runs; checks that they cover the content. */
async function dataRanges(content: Content): Promise<[start: number, end: number][]> {
  const ranges: [number, number][] = [];
  let at = 0;
  for await (const { length, kind } of content.runs()) {
    expect(length).toBeGreaterThan(0);
    if (kind === "data") ranges.push([at, at + length]);
    at += length;
  }
  expect(at).toBe(content.size);
  return ranges;
}

/** Hands over the bytes where they go; checks that they ascend, fill the content and lie in runs of data. */
async function eachPiece(content: Content, put: (offset: number, bytes: Uint8Array) => void): Promise<void> {
  const ranges = await dataRanges(content);
  let range = 0;
  let at = 0;
  for await (const piece of content.pieces()) {
    if (!("bytes" in piece)) {
      at += "zeros" in piece ? piece.zeros : piece.length;
      continue;
    }
    const end = at + piece.bytes.length;
    while ((ranges[range]?.[1] ?? end) <= at) range++;
    const [from, to] = ranges[range] ?? [0, 0];
    if (at < from || end > to) throw new Error(`bytes at ${at} to ${end} are outside the data at ${from} to ${to}`);
    put(at, piece.bytes);
    at = end;
  }
  expect(at).toBe(content.size);
}

export async function inMemory({ content }: Ext4Plan): Promise<Buffer> {
  const image = Buffer.alloc(content.size);
  await eachPiece(content, (offset, bytes) => image.set(bytes, offset));
  return image;
}

/** A sparse file. */
export async function inFile({ content }: Ext4Plan, path: string): Promise<void> {
  const fd = openSync(path, "w");
  await eachPiece(content, (offset, bytes) => void writeSync(fd, bytes, 0, bytes.length, offset));
  ftruncateSync(fd, content.size);
  closeSync(fd);
}

/** An empty folder that is gone afterwards. */
export async function inFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "transload-ext4-"));
  try {
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What e2fsck finds: nothing, if the file system is as it should be. */
export function complaints(image: string): string {
  const { status, stdout } = spawnSync("e2fsck", ["-fn", image], { encoding: "latin1", maxBuffer: 1 << 28 });
  return status === 0 ? "" : `e2fsck ends with ${status}: ${stdout.slice(0, 4000)}`;
}

/** A row of listing.py. */
export type Row = Readonly<Record<string, unknown>>;

/** The tree that `use` finds under a mount. */
export async function mounted<T>(image: string, options: string, use: (folder: string) => Promise<T>): Promise<T> {
  const folder = `${image}.mount`;
  mkdirSync(folder, { recursive: true });
  execFileSync("mount", ["-o", `loop,${options}`, image, folder]);
  try {
    return await use(folder);
  } finally {
    execFileSync("umount", [folder]);
  }
}

/** What the kernel lists, without lost+found. */
export function kernelListing(folder: string): Map<BytePath, Row> {
  const text = execFileSync("python3", [LISTING, "tree", folder], { encoding: "utf8", maxBuffer: 1 << 30 });
  const rows = text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Row);
  return new Map(
    rows
      .map((row) => [String(row["path"]), { ...row, xattrs: withByteNames(row["xattrs"] as object) }] as const)
      .filter(([path]) => path !== "lost+found"),
  );
}

/** The names of attributes come as Python decodes them: bytes that are not UTF-8 as surrogates. */
function withByteNames(xattrs: object): object {
  const bytes = (character: string) => {
    const code = character.charCodeAt(0);
    return code >= 0xdc80 && code <= 0xdcff ? Buffer.of(code & 0xff) : Buffer.from(character);
  };
  const byteName = (name: string) => Buffer.concat([...name].map(bytes)).toString("latin1");
  return Object.fromEntries(Object.entries(xattrs).map(([name, value]) => [byteName(name), value]));
}

/** What listing.py should list. */
export async function treeListing(tree: FileTree): Promise<Map<BytePath, Row>> {
  const digests = new Map<number, string>();
  for await (const { inode, chunks } of tree.contents()) {
    const hash = createHash("sha256");
    for await (const chunk of chunks) {
      if (chunk.kind === "data") hash.update(chunk.bytes);
      else
        for (let left = chunk.length; left > 0; left -= ZEROS.length)
          hash.update(ZEROS.subarray(0, Math.min(left, ZEROS.length)));
    }
    digests.set(inode, hash.digest("hex"));
  }
  const names = new Map<number, BytePath[]>();
  for (const { inode, path, type } of tree.walk()) {
    if (type !== "directory") names.set(inode, [...(names.get(inode) ?? []), path].sort());
  }
  return new Map([...tree.walk()].map((entry) => [entry.path, rowOf(entry, names.get(entry.inode) ?? [], digests)]));
}

const ZEROS = Buffer.alloc(1 << 20);
const EMPTY = createHash("sha256").digest("hex");

function rowOf(entry: Entry, names: readonly BytePath[], digests: ReadonlyMap<number, string>): Row {
  const { path, type, mode, uid, gid, mtime } = entry;
  const xattrs = Object.fromEntries(
    [...entry.xattrs].sort().map(([name, value]) => [name, Buffer.from(value).toString("base64")]),
  );
  const nanoseconds = Number(BigInt(mtime.seconds) * 1_000_000_000n + BigInt(mtime.nanoseconds));
  return {
    ...{ path, type, mode, uid, gid, mtime: nanoseconds, xattrs },
    ...(entry.type === "file" && { size: entry.size, sha256: digests.get(entry.inode) ?? EMPTY }),
    ...(entry.type === "symlink" && { target: entry.target }),
    ...((entry.type === "character-device" || entry.type === "block-device") && { device: [entry.major, entry.minor] }),
    ...(names.length > 1 && { same: names[0] }),
  };
}

/** Not zero, another for each seed, no two pages alike. */
export function filled(length: number, seed = 1): Buffer {
  return Buffer.alloc(
    length,
    Uint8Array.from({ length: 255 }, (_, index) => ((index * 31 + seed * 7) % 255) + 1),
  );
}

/** Names that need a hash tree, many extents, a hole of 5 GiB. */
export function largeTree(files: number, directories: number, extents: number): FileTree {
  const nodes: [string, TreeNode][] = [];
  for (let index = 0; index < files; index++) nodes.push([`many/a file with the number ${index}`, {}]);
  for (let index = 0; index < directories; index++) nodes.push([`directories/${index}`, { type: "directory" }]);
  const page = filled(4096);
  nodes.push([
    "extents",
    { parts: Array.from({ length: extents * 2 }, (_, index) => (index % 2 === 0 ? page : 4096)) },
  ]);
  nodes.push(["sparse", { parts: [5 * 1024 * MIB, filled(6), 1024 * MIB, filled(7)] }]);
  nodes.push(["three", { parts: [filled(10), 40_000, filled(10), 40_000, filled(10)] }]);
  return memoryFileTree(nodes);
}

/** Mounted, it lists what it was made from; it is clean after it was used. */
export async function expectUsable(tree: FileTree): Promise<void> {
  await inFolder(async (folder) => {
    const image = join(folder, "image");
    await inFile(planned(tree, { freeBytes: 64 * MIB }), image);
    const expected = await treeListing(tree);
    await mounted(image, "ro", async (place) => expect(kernelListing(place)).toEqual(expected));
    await mounted(image, "rw", async (place) => use(place));
    await mounted(image, "ro", async (place) => {
      const after = kernelListing(place);
      const kept = [...expected].filter(([path]) => path !== "" && path !== "many");
      expect(kept.map(([path]) => after.get(path))).toEqual(kept.map(([, row]) => row));
    });
    expect(complaints(image)).toBe("");
  });
}

/** Files in a directory that splits its blocks, some of them gone again. */
function use(place: string): void {
  const script = `
    mkdir new && cd new && seq 1 3000 | xargs touch && seq 1 2 3000 | xargs rm && dd if=/dev/urandom of=data bs=1M count=20 status=none
    cd .. && [ -d many ] && cd many && for i in $(seq 1 300); do echo $i > "another name in a full directory $i"; done
    sync`;
  execFileSync("sh", ["-c", script], { cwd: place });
}
