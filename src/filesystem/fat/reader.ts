import { type BytePath, displayPath, joinPath } from "../../bytes/byte-path.ts";
import { type ByteSource, map } from "../../bytes/byte-source.ts";
import { type DirectoryEntry, type Entry, type FileEntry, NO_XATTRS } from "../../bytes/entry.ts";
import { run, type Steps, settled } from "../../bytes/steps.ts";
import type { Context } from "../../context.ts";
import type { FileSystem, FileSystemFormat } from "../file-system.ts";
import { descend, type Tree, walk } from "../walk.ts";
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

/** An entry, and where a directory's own entries lie: the root's of FAT12 and FAT16 in no cluster. */
interface Node {
  readonly entry: Entry;
  readonly shortName: BytePath;
  readonly cluster: number | undefined;
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

  walk(enter?: (directory: DirectoryEntry) => boolean): AsyncIterable<Entry> {
    const { name } = this.#source;
    const tree: Tree<Node, Node> = {
      name,
      ctx: this.#ctx,
      root: () => this.#root(),
      entry: ({ entry }) => entry,
      key: ({ cluster = -1 }) => cluster,
      list: (node) => this.#children(node),
      child: (_node, child) => child,
      directoryRevisited: (_node, { path }) => directoryRevisited(name, path),
      tooDeep,
      tooManyEntries,
    };
    return walk(tree, enter);
  }

  async lookup(path: BytePath): Promise<Entry | undefined> {
    return (await run(descend(path, this.#root(), (node, name) => this.#named(node, name))))?.entry;
  }

  *#named(node: Node, name: BytePath): Steps<Node | undefined> {
    const { type, path } = node.entry;
    if (type !== "directory") return undefined;
    const children = yield* settled(this.#children(node));
    const wanted = lower(name);
    return (
      children.find((child) => child.entry.path === joinPath(path, name)) ??
      children.find((child) => lower(child.entry.path) === lower(joinPath(path, wanted))) ??
      children.find((child) => lower(child.shortName) === wanted)
    );
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
    const { root } = this.#layout;
    return { entry, shortName: "", cluster: "cluster" in root ? root.cluster : undefined };
  }

  async #children({ entry: { path }, cluster }: Node): Promise<readonly Node[]> {
    const chain =
      cluster === undefined ? rootRuns(this.#layout, this.#table) : this.#table.runs(cluster, undefined, path);
    const runs = directoryRuns(chain, this.#source.name, path);
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
    const common = { ...COMMON, path, inode, mtime: entry.mtime };
    return {
      entry: entry.isDirectory
        ? { ...common, type: "directory", mode: 0o755 }
        : { ...common, type: "file", mode: 0o644, size: entry.size },
      shortName,
      cluster: this.#firstCluster(entry),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** The root directory has no entry, so no time. */
const EPOCH = { seconds: 0, nanoseconds: 0 } as const;
const COMMON = { links: 1, uid: 0, gid: 0, xattrs: NO_XATTRS } as const;

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
