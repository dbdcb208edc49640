import type { ByteSource } from "../../src/bytes/byte-source.ts";
import type { Catalog, CatalogEntry } from "../../src/catalog.ts";
import type { Context } from "../../src/context.ts";
import type { VirtualDisk } from "../../src/disk/virtual-disk.ts";
import { ConverterError } from "../../src/errors.ts";
import type { FileSystem, FileSystemFormat, FileSystemOptions } from "../../src/filesystem/file-system.ts";
import { fileSystemFormats } from "../../src/filesystem/index.ts";
import { type Recognised, recognise } from "../../src/filesystem/recognised.ts";
import { groupFormats, volumeFormats } from "../../src/volume/index.ts";
import type { Volume, VolumeFormat, VolumeSystem } from "../../src/volume/volume-system.ts";
import { hibernated } from "./errors.ts";

/** What a disk or volume holds. */
export type Content =
  | FileSystemContent
  | {
      /** A partition table. */
      readonly kind: "volumes";
      readonly system: VolumeSystem;
      readonly volumes: readonly Place[];
    }
  | {
      /** A part of volumes that are made of several places: an LVM physical volume, a disk of an array. */
      readonly kind: "member";
      readonly scheme: string;
    }
  | RecognisedContent
  | {
      /** What it is can be told, but it does not open. */
      readonly kind: "damaged";
      /** A file system's or volume system's name; undefined where even that could not be read. */
      readonly type: string | undefined;
      readonly error: ConverterError;
    }
  | { readonly kind: "empty" }
  | { readonly kind: "unknown" };

export interface FileSystemContent {
  readonly kind: "file-system";
  readonly type: string;
  readonly uuid: string | undefined;
  readonly label: string | undefined;
  /** Owned by the stack. */
  readonly fileSystem: FileSystem;
  /** The same file system as another tree (a subvolume), owned by the stack as well. */
  reopen(options: FileSystemOptions): Promise<FileSystem>;
}

/** Known by name, with nothing to read in it (swap) or nothing that transload reads (encrypted, NTFS...). */
interface RecognisedContent {
  readonly kind: "recognised";
  readonly recognised: Recognised;
}

/** A disk or a volume, where a file system or a further volume system may stand. */
export interface Place {
  /** As Linux calls it under /dev, with disks in the order of their controllers: "sda", "sda2", "vg0/root". */
  readonly device: string;
  readonly source: ByteSource;
  /** Undefined for a whole disk. */
  readonly volume: Volume | undefined;
  /** The system to which the volume belongs. */
  readonly system: VolumeSystem | undefined;
  /** From 1; undefined where the volume is not of one disk. */
  readonly disk: number | undefined;
  readonly content: Content;
}

export interface DiskPlace extends Place {
  readonly source: VirtualDisk;
}

/** All disks of a machine and what stands on them, as a tree. Owns its file systems, borrows the disks. */
export interface StorageStack extends AsyncDisposable {
  readonly disks: readonly DiskPlace[];
  /** Volume groups and arrays, which take their bytes from several places. */
  readonly groups: readonly { readonly system: VolumeSystem; readonly volumes: readonly Place[] }[];
}

/** Every disk and volume: each disk with what is on it, then the groups with what is on theirs. */
export function* allPlaces(stack: Pick<StorageStack, "disks" | "groups">): Iterable<Place> {
  for (const place of [...stack.disks, ...stack.groups.flatMap(({ volumes }) => volumes)]) {
    yield place;
    if (place.content.kind === "volumes") yield* place.content.volumes;
  }
}

/** `ext4 "root"`, `LUKS2 encrypted volume`, `nothing`: what a person would call it. */
export function describeContent(content: Content): string {
  switch (content.kind) {
    case "file-system":
      return withLabel(content.type, content.label);
    case "volumes":
      return `a ${content.system.scheme} partition table`;
    case "member":
      return `a part of ${content.scheme}`;
    case "recognised":
      return withLabel(content.recognised.title, content.recognised.label);
    case "damaged":
      return `${content.type ?? "something"} that cannot be read (${content.error.message})`;
    case "empty":
      return "nothing";
    case "unknown":
      return "nothing that is known";
  }
}

function withLabel(title: string, label: string | undefined): string {
  return label === undefined || label === "" ? title : `${title} ${JSON.stringify(label)}`;
}

/** `sda2: ext4 "root"`. */
export function describePlace({ device, content }: Place): string {
  return `${device}: ${describeContent(content)}`;
}

/** The formats that are looked for. */
export interface StackFormats {
  /** Partition tables. */
  readonly volumes: Catalog<VolumeFormat>;
  /** Volume groups and arrays. */
  readonly groups: Catalog<VolumeFormat>;
  readonly fileSystems: Catalog<FileSystemFormat>;
  recognise(source: ByteSource): Promise<Recognised | undefined>;
}

const FORMATS: StackFormats = {
  volumes: volumeFormats,
  groups: groupFormats,
  fileSystems: fileSystemFormats,
  recognise,
};

/** Opens what stands on the disks of one machine, in the order of its controllers. What fails to open stays in the tree with its error. */
export async function openStack(
  disks: readonly VirtualDisk[],
  ctx: Context,
  formats: StackFormats = FORMATS,
): Promise<StorageStack> {
  const opening = new StackOpening(formats, ctx);
  try {
    return await opening.open(disks);
  } catch (error) {
    await opening.dispose();
    throw error;
  }
}

/** A place whose content is being found out. */
type OpenPlace = { -readonly [K in keyof Place]: Place[K] };

/** Linux looks for partitions on disks and on arrays, but not on the volumes of the device mapper. */
const UNDIVIDED: ReadonlySet<string> = new Set(["lvm2"]);
const UNKNOWN: Content = { kind: "unknown" };

class StackOpening {
  readonly #formats: StackFormats;
  readonly #ctx: Context;
  readonly #fileSystems: FileSystem[] = [];
  readonly #groups: { readonly system: VolumeSystem; readonly volumes: readonly Place[] }[] = [];

  constructor(formats: StackFormats, ctx: Context) {
    this.#formats = formats;
    this.#ctx = ctx;
  }

  async open(disks: readonly VirtualDisk[]): Promise<StorageStack> {
    const places = disks.map((source, index) => ({
      device: `sd${diskLetters(index)}`,
      source,
      volume: undefined,
      system: undefined,
      disk: index + 1,
      content: UNKNOWN,
    }));
    const leaves: OpenPlace[] = [];
    for (const place of places) leaves.push(...(await this.#openTable(place)));
    await this.#openContents(await this.#openGroups(leaves));
    return { disks: places, groups: this.#groups, [Symbol.asyncDispose]: () => this.dispose() };
  }

  async dispose(): Promise<void> {
    for (const fileSystem of this.#fileSystems.splice(0)) await fileSystem[Symbol.asyncDispose]();
  }

  /** Gives the partitions of a disk or an array, or the place itself where it has no table. */
  async #openTable(disk: OpenPlace): Promise<OpenPlace[]> {
    let type: string | undefined;
    try {
      const format = await this.#formats.volumes.probe(disk.source);
      if (format === undefined) return [disk];
      type = format.name;
      const [system] = await (await format.load()).open([disk.source], this.#ctx);
      // A boot loader's first sector on a disk without partitions reads as a table without entries.
      if (system === undefined || system.volumes.length === 0) return [disk];
      const volumes = system.volumes.map((volume) => volumePlace(system, volume, disk));
      disk.content = { kind: "volumes", system, volumes };
      return volumes;
    } catch (error) {
      disk.content = damaged(type, error);
      return [];
    }
  }

  /**
   * Opens groups until nothing new appears: an array may hold a volume group and the other way round. One format at a time,
   * in the order of the catalog, so that a group is opened when all its members are there. Gives the places that are in none.
   */
  async #openGroups(leaves: readonly OpenPlace[]): Promise<OpenPlace[]> {
    const { groups: catalog } = this.#formats;
    const rest: OpenPlace[] = [];
    let members: { readonly place: OpenPlace; readonly format: CatalogEntry<VolumeFormat> }[] = [];
    for (let fresh = leaves; ; ) {
      for (const place of fresh) {
        const format = await this.#probe(catalog, place);
        if (format !== undefined) members.push({ place, format });
        else if (place.content === UNKNOWN) rest.push(place);
      }
      const next = catalog.entries.find((entry) => members.some(({ format }) => format === entry));
      if (next === undefined) return rest;
      const now = members.filter(({ format }) => format === next).map(({ place }) => place);
      members = members.filter(({ format }) => format !== next);
      fresh = await this.#openGroup(next, now);
    }
  }

  async #openGroup(entry: CatalogEntry<VolumeFormat>, members: readonly OpenPlace[]): Promise<readonly OpenPlace[]> {
    try {
      const format = await entry.load();
      const systems = await format.open(
        members.map(({ source }) => source),
        this.#ctx,
      );
      for (const member of members) member.content = { kind: "member", scheme: entry.name };
      const leaves: OpenPlace[] = [];
      for (const system of systems) {
        const volumes = system.volumes.map((volume) => volumePlace(system, volume));
        this.#groups.push({ system, volumes });
        for (const volume of volumes)
          leaves.push(...(UNDIVIDED.has(entry.name) ? [volume] : await this.#openTable(volume)));
      }
      return leaves;
    } catch (error) {
      for (const member of members) member.content = damaged(entry.name, error);
      return [];
    }
  }

  async #openContents(places: readonly OpenPlace[]): Promise<void> {
    const found = new Map<OpenPlace, CatalogEntry<FileSystemFormat>>();
    for (const place of places) {
      this.#ctx.signal.throwIfAborted();
      const format = await this.#probe(this.#formats.fileSystems, place);
      if (format !== undefined) found.set(place, format);
      else if (place.content === UNKNOWN) await this.#recognise(place);
    }
    for (const [place, format] of found) {
      if (place.content !== UNKNOWN) continue;
      const others = [...found.keys()].filter((other) => other !== place && found.get(other) === format);
      await this.#openFileSystem(place, format, others);
    }
  }

  async #openFileSystem(
    place: OpenPlace,
    entry: CatalogEntry<FileSystemFormat>,
    others: readonly OpenPlace[],
  ): Promise<void> {
    const open = async (options?: FileSystemOptions): Promise<FileSystem> => {
      const format = await entry.load();
      const sources = others.map(({ source }) => source);
      const fileSystem = await format.open(place.source, this.#ctx, sources, options);
      this.#fileSystems.push(fileSystem);
      return fileSystem;
    };
    try {
      const fileSystem = await open();
      const { type, uuid, label } = fileSystem;
      place.content = { kind: "file-system", type, uuid, label, fileSystem, reopen: open };
      for (const other of others) {
        if (fileSystem.members?.includes(other.source)) other.content = { kind: "member", scheme: type };
      }
    } catch (error) {
      place.content = damaged(entry.name, error);
    }
  }

  async #recognise(place: OpenPlace): Promise<void> {
    try {
      const recognised = await this.#formats.recognise(place.source);
      if (recognised !== undefined) place.content = { kind: "recognised", recognised };
      else if (await startsBlank(place.source)) place.content = { kind: "empty" };
      if (recognised?.name === "swsuspend") this.#ctx.diagnostic(hibernated(place.device, place.source.name));
    } catch (error) {
      place.content = damaged(undefined, error);
    }
  }

  /** What cannot even be read is damaged, and of no format. */
  async #probe<F>(catalog: Catalog<F>, place: OpenPlace): Promise<CatalogEntry<F> | undefined> {
    try {
      return await catalog.probe(place.source);
    } catch (error) {
      place.content = damaged(undefined, error);
      return undefined;
    }
  }
}

function volumePlace(system: VolumeSystem, volume: Volume, on?: OpenPlace): OpenPlace {
  const device = on === undefined ? volume.id : partitionName(on.device, volume.id);
  return { device, source: volume, volume, system, disk: on?.disk, content: UNKNOWN };
}

/** sda1, md0p1: a "p" keeps the numbers apart. */
function partitionName(device: string, id: string): string {
  return /[0-9]$/.test(device) ? `${device}p${id}` : device + id;
}

function damaged(type: string | undefined, error: unknown): Content {
  if (error instanceof ConverterError) return { kind: "damaged", type, error };
  throw error;
}

/** a, b ... z, aa, ab ... */
function diskLetters(index: number): string {
  const last = String.fromCharCode(97 + (index % 26));
  return index < 26 ? last : diskLetters(Math.floor(index / 26) - 1) + last;
}

const BLANK_START = 1 << 20;

async function startsBlank(source: ByteSource): Promise<boolean> {
  const head = await source.read(0, Math.min(BLANK_START, source.size));
  return head.every((byte) => byte === 0);
}
