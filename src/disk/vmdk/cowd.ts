import { type Awaitable, type ByteSource, map } from "../../bytes/byte-source.ts";
import type { Run } from "../../bytes/mapped-source.ts";
import { LittleEndianView } from "../../bytes/view.ts";
import { asDisk } from "../as-disk.ts";
import { BlockSource } from "../block-source.ts";
import type { DiskFormat } from "../virtual-disk.ts";
import {
  descriptorMissing,
  directoryOutOfRange,
  extentTooSmall,
  geometryDamaged,
  grainOutOfRange,
  grainTableOutOfRange,
  noExtents,
  notVmdk,
  tablesTooLarge,
  versionUnknown,
} from "./errors.ts";
import type { ExtentFormat } from "./extent-formats.ts";
import { decodeSectors } from "./grain-directory.ts";
import { Session } from "./session.ts";
import { SECTOR } from "./sparse-header.ts";

const TABLE_ENTRIES = 4096;
const TABLE_BYTES = TABLE_ENTRIES * 4;

/** COWDisk_Header of ESX, up to what reading needs. */
class CowdHeader extends LittleEndianView {
  static readonly SIZE = 0x20;
  static readonly MAGIC = "COWD";

  constructor(bytes: Uint8Array) {
    super(bytes, 0, CowdHeader.SIZE);
  }

  get magic(): string {
    return this.text(0x00, 4);
  }
  get version(): number {
    return this.u32(0x04);
  }
  /** Sectors. */
  get capacity(): number {
    return this.u32(0x0c);
  }
  /** Sectors. */
  get grainSize(): number {
    return this.u32(0x10);
  }
  /** Sectors. */
  get gdOffset(): number {
    return this.u32(0x14);
  }
  get directoryEntries(): number {
    return Math.ceil(this.capacity / (this.grainSize * TABLE_ENTRIES));
  }
}

/** The sparse files (vmfsSparse) in which ESX keeps snapshots on VMFS 5 and before. */
export const extentFormat: ExtentFormat = {
  async open(source, sectors, parent, session) {
    const header = await readHeader(source);
    if (header.capacity < sectors) throw extentTooSmall(source.name, sectors, header.capacity);
    return await openExtent(source, header, sectors * SECTOR, parent, session);
  },
};

/** Such a file without the descriptor that names it, and without its parent. */
export const format: DiskFormat = {
  name: "cowd",
  async open(source, ctx) {
    const header = await readHeader(source);
    ctx.diagnostic(descriptorMissing(source.name));
    const content = await openExtent(source, header, header.capacity * SECTOR, undefined, new Session(ctx));
    return asDisk(content, { format: "cowd", variant: "vmfsSparse", sectorSize: SECTOR, storedBytes: undefined });
  },
};

async function readHeader(source: ByteSource): Promise<CowdHeader> {
  if (source.size < CowdHeader.SIZE) throw notVmdk(source.name);
  const header = new CowdHeader(new Uint8Array(await source.read(0, CowdHeader.SIZE)));
  if (header.magic !== CowdHeader.MAGIC) throw notVmdk(source.name);
  if (header.version !== 1) throw versionUnknown(source.name, header.version);
  if (header.grainSize === 0) throw geometryDamaged(source.name, "grains of 0 sectors");
  if (header.capacity === 0) throw noExtents(source.name);
  return header;
}

async function openExtent(
  source: ByteSource,
  header: CowdHeader,
  size: number,
  parent: ByteSource | undefined,
  session: Session,
): Promise<ByteSource> {
  const { gdOffset, directoryEntries: count } = header;
  if (gdOffset * SECTOR + count * 4 > source.size) {
    throw directoryOutOfRange(source.name, gdOffset, count, source.size);
  }
  if (!session.takeTable(count * 4)) throw tablesTooLarge(source.name, count * 4);
  const directory = decodeSectors(await source.read(gdOffset * SECTOR, count * 4), count);
  return new CowdExtent(source, header.grainSize, directory, size, parent, session);
}

class CowdExtent extends BlockSource {
  readonly name: string;
  readonly size: number;
  readonly #source: ByteSource;
  readonly #grainBytes: number;
  readonly #directory: Uint32Array;
  readonly #parent: ByteSource | undefined;
  readonly #session: Session;
  readonly #key: number;

  constructor(
    source: ByteSource,
    grainSize: number,
    directory: Uint32Array,
    size: number,
    parent: ByteSource | undefined,
    session: Session,
  ) {
    super();
    this.name = source.name;
    this.size = size;
    this.#source = source;
    this.#grainBytes = grainSize * SECTOR;
    this.#directory = directory;
    this.#parent = parent;
    this.#session = session;
    this.#key = session.nextKey();
  }

  protected override blockAt(offset: number): Awaitable<Run> {
    const grain = Math.floor(offset / this.#grainBytes);
    const index = Math.floor(grain / TABLE_ENTRIES);
    const sector = this.#directory[index] ?? 0;
    if (sector === 0) return this.#absent(offset, (index + 1) * TABLE_ENTRIES * this.#grainBytes - offset);
    return map(this.#table(index, sector), (table) => this.#run(table[grain % TABLE_ENTRIES] ?? 0, grain, offset));
  }

  #run(sector: number, grain: number, offset: number): Run {
    const skip = offset - grain * this.#grainBytes;
    const length = this.#grainBytes - skip;
    if (sector === 0) return this.#absent(offset, length);
    const needed = Math.min(this.#grainBytes, this.size - grain * this.#grainBytes);
    if (sector * SECTOR + needed > this.#source.size) {
      throw grainOutOfRange(this.name, { grain, sector }, this.#source.size);
    }
    return { kind: "plain", length, source: this.#source, at: sector * SECTOR + skip };
  }

  #absent(offset: number, length: number): Run {
    if (this.#parent === undefined) return { kind: "zero", length };
    return { kind: "plain", length, source: this.#parent, at: offset };
  }

  #table(index: number, sector: number): Awaitable<Uint32Array> {
    const key = this.#key + sector;
    const known = this.#session.tables.get(key);
    if (known !== undefined) return known;
    if (sector * SECTOR + TABLE_BYTES > this.#source.size) {
      throw grainTableOutOfRange(this.name, index, sector, this.#source.size);
    }
    return map(this.#source.read(sector * SECTOR, TABLE_BYTES), (bytes) =>
      this.#session.tables.set(key, decodeSectors(bytes, TABLE_ENTRIES), TABLE_BYTES),
    );
  }
}
