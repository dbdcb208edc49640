import { ByteCache } from "../../bytes/byte-cache.ts";
import { type Awaitable, type ByteSource, map } from "../../bytes/byte-source.ts";
import type { Run } from "../../bytes/mapped-source.ts";
import { LittleEndianView } from "../../bytes/view.ts";
import { asDisk } from "../as-disk.ts";
import { BlockSource } from "../block-source.ts";
import type { DiskFormat } from "../virtual-disk.ts";
import {
  descriptorMissing,
  directoryOutOfRange,
  entryDamaged,
  extentTooSmall,
  geometryDamaged,
  grainOutOfRange,
  grainTableOutOfRange,
  journalPending,
  noExtents,
  notVmdk,
  tablesTooLarge,
} from "./errors.ts";
import type { ExtentFormat } from "./extent-formats.ts";
import { Session } from "./session.ts";
import { SECTOR } from "./sparse-header.ts";

const TABLE_CACHE = 8 << 20;
const WORD = 2 ** 32;

/** The upper half of an entry of the directory that names a table. */
const TABLE_PRESENT = 0x10000000;
/** The upper four bits of an entry of a table. */
const GRAIN = { ABSENT: 0, UNMAPPED: 1, ZERO: 2, PRESENT: 3 } as const;

/** SESparseConstHeader as QEMU describes it; everything is counted in sectors. */
class ConstHeader extends LittleEndianView {
  static readonly SIZE = 0xd0;
  static readonly MAGIC = 0xcafebabe;
  /** 2.1. */
  static readonly VERSION = 0x2_0000_0001;
  static readonly GRAIN_SECTORS = 8;
  static readonly TABLE_SECTORS = 64;

  constructor(bytes: Uint8Array) {
    super(bytes, 0, ConstHeader.SIZE);
  }

  get magic(): number {
    return this.u64(0x00);
  }
  get version(): number {
    return this.u64(0x08);
  }
  get capacity(): number {
    return this.u64(0x10);
  }
  get grainSize(): number {
    return this.u64(0x18);
  }
  get grainTableSize(): number {
    return this.u64(0x20);
  }
  get flags(): number {
    return this.u64(0x28);
  }
  get volatileHeaderOffset(): number {
    return this.u64(0x50);
  }
  get grainDirectoryOffset(): number {
    return this.u64(0x80);
  }
  get grainDirectorySize(): number {
    return this.u64(0x88);
  }
  get grainTablesOffset(): number {
    return this.u64(0x90);
  }
  get grainsOffset(): number {
    return this.u64(0xc0);
  }
}

/** SESparseVolatileHeader. */
class VolatileHeader extends LittleEndianView {
  static readonly SIZE = 0x20;
  static readonly MAGIC = 0xcafecafe;

  constructor(bytes: Uint8Array) {
    super(bytes, 0, VolatileHeader.SIZE);
  }

  get magic(): number {
    return this.u64(0x00);
  }
  get replayJournal(): boolean {
    return this.u64(0x18) !== 0;
  }
}

const TABLE_ENTRIES = (ConstHeader.TABLE_SECTORS * SECTOR) / 8;
const TABLE_BYTES = TABLE_ENTRIES * 8;
const GRAIN_BYTES = ConstHeader.GRAIN_SECTORS * SECTOR;

/** The sparse files in which ESX 6.5 and later keep snapshots. */
export const extentFormat: ExtentFormat = {
  async open(source, sectors, parent, session) {
    const header = await readHeader(source);
    if (header.capacity < sectors) throw extentTooSmall(source.name, sectors, header.capacity);
    return await openExtent(source, header, sectors * SECTOR, parent, session);
  },
};

/** Such a file without the descriptor that names it, and without its parent. */
export const format: DiskFormat = {
  name: "sesparse",
  async open(source, ctx) {
    const header = await readHeader(source);
    ctx.diagnostic(descriptorMissing(source.name));
    const content = await openExtent(source, header, header.capacity * SECTOR, undefined, new Session(ctx));
    return asDisk(content, { format: "sesparse", variant: "seSparse", sectorSize: SECTOR, storedBytes: undefined });
  },
};

async function readHeader(source: ByteSource): Promise<ConstHeader> {
  const { name } = source;
  if (source.size < ConstHeader.SIZE) throw notVmdk(name);
  const header = new ConstHeader(new Uint8Array(await source.read(0, ConstHeader.SIZE)));
  if (header.magic !== ConstHeader.MAGIC) throw notVmdk(name);
  if (header.version !== ConstHeader.VERSION) {
    throw geometryDamaged(name, `seSparse version 0x${header.version.toString(16)}`);
  }
  const { grainSize, grainTableSize, capacity } = header;
  if (grainSize !== ConstHeader.GRAIN_SECTORS) throw geometryDamaged(name, `a grain of ${grainSize} sectors`);
  if (grainTableSize !== ConstHeader.TABLE_SECTORS) {
    throw geometryDamaged(name, `a grain table of ${grainTableSize} sectors`);
  }
  if (header.flags !== 0) throw geometryDamaged(name, `flags 0x${header.flags.toString(16)}`);
  if (capacity === 0) throw noExtents(name);
  if (!Number.isSafeInteger(capacity * SECTOR)) throw geometryDamaged(name, `a capacity of ${capacity} sectors`);
  const at = header.volatileHeaderOffset * SECTOR;
  if (at + VolatileHeader.SIZE > source.size) throw geometryDamaged(name, `its second header at 0x${at.toString(16)}`);
  const second = new VolatileHeader(new Uint8Array(await source.read(at, VolatileHeader.SIZE)));
  if (second.magic !== VolatileHeader.MAGIC) throw geometryDamaged(name, `its second header at 0x${at.toString(16)}`);
  if (second.replayJournal) throw journalPending(name);
  return header;
}

async function openExtent(
  source: ByteSource,
  header: ConstHeader,
  size: number,
  parent: ByteSource | undefined,
  session: Session,
): Promise<ByteSource> {
  const count = Math.ceil(header.capacity / (header.grainSize * TABLE_ENTRIES));
  const at = header.grainDirectoryOffset * SECTOR;
  const room = Math.min(source.size - at, header.grainDirectorySize * SECTOR);
  if (count * 8 > room) throw directoryOutOfRange(source.name, header.grainDirectoryOffset, count, source.size);
  if (!session.takeTable(count * 8)) throw tablesTooLarge(source.name, count * 8);
  const directory = new DataView(new Uint8Array(await source.read(at, count * 8)).buffer);
  return new SeSparseExtent(source, header, directory, size, parent);
}

class SeSparseExtent extends BlockSource {
  readonly name: string;
  readonly size: number;
  readonly #source: ByteSource;
  readonly #header: ConstHeader;
  readonly #directory: DataView;
  readonly #parent: ByteSource | undefined;
  readonly #tables = new ByteCache<DataView>(TABLE_CACHE);

  constructor(
    source: ByteSource,
    header: ConstHeader,
    directory: DataView,
    size: number,
    parent: ByteSource | undefined,
  ) {
    super();
    this.name = source.name;
    this.size = size;
    this.#source = source;
    this.#header = header;
    this.#directory = directory;
    this.#parent = parent;
  }

  protected override blockAt(offset: number): Awaitable<Run> {
    const grain = Math.floor(offset / GRAIN_BYTES);
    const index = Math.floor(grain / TABLE_ENTRIES);
    const low = this.#directory.getUint32(index * 8, true);
    const high = this.#directory.getUint32(index * 8 + 4, true);
    if (low === 0 && high === 0) return this.#absent(offset, (index + 1) * TABLE_ENTRIES * GRAIN_BYTES - offset);
    if (high !== TABLE_PRESENT) throw entryDamaged(this.name, offset, high, low);
    return map(this.#table(index, low), (table) => this.#run(table, grain, offset));
  }

  #run(table: DataView, grain: number, offset: number): Run {
    const at = (grain % TABLE_ENTRIES) * 8;
    const low = table.getUint32(at, true);
    const high = table.getUint32(at + 4, true);
    const skip = offset - grain * GRAIN_BYTES;
    const length = GRAIN_BYTES - skip;
    const state = high >>> 28;
    if (low === 0 && high === 0) return this.#absent(offset, length);
    if (state === GRAIN.UNMAPPED || state === GRAIN.ZERO) return { kind: "zero", length };
    if (state !== GRAIN.PRESENT) throw entryDamaged(this.name, offset, high, low);
    const place = ((high & 0xffff) * WORD + low) * 4096 + ((high >>> 16) & 0xfff);
    const sector = this.#header.grainsOffset + place * ConstHeader.GRAIN_SECTORS;
    const needed = Math.min(GRAIN_BYTES, this.size - grain * GRAIN_BYTES);
    if (sector * SECTOR + needed > this.#source.size) {
      throw grainOutOfRange(this.name, { grain, sector }, this.#source.size);
    }
    return { kind: "plain", length, source: this.#source, at: sector * SECTOR + skip };
  }

  #absent(offset: number, length: number): Run {
    if (this.#parent === undefined) return { kind: "zero", length };
    return { kind: "plain", length, source: this.#parent, at: offset };
  }

  #table(index: number, number: number): Awaitable<DataView> {
    const known = this.#tables.get(number);
    if (known !== undefined) return known;
    const sector = this.#header.grainTablesOffset + number * ConstHeader.TABLE_SECTORS;
    if (sector * SECTOR + TABLE_BYTES > this.#source.size) {
      throw grainTableOutOfRange(this.name, index, sector, this.#source.size);
    }
    return map(this.#source.read(sector * SECTOR, TABLE_BYTES), (bytes) =>
      this.#tables.set(number, new DataView(new Uint8Array(bytes).buffer), TABLE_BYTES),
    );
  }
}
