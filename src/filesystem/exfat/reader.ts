import { type BytePath, displayPath, joinPath } from "../../bytes/byte-path.ts";
import type { ByteSource } from "../../bytes/byte-source.ts";
import { type DirectoryEntry, type Entry, type FileEntry, NO_XATTRS } from "../../bytes/entry.ts";
import { ZeroPadded } from "../../bytes/slice.ts";
import { run, type Steps, settled } from "../../bytes/steps.ts";
import type { Context } from "../../context.ts";
import { bitsSet } from "../bits-set.ts";
import { FatContent } from "../fat/content.ts";
import { lower } from "../fat/directory-record.ts";
import type { Run } from "../fat/table.ts";
import type { FileSystem, FileSystemFormat } from "../file-system.ts";
import { descend, type Tree, walk } from "../walk.ts";
import { BootSector, bootChecksum, CHECKED_SECTORS } from "./boot-sector.ts";
import { type Allocation, Clusters } from "./clusters.ts";
import { OpenedLater } from "./content.ts";
import {
  bitmapOf,
  DirectoryEntryView,
  type DirectoryRecord,
  labelOf,
  records,
  StreamRecord,
} from "./directory-record.ts";
import {
  bootSectorDamaged,
  directoryDamaged,
  directoryRevisited,
  nameUnsafe,
  sizeDamaged,
  tooDeep,
  tooManyEntries,
  warn,
} from "./errors.ts";

/** exFAT specification, section 7.6.7. */
const MOST_DIRECTORY_BYTES = 256 << 20;
const ROOT_INODE = 1;
/** As the kernel shows them by default to root: files may be executed. */
const MODE = 0o755;

interface Node {
  readonly entry: Entry;
  readonly allocation: Allocation;
}

/**
 * exFAT. There are no owners and modes: everything is root's and 0755, as Linux mounts it. The inode number of an entry tells
 * where on the volume it says where its file lies. Paths are found whatever the case of their ASCII letters.
 */
class ExfatFileSystem implements FileSystem {
  readonly type = "exfat";
  readonly uuid: string;
  readonly label: string | undefined;
  readonly size: number;
  readonly used: number | undefined;
  readonly #source: ByteSource;
  readonly #clusters: Clusters;
  readonly #ctx: Context;

  constructor(source: ByteSource, boot: BootSector, clusters: Clusters, facts: RootFacts, ctx: Context) {
    const serial = boot.serial.toString(16).toUpperCase().padStart(8, "0");
    this.uuid = `${serial.slice(0, 4)}-${serial.slice(4)}`;
    this.label = facts.label;
    this.size = clusters.layout.size;
    this.used = facts.used;
    this.#source = source;
    this.#clusters = clusters;
    this.#ctx = ctx;
  }

  walk(enter?: (directory: DirectoryEntry) => boolean): AsyncIterable<Entry> {
    const { name } = this.#source;
    const tree: Tree<Node, Node> = {
      name,
      ctx: this.#ctx,
      root: () => this.#root(),
      entry: ({ entry }) => entry,
      key: ({ allocation }) => (allocation.length === 0 ? undefined : allocation.firstCluster),
      list: (node) => run(this.#children(node)),
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
    if (node.entry.type !== "directory") return undefined;
    const children = yield* this.#children(node);
    const wanted = joinPath(node.entry.path, name);
    return (
      children.find(({ entry }) => entry.path === wanted) ??
      children.find(({ entry }) => lower(entry.path) === lower(wanted))
    );
  }

  content(file: FileEntry): ByteSource {
    const name = `${JSON.stringify(displayPath(file.path))} in ${this.#source.name}`;
    return new OpenedLater(name, file.size, () => run(this.#open(name, file)));
  }

  *#open(name: string, { path, size, inode }: FileEntry): Steps<ByteSource> {
    const place = inode * DirectoryEntryView.SIZE;
    const { validDataLength, firstCluster, isContiguous } = new StreamRecord(
      yield* settled(this.#source.read(place, DirectoryEntryView.SIZE)),
    );
    if (validDataLength > size) {
      throw sizeDamaged(`${validDataLength} of its ${size} bytes are valid`, this.#source.name, path);
    }
    const allocation = { firstCluster, isContiguous, length: validDataLength };
    const runs = yield* this.#clusters.runs(allocation, path, size);
    const content = new FatContent(this.#source, name, validDataLength, () => runs);
    return validDataLength === size ? content : new ZeroPadded(content, size);
  }

  #root(): Node {
    const { rootCluster } = this.#clusters.layout;
    return {
      entry: { ...COMMON, type: "directory", path: "", inode: ROOT_INODE, mtime: EPOCH },
      allocation: { firstCluster: rootCluster, isContiguous: false, length: undefined },
    };
  }

  *#children({ entry: { path }, allocation }: Node): Steps<readonly Node[]> {
    const runs = yield* this.#clusters.runs(allocation, path, MOST_DIRECTORY_BYTES);
    const bytes = yield* this.#clusters.read(runs);
    const file = this.#source.name;
    const nodes: Node[] = [];
    const found = records(
      bytes,
      ({ what, position }) => warn(this.#ctx, "EXFAT_ENTRY", `entry ${position / 32}: ${what}`, file, path),
      ({ what, position }) => directoryDamaged(what, position, file, path),
    );
    for (const record of found) {
      if (!isSafe(record.name)) throw nameUnsafe(record.name, file, path);
      const inode = placeOf(runs, record.position) / DirectoryEntryView.SIZE;
      nodes.push(this.#node(joinPath(path, record.name), inode, record));
    }
    return nodes.sort((a, b) => (a.entry.path < b.entry.path ? -1 : 1));
  }

  #node(path: BytePath, inode: number, { isDirectory, mtime, stream }: DirectoryRecord): Node {
    const size = stream.dataLength;
    const { clusters, clusterSize } = this.#clusters.layout;
    if (size > clusters * clusterSize) {
      throw sizeDamaged(
        `its size is ${size} bytes, but the volume has ${clusters * clusterSize}`,
        this.#source.name,
        path,
      );
    }
    const common = { ...COMMON, path, inode, mtime };
    return {
      entry: isDirectory ? { ...common, type: "directory" } : { ...common, type: "file", size },
      allocation: { firstCluster: stream.firstCluster, isContiguous: stream.isContiguous, length: size },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** The root directory has no entry, so no time. */
const EPOCH = { seconds: 0, nanoseconds: 0 } as const;
const COMMON = { links: 1, uid: 0, gid: 0, mode: MODE, xattrs: NO_XATTRS } as const;

function isSafe(name: BytePath): boolean {
  return name !== "" && name !== "." && name !== ".." && !/[/\0]/.test(name);
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

/** What the entries of the root tell of the volume. */
interface RootFacts {
  readonly label: string | undefined;
  /** Bytes. */
  readonly used: number | undefined;
}

function* rootFacts(clusters: Clusters, ctx: Context): Steps<RootFacts> {
  const { layout } = clusters;
  const rootAllocation = { firstCluster: layout.rootCluster, isContiguous: false, length: undefined };
  const root = yield* clusters.read(yield* clusters.runs(rootAllocation, "", MOST_DIRECTORY_BYTES));
  const label = labelOf(root);
  const shown = label === undefined || label === "" ? undefined : displayPath(label);
  const bitmap = bitmapOf(root);
  const length = Math.ceil(layout.clusters / 8);
  if (bitmap === undefined || bitmap.dataLength < length || length > ctx.limits.tableBytes) {
    return { label: shown, used: undefined };
  }
  const { firstCluster } = bitmap;
  const runs = yield* clusters.runs({ firstCluster, isContiguous: false, length }, "", length);
  const bits = yield* clusters.read(runs, length);
  const around = layout.size - layout.clusters * layout.clusterSize;
  return { label: shown, used: around + Math.min(layout.clusters, bitsSet(bits)) * layout.clusterSize };
}

/** The boot sector, or its backup where the first one's checksum is wrong. */
function* readBootSector(source: ByteSource, ctx: Context): Steps<BootSector> {
  const sector = yield* settled(source.read(0, BootSector.SIZE));
  const boot = new BootSector(sector);
  const first = boot.flaw ?? (yield* checksumFlaw(source, boot, 0));
  if (first === undefined) return boot;
  for (const shift of [9, 10, 11, 12]) {
    const start = 12 << shift;
    if (start + BootSector.SIZE > source.size) break;
    const backup = new BootSector(yield* settled(source.read(start, BootSector.SIZE)));
    if (backup.flaw !== undefined || backup.sectorShift !== shift) continue;
    if ((yield* checksumFlaw(source, backup, start)) !== undefined) continue;
    warn(ctx, "EXFAT_BACKUP", `the boot sector is damaged (${first}): its backup is used`, source.name, "");
    return backup;
  }
  throw bootSectorDamaged(first, source.name);
}

function* checksumFlaw(source: ByteSource, boot: BootSector, start: number): Steps<string | undefined> {
  const sector = 1 << boot.sectorShift;
  const bytes = yield* settled(source.read(start, (CHECKED_SECTORS + 1) * sector));
  const end = CHECKED_SECTORS * sector;
  const recorded = new DataView(bytes.buffer, bytes.byteOffset + end, 4).getUint32(0, true);
  const computed = bootChecksum(bytes.subarray(0, end));
  if (recorded === computed) return undefined;
  return `its checksum is 0x${computed.toString(16)} instead of 0x${recorded.toString(16)}`;
}

function* open(source: ByteSource, ctx: Context): Steps<FileSystem> {
  const boot = yield* readBootSector(source, ctx);
  if (boot.isDirty) {
    warn(ctx, "EXFAT_DIRTY", "the volume was not unmounted: what was written last may be missing", source.name, "");
  }
  const clusters = new Clusters(source, boot.layout);
  return new ExfatFileSystem(source, boot, clusters, yield* rootFacts(clusters, ctx), ctx);
}

/** exFAT; TexFAT's second table is used where the volume says so. */
export const format: FileSystemFormat = {
  name: "exfat",
  async open(source: ByteSource, ctx: Context): Promise<FileSystem> {
    return await run(open(source, ctx));
  },
};
