import { type BytePath, bytePath, displayPath, joinPath } from "../../bytes/byte-path.ts";
import type { ByteSource } from "../../bytes/byte-source.ts";
import type { DirectoryEntry, Entry, FileEntry } from "../../bytes/entry.ts";
import { LateSource } from "../../bytes/late-source.ts";
import { compose } from "../../bytes/regions.ts";
import { run, type Steps } from "../../bytes/steps.ts";
import type { Context } from "../../context.ts";
import { BlockContent } from "../block-content.ts";
import type { FileSystem, FileSystemFormat } from "../file-system.ts";
import { descend, type Tree, walk } from "../walk.ts";
import { FLAG } from "./directory-record.ts";
import { directoryEntry, fileEntry, recordPlace, sharedData } from "./entry.ts";
import {
  compressedFileDamaged,
  compressionUnknown,
  directoryRevisited,
  directoryTooLarge,
  interleaved,
  nameUnsafe,
  sparse,
  tooDeep,
  tooManyEntries,
  warn,
} from "./errors.ts";
import type { RockRidge } from "./rock-ridge.ts";
import { IsoVolume, type Listed, type Run } from "./volume.ts";
import { utf16 } from "./volume-descriptor.ts";
import { ZisofsFile } from "./zisofs.ts";

/** An entry, and where a directory's own records lie. */
interface Node {
  readonly entry: Entry;
  readonly directory: Run | undefined;
}

class IsoFileSystem implements FileSystem {
  readonly type = "iso9660";
  readonly #volume: IsoVolume;

  constructor(volume: IsoVolume) {
    this.#volume = volume;
  }

  get uuid(): string | undefined {
    return this.#volume.uuid;
  }
  get label(): string | undefined {
    return this.#volume.label;
  }
  get size(): number {
    return this.#volume.size;
  }
  get used(): number {
    return this.#volume.size;
  }

  walk(enter?: (directory: DirectoryEntry) => boolean): AsyncIterable<Entry> {
    const { ctx, name, source } = this.#volume;
    let directoryBytes = 0;
    const tree: Tree<Node, Node> = {
      name,
      ctx,
      root: () => run(this.#root()),
      entry: ({ entry }) => entry,
      key: ({ directory }) => directory?.offset,
      list: (node, { path }) => {
        directoryBytes += node.directory?.length ?? 0;
        if (directoryBytes > source.size) throw directoryTooLarge(directoryBytes, source.size, name, path);
        return run(this.#children(node));
      },
      child: (_node, child) => child,
      directoryRevisited: (_node, { path }) => directoryRevisited(name, path),
      tooDeep,
      tooManyEntries,
    };
    return walk(tree, enter);
  }

  async lookup(path: BytePath): Promise<Entry | undefined> {
    return await run(this.#lookup(path));
  }

  *#lookup(path: BytePath): Steps<Entry | undefined> {
    return (yield* descend(path, yield* this.#root(), (node, name) => this.#named(node, name)))?.entry;
  }

  *#named(node: Node, name: BytePath): Steps<Node | undefined> {
    const wanted = joinPath(node.entry.path, name);
    return (yield* this.#children(node)).find(({ entry }) => entry.path === wanted);
  }

  content(file: FileEntry): ByteSource {
    const name = `${JSON.stringify(displayPath(file.path))} in ${this.#volume.name}`;
    return new LateSource(name, file.size, () => run(this.#content(file, name)));
  }

  *#content(file: FileEntry, name: string): Steps<ByteSource> {
    const volume = this.#volume;
    const { path, size, inode } = file;
    const data = sharedData(inode);
    if (data !== undefined) return this.#joined(name, size, [{ offset: data, length: size }]);
    const listed = yield* volume.file(recordPlace(inode), path);
    if (listed.record.isInterleaved) throw interleaved(volume.name, path);
    const { isSparse, zisofs } = yield* this.#fields(listed, path);
    if (isSparse === true) throw sparse(volume.name, path);
    if (zisofs === undefined) return this.#joined(name, size, listed.runs);
    if (zisofs.algorithm !== "pz") throw compressionUnknown(zisofs.algorithm, volume.name, path);
    const [stored, ...more] = listed.runs;
    if (stored === undefined || more.length > 0) {
      throw compressedFileDamaged(`lies in ${listed.runs.length} pieces`, volume.name, path);
    }
    return new BlockContent(volume.source, name, size, () => ZisofsFile.open(volume.source, stored, size, path));
  }

  #joined(name: string, size: number, runs: readonly Run[]): ByteSource {
    const content = this.#volume.source;
    let offset = 0;
    const regions = runs.map((part) => {
      const region = { offset, length: part.length, content, contentOffset: part.offset };
      offset += part.length;
      return region;
    });
    return compose(name, size, regions);
  }

  *#fields(listed: Listed, path: BytePath) {
    return this.#volume.naming === "rock-ridge" ? yield* this.#volume.fields(listed.record, path) : {};
  }

  *#root(): Steps<Node> {
    const listed = yield* this.#volume.root();
    const directory = this.#volume.directoryRun(listed, "");
    const self = yield* this.#volume.self(directory, "");
    const fields = yield* this.#fields({ ...listed, record: self }, "");
    return { entry: directoryEntry("", listed, self, fields), directory };
  }

  /** Names in byte order; none where there is no directory. */
  *#children({ entry: { path }, directory }: Node): Steps<readonly Node[]> {
    if (directory === undefined) return [];
    const { ctx, name: file } = this.#volume;
    const nodes = new Map<BytePath, Node>();
    for (const listed of yield* this.#volume.list(directory, path)) {
      const { record } = listed;
      if (record.isSelf || record.isParent || (record.flags & FLAG.ASSOCIATED) !== 0) continue;
      const fields = yield* this.#fields(listed, path);
      if (fields.isRelocated === true) continue;
      const name = fields.name ?? this.#name(record.identifier);
      if (!isSafe(name)) throw nameUnsafe(name, file, path);
      const node = yield* this.#node(joinPath(path, name), listed, fields);
      if (nodes.has(name)) warn(ctx, "ISO_NAME_TWICE", "the name stands twice in its directory", file, node.entry.path);
      else nodes.set(name, node);
    }
    return [...nodes.values()].sort((a, b) => (a.entry.path < b.entry.path ? -1 : 1));
  }

  *#node(path: BytePath, listed: Listed, fields: RockRidge): Steps<Node> {
    const volume = this.#volume;
    if (fields.childBlock !== undefined) {
      const self = yield* volume.relocated(fields.childBlock, path);
      const directory = { offset: fields.childBlock * volume.blockSize, length: self.dataLength };
      const own = yield* this.#fields({ ...listed, record: self }, path);
      return { entry: directoryEntry(path, listed, self, own), directory };
    }
    if (!listed.record.isDirectory)
      return { entry: fileEntry(path, listed, fields, volume.name), directory: undefined };
    return { entry: directoryEntry(path, listed, listed.record, fields), directory: volume.directoryRun(listed, path) };
  }

  /** Without the version number 1 and the dot of a name without extension. */
  #name(identifier: Uint8Array): BytePath {
    const isJoliet = this.#volume.naming === "joliet";
    const text = isJoliet ? bytePath(utf16(identifier)) : Buffer.from(identifier).toString("latin1");
    return text.replace(/;1$/, "").replace(/(?<=.)\.$/s, "");
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

function isSafe(name: BytePath): boolean {
  return name !== "" && name !== "." && name !== ".." && !/[/\0]/.test(name);
}

/** ISO 9660 with Rock Ridge or Joliet names, or plain ones. A UDF file system beside it is not read. */
export const format: FileSystemFormat = {
  name: "iso9660",
  async open(source: ByteSource, ctx: Context): Promise<FileSystem> {
    return new IsoFileSystem(await run(IsoVolume.open(source, ctx)));
  },
};
