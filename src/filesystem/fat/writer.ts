import type { Region } from "../../bytes/regions.ts";
import { LittleEndianView } from "../../bytes/view.ts";
import { BootSector } from "./boot-sector.ts";
import { ATTRIBUTE, ShortEntry } from "./directory-record.ts";

const SECTOR = 512;
const RESERVED_SECTORS = 32;
const FS_INFO_SECTOR = 1;
const BACKUP_SECTOR = 6;
const TABLES = 2;
const ROOT_CLUSTER = 2;
const MEDIA = 0xf8;
const END_OF_CHAIN = 0x0fffffff;
/** FAT specification 1.03, section 3.5: with fewer it would be FAT16 to many. A few more, since some count otherwise. */
const LEAST_CLUSTERS = 65525 + 16;
/** Of the tables, so that they stay small on a large partition. */
const MOST_CLUSTERS = 1 << 19;

/** The smallest volume that can be FAT32: bytes. */
export const LEAST_FAT32_BYTES = 36 << 20;

/** A file for the volume. */
export interface FatFile {
  /** Directories and name, each 1 to 8 capital letters or digits with up to 3 more behind a dot: `EFI/BOOT/BOOTX64.EFI`. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

export interface NewFat32 {
  /** Bytes: a multiple of 512, at least LEAST_FAT32_BYTES and enough for the files. */
  readonly size: number;
  /** Sectors of the disk in front of the volume, which its boot sector tells. */
  readonly hiddenSectors: number;
  /** At most 11 capital letters. */
  readonly label: string;
  readonly serial: number;
  /** Of every entry; the time of day is midnight. */
  readonly date: Date;
  /** Each lies on the volume in one piece. */
  readonly files: readonly FatFile[];
}

/** A volume that was laid out: what it holds and where each file begins, in bytes from its start. */
export interface WrittenFat32 {
  readonly regions: readonly Region[];
  readonly offsets: ReadonlyMap<string, number>;
}

/** FAT32's file system information sector (FAT specification 1.03, section 5). */
class FsInfo extends LittleEndianView {
  constructor(bytes: Uint8Array, offset: number) {
    super(bytes, offset, SECTOR);
  }
  sign(): void {
    this.setU32(0x000, 0x41615252);
    this.setU32(0x1e4, 0x61417272);
    this.setU32(0x1fc, 0xaa550000);
  }
  set freeClusters(value: number) {
    this.setU32(0x1e8, value);
  }
  set nextFree(value: number) {
    this.setU32(0x1ec, value);
  }
}

/** What only the extended part of a FAT32 boot sector has, and is written once. */
class Fat32BootSector extends BootSector {
  set geometry(value: { readonly sectorsPerTrack: number; readonly heads: number }) {
    this.setU16(0x18, value.sectorsPerTrack);
    this.setU16(0x1a, value.heads);
  }
  set hiddenSectors(value: number) {
    this.setU32(0x1c, value);
  }
  set fsInfoSector(value: number) {
    this.setU16(0x30, value);
  }
  set backupSector(value: number) {
    this.setU16(0x32, value);
  }
  sign(serial: number, label: string): void {
    this.bytes(0x00, 3).set([0xeb, 0x58, 0x90]);
    // Whoever boots the volume by mistake stops here: hlt, jmp.
    this.bytes(0x5a, 3).set([0xf4, 0xeb, 0xfd]);
    this.setU8(0x40, 0x80);
    this.setU8(0x42, 0x29);
    this.setU32(0x43, serial);
    this.bytes(0x47, 11).set(Buffer.from(label.padEnd(11), "latin1"));
    this.bytes(0x52, 8).set(Buffer.from("FAT32   ", "latin1"));
    this.setU16(0x1fe, 0xaa55);
  }
}

interface Directory {
  readonly path: string;
  readonly cluster: number;
  readonly parent: Directory | undefined;
  readonly entries: {
    readonly name: string;
    readonly cluster: number;
    readonly size: number;
    readonly isFile: boolean;
  }[];
}

/**
 * Lays out a FAT32 volume (FAT specification 1.03) whose files a loader finds by their sectors alone: each in one piece, in
 * their order, behind the directories. Programming mistakes (names, a size that is too small) throw plain Errors.
 */
export function writeFat32(volume: NewFat32): WrittenFat32 {
  const shape = shapeOf(volume);
  const allocation = new Allocation(shape);
  const directories = [{ path: "", cluster: allocation.take(1), parent: undefined, entries: [] } as Directory];
  const directoryOf = (path: string): Directory => {
    const known = directories.find((each) => each.path === path);
    if (known !== undefined) return known;
    const slash = path.lastIndexOf("/");
    const parent = directoryOf(path.slice(0, Math.max(0, slash)));
    const made: Directory = { path, cluster: allocation.take(1), parent, entries: [] };
    parent.entries.push({ name: path.slice(slash + 1), cluster: made.cluster, size: 0, isFile: false });
    directories.push(made);
    return made;
  };
  for (const { path } of volume.files) directoryOf(folderOf(path));
  const contents: Region[] = [];
  const offsets = new Map<string, number>();
  for (const { path, bytes } of volume.files) {
    const cluster = bytes.length === 0 ? 0 : allocation.take(Math.ceil(bytes.length / shape.clusterBytes));
    const offset = shape.offsetOf(cluster);
    offsets.set(path, offset);
    if (bytes.length > 0) contents.push({ offset, length: bytes.length, content: bytes });
    const name = path.slice(path.lastIndexOf("/") + 1);
    directoryOf(folderOf(path)).entries.push({ name, cluster, size: bytes.length, isFile: true });
  }
  const listings = directories.map((directory): Region => {
    const content = listing(directory, volume, shape.clusterBytes);
    return { offset: shape.offsetOf(directory.cluster), length: content.length, content };
  });
  const head = bootSectors(volume, shape, allocation);
  const tables = [0, 1].map((index): Region => {
    const offset = (RESERVED_SECTORS + index * shape.tableSectors) * SECTOR;
    return { offset, length: allocation.table.length, content: allocation.table };
  });
  return {
    regions: [{ offset: 0, length: head.length, content: head }, ...tables, ...listings, ...contents],
    offsets,
  };
}

function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

interface Shape {
  readonly sectorsPerCluster: number;
  readonly clusterBytes: number;
  readonly clusters: number;
  readonly tableSectors: number;
  offsetOf(cluster: number): number;
}

function shapeOf({ size }: NewFat32): Shape {
  const sectors = size / SECTOR;
  let sectorsPerCluster = 1;
  while (sectors / sectorsPerCluster > MOST_CLUSTERS) sectorsPerCluster *= 2;
  // The table may have an entry or two more than there are clusters.
  const tableSectors = Math.ceil(((sectors / sectorsPerCluster + 2) * 4) / SECTOR);
  const dataSector = RESERVED_SECTORS + TABLES * tableSectors;
  const clusters = Math.floor((sectors - dataSector) / sectorsPerCluster);
  if (clusters < LEAST_CLUSTERS) throw new Error(`a FAT32 volume of ${size} bytes has only ${clusters} clusters`);
  const clusterBytes = sectorsPerCluster * SECTOR;
  const offsetOf = (cluster: number) => dataSector * SECTOR + (cluster - ROOT_CLUSTER) * clusterBytes;
  return { sectorsPerCluster, clusterBytes, clusters, tableSectors, offsetOf };
}

/** Takes clusters one after another, each piece as a chain of its own. */
class Allocation {
  /** As far as clusters were taken; what follows is zeros. */
  readonly table: Uint8Array;
  readonly #entries: DataView;
  readonly #clusters: number;
  next = ROOT_CLUSTER;

  constructor({ tableSectors, clusters }: Shape) {
    this.table = new Uint8Array(tableSectors * SECTOR);
    this.#entries = new DataView(this.table.buffer);
    this.#clusters = clusters;
    this.#entries.setUint32(0, 0x0fffff00 | MEDIA, true);
    this.#entries.setUint32(4, END_OF_CHAIN, true);
  }

  get free(): number {
    return this.#clusters - (this.next - ROOT_CLUSTER);
  }

  take(count: number): number {
    if (count > this.free) throw new Error(`${count} clusters are more than the ${this.free} that are free`);
    const first = this.next;
    this.next += count;
    for (let cluster = first; cluster < this.next; cluster++) {
      this.#entries.setUint32(cluster * 4, cluster + 1 === this.next ? END_OF_CHAIN : cluster + 1, true);
    }
    return first;
  }
}

function bootSectors(volume: NewFat32, shape: Shape, allocation: Allocation): Uint8Array {
  const bytes = new Uint8Array(RESERVED_SECTORS * SECTOR);
  const boot = new Fat32BootSector(bytes);
  boot.oemName = "TRNSLOAD";
  boot.bytesPerSector = SECTOR;
  boot.sectorsPerCluster = shape.sectorsPerCluster;
  boot.reservedSectors = RESERVED_SECTORS;
  boot.tables = TABLES;
  boot.media = MEDIA;
  boot.geometry = { sectorsPerTrack: 63, heads: 255 };
  boot.hiddenSectors = volume.hiddenSectors;
  boot.totalSectors = volume.size / SECTOR;
  boot.tableSectors32 = shape.tableSectors;
  boot.rootCluster = ROOT_CLUSTER;
  boot.fsInfoSector = FS_INFO_SECTOR;
  boot.backupSector = BACKUP_SECTOR;
  boot.sign(volume.serial, volume.label);
  const information = new FsInfo(bytes, FS_INFO_SECTOR * SECTOR);
  information.sign();
  information.freeClusters = allocation.free;
  information.nextFree = allocation.next;
  bytes.copyWithin(BACKUP_SECTOR * SECTOR, 0, 2 * SECTOR);
  return bytes;
}

function listing(directory: Directory, { label, date }: NewFat32, clusterBytes: number): Uint8Array {
  const own =
    directory.parent === undefined
      ? [{ raw: label.padEnd(11), attributes: ATTRIBUTE.VOLUME_ID, cluster: 0, size: 0 }]
      : [
          { raw: ".".padEnd(11), attributes: ATTRIBUTE.DIRECTORY, cluster: directory.cluster, size: 0 },
          // The root is written as 0 here.
          { raw: "..".padEnd(11), attributes: ATTRIBUTE.DIRECTORY, cluster: parentCluster(directory), size: 0 },
        ];
  const held = directory.entries.map(({ name, cluster, size, isFile }) => ({
    raw: rawName(name),
    attributes: isFile ? ATTRIBUTE.ARCHIVE : ATTRIBUTE.DIRECTORY,
    cluster,
    size,
  }));
  const bytes = new Uint8Array(clusterBytes);
  for (const [index, { raw, attributes, cluster, size }] of [...own, ...held].entries()) {
    const entry = new ShortEntry(bytes, index * ShortEntry.SIZE);
    entry.rawName = Buffer.from(raw, "latin1");
    entry.attributes = attributes;
    entry.firstCluster32 = cluster;
    entry.size = size;
    entry.date = date;
  }
  return bytes;
}

function parentCluster({ parent }: Directory): number {
  return parent === undefined || parent.cluster === ROOT_CLUSTER ? 0 : parent.cluster;
}

function rawName(name: string): string {
  const [, base, extension = ""] = /^([A-Z0-9_-]{1,8})(?:\.([A-Z0-9_-]{1,3}))?$/.exec(name) ?? [];
  if (base === undefined) throw new Error(`${JSON.stringify(name)} is no name in 8.3 form`);
  return base.padEnd(8) + extension.padEnd(3);
}
