import { type BytePath, displayPath, joinPath } from "../../bytes/byte-path.ts";
import { type Awaitable, type ByteSource, isPromise, map } from "../../bytes/byte-source.ts";
import { type DirectoryEntry, type Entry, type FileEntry, NO_XATTRS } from "../../bytes/entry.ts";
import { run, type Steps } from "../../bytes/steps.ts";
import type { Context } from "../../context.ts";
import { lower } from "../fat/directory-record.ts";
import type { FileSystem, FileSystemFormat } from "../file-system.ts";
import { descend, type Tree, walk } from "../walk.ts";
import { FileContent } from "./content.ts";
import { type DirectoryRecord, readDirectory } from "./directory.ts";
import {
  attributeDamaged,
  contentElsewhere,
  directoryRevisited,
  encrypted,
  recordDamaged,
  tooDeep,
  tooManyEntries,
  warn,
} from "./errors.ts";
import {
  ATTRIBUTE,
  type Attribute,
  FileName,
  type FileRecord,
  type Reference,
  StandardInformation,
} from "./file-record.ts";
import { LARGEST_INTERIX, readInterix } from "./interix.ts";
import { type OpenedVolume, openVolume } from "./open.ts";
import { LARGEST_REPARSE_POINT, type Reparse, readReparsePoint } from "./reparse-point.ts";
import type { Stream } from "./stream.ts";
import type { Volume } from "./volume.ts";

const ROOT = 5;
/** As the kernel shows them by default to root: files may be executed. */
const MODE = 0o755;
const SYMLINK_MODE = 0o777;
/** Holds what WOF compressed; it goes with its file. */
const WOF_STREAM = "WofCompressedData";

/** A file's record with all of its attributes. */
interface OpenedFile {
  /** By which it was reached. */
  readonly path: BytePath;
  readonly record: FileRecord;
  readonly attributes: readonly Attribute[];
  readonly information: StandardInformation;
  readonly data: Stream | undefined;
  readonly reparse: Reparse | undefined;
}

/**
 * NTFS. Owners and modes of Windows are not those of Linux: everything is root's and 0755, as Linux mounts it. The inode number
 * of an entry is that of its file record. Paths are found whatever the case of their ASCII letters. Links of Windows become
 * symlinks: their targets get slashes, and are relative to the link where they began at a drive.
 */
class NtfsFileSystem implements FileSystem {
  readonly type = "ntfs";
  readonly uuid: string;
  readonly label: string | undefined;
  readonly size: number;
  readonly used: number | undefined;
  readonly #volume: Volume;
  #streamsTold = false;

  constructor({ volume, uuid, label, size, used }: OpenedVolume) {
    this.uuid = uuid;
    this.label = label;
    this.size = size;
    this.used = used;
    this.#volume = volume;
  }

  async *walk(enter?: (directory: DirectoryEntry) => boolean): AsyncIterable<Entry> {
    const volume = this.#volume;
    const streams = new Streams();
    const tree: Tree<OpenedFile, DirectoryRecord> = {
      name: volume.name,
      ctx: volume.ctx,
      root: () => run(this.#opened("", ROOT)),
      entry: (file) => {
        streams.add(file);
        return map(run(this.#entry(file)), (entry) => {
          this.#warn(file, entry);
          return entry;
        });
      },
      key: ({ record }) => record.number,
      list: (file) => run(this.#list(file)),
      child: ({ path }, { name, reference }) => run(this.#opened(joinPath(path, name), reference.number, reference)),
      directoryRevisited: ({ record, path }) => directoryRevisited(record.number, volume.name, path),
      tooDeep,
      tooManyEntries,
    };
    yield* walk(tree, enter);
    this.#tellStreams(streams);
  }

  async lookup(path: BytePath): Promise<Entry | undefined> {
    return await run(this.#lookup(path));
  }

  *#lookup(path: BytePath): Steps<Entry | undefined> {
    const root = yield* this.#opened("", ROOT);
    const found = yield* descend(path, root, (directory, name) => this.#named(directory, name));
    return found && (yield* this.#entry(found));
  }

  *#named(directory: OpenedFile, name: BytePath): Steps<OpenedFile | undefined> {
    if (!directory.record.isDirectory || directory.reparse?.kind === "symlink") return undefined;
    const records = yield* this.#list(directory);
    const wanted = lower(name);
    const found =
      records.find((record) => record.name === name) ?? records.find((record) => lower(record.name) === wanted);
    if (found === undefined) return undefined;
    return yield* this.#opened(joinPath(directory.path, found.name), found.reference.number, found.reference);
  }

  *#list({ record, attributes, path }: OpenedFile): Steps<readonly DirectoryRecord[]> {
    return yield* readDirectory(this.#volume, attributes, record.number, path);
  }

  content(file: FileEntry): ByteSource {
    const content = new FileContent(this.#volume.source, file.path, file.size, () => this.#data(file));
    // Over a local file this tells of a file that cannot be read at once; otherwise its first read does.
    const opening: Awaitable<unknown> = run(content.open());
    if (isPromise(opening)) opening.catch(() => undefined);
    return content;
  }

  /** Throws UnsupportedError for what is encrypted or elsewhere. */
  *#data({ path, inode }: FileEntry): Steps<Stream> {
    const file = yield* this.#opened(path, inode);
    const { name } = this.#volume;
    if (file.data?.isEncrypted) throw encrypted(name, path);
    const away = elsewhere(file);
    if (away !== undefined && file.data?.size !== 0) throw contentElsewhere(away, name, path);
    if (file.data === undefined) throw attributeDamaged(inode, "it has no data", name);
    return file.data;
  }

  /** `reference` is what a directory says of the record. */
  *#opened(path: BytePath, number: number, reference?: Reference): Steps<OpenedFile> {
    const volume = this.#volume;
    const record = yield* volume.record(number);
    if (reference !== undefined && reference.sequence !== 0 && reference.sequence !== record.sequenceNumber) {
      const stale = JSON.stringify(displayPath(path));
      throw recordDamaged(`file record ${number}`, `was used again, but ${stale} names it`, volume.name);
    }
    if (record.base.number !== 0) throw recordDamaged(`file record ${number}`, "is part of another", volume.name);
    const attributes = yield* volume.attributes(record);
    const standard = attributes.find(({ type }) => type === ATTRIBUTE.STANDARD_INFORMATION);
    if (standard === undefined || !standard.isResident || standard.value.length < StandardInformation.LEAST) {
      throw attributeDamaged(number, "it has no standard information", volume.name);
    }
    const point = volume.stream(attributes, ATTRIBUTE.REPARSE_POINT, "", number);
    const reparse =
      point && readReparsePoint(yield* volume.readAll(point, LARGEST_REPARSE_POINT, "a reparse point"), path);
    const data = record.isDirectory ? undefined : volume.stream(attributes, ATTRIBUTE.DATA, "", number);
    return { path, record, attributes, information: new StandardInformation(standard.value), data, reparse };
  }

  *#entry(file: OpenedFile): Steps<Entry> {
    const { path, record, attributes, information, data, reparse } = file;
    const links = record.isDirectory ? 1 : linkCount(attributes);
    const mtime = information.modified;
    const common = { path, inode: record.number, links, mode: MODE, uid: 0, gid: 0, mtime, xattrs: NO_XATTRS };
    if (reparse?.kind === "symlink") {
      return { ...common, type: "symlink", mode: SYMLINK_MODE, target: reparse.target };
    }
    if (record.isDirectory) return { ...common, type: "directory" };
    if (path === "") throw recordDamaged(`file record ${ROOT}`, "is the root but not a directory", this.#volume.name);
    if (information.isSystem && data !== undefined && data.size <= LARGEST_INTERIX && !data.isEncrypted) {
      const special = readInterix(yield* data.read(0, data.size));
      if (special !== undefined)
        return { ...common, mode: special.type === "symlink" ? SYMLINK_MODE : MODE, ...special };
    }
    return { ...common, type: "file", size: data?.size ?? 0 };
  }

  #warn(file: OpenedFile, { path, type }: Entry): void {
    const { ctx, name } = this.#volume;
    const where = { file: name, path: displayPath(path) };
    const away = elsewhere(file);
    if (file.data?.isEncrypted) warn(ctx, "NTFS_ENCRYPTED", "the file is encrypted (EFS) and cannot be read", where);
    else if (away !== undefined) {
      warn(ctx, "NTFS_REPARSE", type === "directory" ? away : `${away}, so its content cannot be read`, where);
    }
  }

  #tellStreams({ count, files, example }: Streams): void {
    if (count === 0 || this.#streamsTold) return;
    this.#streamsTold = true;
    const of = files === 1 ? "1 file" : `${files} files`;
    const message = `${count} alternate data streams of ${of} are left out, ${JSON.stringify(example)} first`;
    warn(this.#volume.ctx, "NTFS_STREAMS", message, { file: this.#volume.name });
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** Counts the streams besides the one that a file has in Linux. */
class Streams {
  count = 0;
  files = 0;
  /** The first one, with its file. */
  example = "";

  add({ attributes, path }: OpenedFile): void {
    const before = this.count;
    for (const { type, name, lowestVcn } of attributes) {
      if (type !== ATTRIBUTE.DATA || name === "" || name === WOF_STREAM || lowestVcn !== 0) continue;
      if (this.count++ === 0) this.example = `${displayPath(path)}:${name}`;
    }
    if (this.count > before) this.files++;
  }
}

/** Why a file's content, or what a directory stands for, is not here; undefined if it is. */
function elsewhere({ record, reparse, information, data }: OpenedFile): string | undefined {
  const thing = record.isDirectory ? "the directory" : "the file";
  if (reparse?.kind === "other") return `${thing} is ${reparse.what}`;
  const isAway = reparse?.kind === "cloud" && information.isRemote && data !== undefined && data.size > 0;
  return isAway ? "the file is in a cloud and was not fetched" : undefined;
}

/** Names of the file without short ones that stand beside long ones. */
function linkCount(attributes: readonly Attribute[]): number {
  let count = 0;
  for (const attribute of attributes) {
    if (attribute.type !== ATTRIBUTE.FILE_NAME || !attribute.isResident) continue;
    const { value } = attribute;
    if (value.length >= FileName.LEAST && !new FileName(value).isDosOnly) count++;
  }
  return Math.max(1, count);
}

/** NTFS 1.2 to 3.1. */
export const format: FileSystemFormat = {
  name: "ntfs",
  async open(source: ByteSource, ctx: Context): Promise<FileSystem> {
    return new NtfsFileSystem(await run(openVolume(source, ctx)));
  },
};
