import { type BytePath, displayPath, joinPath } from "../../bytes/byte-path.ts";
import { type ByteSource, map } from "../../bytes/byte-source.ts";
import { type DirectoryEntry, type Entry, type FileEntry, NO_XATTRS } from "../../bytes/entry.ts";
import type { Context } from "../../context.ts";
import type { FileSystem, FileSystemFormat } from "../file-system.ts";
import { BootSector, type Layout, layoutOf } from "./boot-sector.ts";
import { FatContent } from "./content.ts";
import { labelOf, lower, records, ShortEntry } from "./directory-record.ts";
import {
  bootSectorDamaged,
  directoryRevisited,
  directoryTooLarge,
  nameUnsafe,
  tooDeep,
  tooManyEntries,
} from "./errors.ts";
import { type Run, Table } from "./table.ts";

/** 65536 entries (FAT specification, section 6), and what is left of the largest cluster. */
const MOST_DIRECTORY_BYTES = 65536 * ShortEntry.SIZE + (512 << 10);
const ROOT_INODE = 1;

/** An entry, and where a directory's own entries lie. */
interface Node {
  readonly entry: Entry;
  readonly shortName: BytePath;
  readonly runs: () => Iterable<Run>;
}

interface OpenDirectory {
  readonly children: readonly Node[];
  next: number;
}

/**
 * FAT12, FAT16 and FAT32. There are no owners and modes: everything is root's, directories 0755 and files 0644. The inode
 * number of an entry tells where it stands on the volume. Paths are found whatever their case, by long and short names.
 */
class FatFileSystem implements FileSystem {
  readonly type = "vfat";
  readonly uuid: string | undefined;
  readonly label: string | undefined;
  readonly size: number;
  readonly used: number;
  readonly #source: ByteSource;
  readonly #layout: Layout;
  readonly #table: Table;
  readonly #ctx: Context;

  constructor(source: ByteSource, boot: BootSector, layout: Layout, table: Table, root: Uint8Array, ctx: Context) {
    const serial = boot.serial?.toString(16).toUpperCase().padStart(8, "0");
    this.uuid = serial === undefined ? undefined : `${serial.slice(0, 4)}-${serial.slice(4)}`;
    this.label = labelOf(root) || undefined;
    this.size = layout.size;
    this.used = layout.size - table.freeClusters * layout.clusterSize;
    this.#source = source;
    this.#layout = layout;
    this.#table = table;
    this.#ctx = ctx;
  }

  async *walk(enter: (directory: DirectoryEntry) => boolean = () => true): AsyncIterable<Entry> {
    const { signal, limits } = this.#ctx;
    const seen = new Set<number>();
    const open: OpenDirectory[] = [];
    let node: Node | undefined = this.#root();
    for (let count = 1; node !== undefined; count++) {
      if (count > limits.entries) throw tooManyEntries(limits.entries, this.#source.name);
      signal.throwIfAborted();
      const { entry } = node;
      yield entry;
      if (entry.type === "directory" && enter(entry)) {
        if (open.length >= limits.depth) throw tooDeep(limits.depth, this.#source.name, entry.path);
        const runs = directoryRuns(node.runs(), this.#source.name, entry.path);
        const start = runs[0]?.offset ?? 0;
        if (seen.has(start)) throw directoryRevisited(this.#source.name, entry.path);
        seen.add(start);
        open.push({ children: await this.#children(entry.path, runs), next: 0 });
      }
      node = following(open);
    }
  }

  async lookup(path: BytePath): Promise<Entry | undefined> {
    let node = this.#root();
    for (const name of path.split("/").filter((part) => part !== "")) {
      if (node.entry.type !== "directory") return undefined;
      const children = await this.#children(
        node.entry.path,
        directoryRuns(node.runs(), this.#source.name, node.entry.path),
      );
      const wanted = lower(name);
      const found =
        children.find((child) => child.entry.path === joinPath(node.entry.path, name)) ??
        children.find((child) => lower(child.entry.path) === lower(joinPath(node.entry.path, wanted))) ??
        children.find((child) => lower(child.shortName) === wanted);
      if (found === undefined) return undefined;
      node = found;
    }
    return node.entry;
  }

  content(file: FileEntry): ByteSource {
    const { path, size } = file;
    const name = `${displayPath(path)} in ${this.#source.name}`;
    return new FatContent(this.#source, name, size, () =>
      map(this.#source.read(file.inode * ShortEntry.SIZE, ShortEntry.SIZE), (bytes) =>
        this.#table.runs(this.#firstCluster(new ShortEntry(bytes)), size, path),
      ),
    );
  }

  #firstCluster(entry: ShortEntry): number {
    return this.#layout.bits === 32 ? entry.firstCluster32 : entry.firstCluster16;
  }

  #root(): Node {
    const entry = { ...COMMON, type: "directory", path: "", inode: ROOT_INODE, mode: 0o755, mtime: EPOCH } as const;
    return { entry, shortName: "", runs: () => rootRuns(this.#layout, this.#table) };
  }

  async #children(path: BytePath, runs: readonly Run[]): Promise<readonly Node[]> {
    const bytes = await readRuns(this.#source, runs);
    const nodes: Node[] = [];
    for (const { name, shortName, position, entry } of records(bytes)) {
      if (!isSafe(name)) throw nameUnsafe(name, this.#source.name, path);
      const inode = placeOf(runs, position) / ShortEntry.SIZE;
      nodes.push(this.#node(joinPath(path, name), shortName, inode, entry));
    }
    return nodes.sort((a, b) => (a.entry.path < b.entry.path ? -1 : 1));
  }

  #node(path: BytePath, shortName: BytePath, inode: number, entry: ShortEntry): Node {
    const first = this.#firstCluster(entry);
    const common = { ...COMMON, path, inode, mtime: entry.mtime };
    return {
      entry: entry.isDirectory
        ? { ...common, type: "directory", mode: 0o755 }
        : { ...common, type: "file", mode: 0o644, size: entry.size },
      shortName,
      runs: () => this.#table.runs(first, undefined, path),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** The root directory has no entry, so no time. */
const EPOCH = { seconds: 0, nanoseconds: 0 } as const;
const COMMON = { links: 1, uid: 0, gid: 0, xattrs: NO_XATTRS } as const;

function following(open: OpenDirectory[]): Node | undefined {
  for (let last = open.at(-1); last !== undefined; last = open.at(-1)) {
    const node = last.children[last.next++];
    if (node !== undefined) return node;
    open.pop();
  }
  return undefined;
}

function isSafe(name: BytePath): boolean {
  return name !== "" && name !== "." && name !== ".." && !/[/\0]/.test(name);
}

function rootRuns({ root }: Layout, table: Table): Iterable<Run> {
  return "cluster" in root ? table.runs(root.cluster, undefined, "") : [{ offset: root.offset, length: root.size }];
}

/** The runs of a directory, whose size is nowhere recorded. */
function directoryRuns(runs: Iterable<Run>, file: string, path: BytePath): readonly Run[] {
  const found: Run[] = [];
  let length = 0;
  for (const run of runs) {
    found.push(run);
    length += run.length;
    if (length > MOST_DIRECTORY_BYTES) throw directoryTooLarge(length, MOST_DIRECTORY_BYTES, file, path);
  }
  return found;
}

async function readRuns(source: ByteSource, runs: readonly Run[]): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (const run of runs) parts.push(await source.read(run.offset, run.length));
  return parts.length === 1 ? (parts[0] ?? new Uint8Array(0)) : Buffer.concat(parts);
}

/** Byte `position` of a directory as an offset on the volume. */
function placeOf(runs: readonly Run[], position: number): number {
  let left = position;
  for (const run of runs) {
    if (left < run.length) return run.offset + left;
    left -= run.length;
  }
  return left;
}

async function open(source: ByteSource, ctx: Context): Promise<FileSystem> {
  const sector = await source.read(0, BootSector.SIZE);
  const boot = new BootSector(sector);
  if (boot.flaw !== undefined) throw bootSectorDamaged(boot.flaw, source.name);
  const layout = layoutOf(boot);
  if (layout.clusters === 0) throw bootSectorDamaged("it leaves no room for clusters", source.name);
  const table = await Table.read(source, layout, ctx);
  const root = await readRuns(source, directoryRuns(rootRuns(layout, table), source.name, ""));
  return new FatFileSystem(source, boot, layout, table, root, ctx);
}

/** FAT12, FAT16 and FAT32 with long names. */
export const format: FileSystemFormat = { name: "vfat", open };
