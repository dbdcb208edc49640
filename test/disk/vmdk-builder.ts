import { deflateSync } from "node:zlib";

const SECTOR = 512;

/** What the image is to be. Sectors unless said otherwise. */
export interface SparseOptions {
  readonly capacity: number;
  readonly grainSize?: number;
  readonly tableEntries?: number;
  /** Bytes of a grain, all of them, or an explicit zero. */
  readonly grains: ReadonlyMap<number, Uint8Array | "zeroed">;
  readonly compressed?: boolean;
  /** Compressed grains without markers: the stream at the sector, or behind its length. */
  readonly unmarked?: "bare" | "length";
  /** A stream: tables behind the grains, and a footer. */
  readonly directoryAtEnd?: boolean;
  readonly redundant?: boolean;
  readonly version?: number;
  /** Sectors of the extent line; the capacity if absent. `null` writes no descriptor. */
  readonly descriptor?: string | null;
}

export interface BuiltSparse {
  readonly bytes: Buffer;
  /** Sector of the directory, of the redundant one, of each table that is there, and of each grain. */
  readonly directory: number;
  readonly redundant: number;
  readonly tables: ReadonlyMap<number, number>;
  readonly grains: ReadonlyMap<number, number>;
  /** Sector of the footer. */
  readonly footer: number;
}

/** The descriptor of a single sparse file. */
export function descriptorText(extents: string, more = "", createType = "monolithicSparse"): string {
  return `# Disk DescriptorFile\nversion=1\nCID=12345678\n${more.includes("parentCID") ? "" : "parentCID=ffffffff\n"}createType="${createType}"\n${more}\n${extents}\n\nddb.adapterType = "lsilogic"\n`;
}

function header(options: SparseOptions, directory: number | "end", redundant: number, overhead: number): Buffer {
  const bytes = Buffer.alloc(SECTOR);
  const zeroed = [...options.grains.values()].includes("zeroed") ? 4 : 0;
  const compressed = options.compressed === true ? 0x10000 : 0;
  const markers = options.compressed === true && options.unmarked === undefined ? 0x20000 : 0;
  bytes.write("KDMV", 0, "latin1");
  bytes.writeUInt32LE(options.version ?? (options.compressed === true ? 3 : zeroed === 0 ? 1 : 2), 4);
  bytes.writeUInt32LE(1 | (options.redundant === true ? 2 : 0) | zeroed | compressed | markers, 8);
  bytes.writeBigUInt64LE(BigInt(options.capacity), 12);
  bytes.writeBigUInt64LE(BigInt(options.grainSize ?? 8), 20);
  if (options.descriptor !== null) {
    bytes.writeBigUInt64LE(1n, 28);
    bytes.writeBigUInt64LE(4n, 36);
  }
  bytes.writeUInt32LE(options.tableEntries ?? 16, 44);
  bytes.writeBigUInt64LE(BigInt(redundant), 48);
  bytes.writeBigUInt64LE(directory === "end" ? 0xffffffffffffffffn : BigInt(directory), 56);
  bytes.writeBigUInt64LE(BigInt(overhead), 64);
  bytes.write("\n \r\n", 73, "latin1");
  bytes.writeUInt16LE(options.compressed === true ? 1 : 0, 77);
  return bytes;
}

function marker(value: number, type: number): Buffer {
  const bytes = Buffer.alloc(SECTOR);
  bytes.writeUInt32LE(value, 0);
  bytes.writeUInt32LE(type, 12);
  return bytes;
}

function stored(options: SparseOptions, grain: number, content: Uint8Array): Buffer {
  if (options.compressed !== true) return Buffer.from(content);
  const data = deflateSync(content);
  if (options.unmarked === "bare") return data;
  const front = Buffer.alloc(options.unmarked === "length" ? 4 : 12);
  if (options.unmarked !== "length") front.writeUInt32LE(grain * (options.grainSize ?? 8), 0);
  front.writeUInt32LE(data.length, front.length - 4);
  return Buffer.concat([front, data]);
}

/** A file that grows by whole sectors. */
class Sectors {
  readonly #parts: Buffer[] = [];
  length = 0;

  /** The sector at which `bytes` begin. */
  add(bytes: Buffer): number {
    const at = this.length;
    const padded = Buffer.concat([bytes, Buffer.alloc(-bytes.length & (SECTOR - 1))]);
    this.#parts.push(padded);
    this.length += padded.length / SECTOR;
    return at;
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

function u32s(values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) bytes.writeUInt32LE(value, index * 4);
  return bytes;
}

/** A sparse VMDK in memory, small and odd as a test needs it: written from the format's description, apart from the reader. */
export function buildSparse(options: SparseOptions): BuiltSparse {
  const grainSize = options.grainSize ?? 8;
  const entries = options.tableEntries ?? 16;
  const tableCount = Math.ceil(options.capacity / (grainSize * entries));
  const text =
    options.descriptor ??
    descriptorText(
      `RDONLY ${options.capacity} SPARSE "x.vmdk"`,
      "",
      options.directoryAtEnd === true ? "streamOptimized" : undefined,
    );
  const file = new Sectors();
  file.add(Buffer.alloc(SECTOR));
  file.add(Buffer.concat([Buffer.from(text), Buffer.alloc(4 * SECTOR - text.length)]));
  const grains = new Map<number, number>();
  const tables = new Map<number, number>();
  const used = [...options.grains.keys()].sort((a, b) => a - b);
  const table = (index: number): Buffer =>
    u32s(
      Array.from({ length: entries }, (_, entry) => {
        const grain = index * entries + entry;
        return options.grains.get(grain) === "zeroed" ? 1 : (grains.get(grain) ?? 0);
      }),
    );
  const writeGrains = (wanted: readonly number[]): void => {
    for (const grain of wanted) {
      const content = options.grains.get(grain);
      if (content instanceof Uint8Array) grains.set(grain, file.add(stored(options, grain, content)));
    }
  };
  const usedTables = [...new Set(used.map((grain) => Math.floor(grain / entries)))];
  const inTable = (index: number): number[] => used.filter((grain) => Math.floor(grain / entries) === index);
  const directoryOf = (places: ReadonlyMap<number, number>): Buffer =>
    u32s(Array.from({ length: tableCount }, (_, index) => places.get(index) ?? 0));
  const overhead = file.length;
  if (options.directoryAtEnd === true) {
    for (const index of usedTables) {
      writeGrains(inTable(index));
      file.add(marker(Math.ceil((entries * 4) / SECTOR), 1));
      tables.set(index, file.add(table(index)));
    }
    file.add(marker(Math.ceil((tableCount * 4) / SECTOR), 2));
    const directory = file.add(directoryOf(tables));
    file.add(marker(1, 3));
    const footer = file.add(header(options, directory, 0, overhead));
    file.add(marker(0, 0));
    const bytes = file.bytes;
    header(options, "end", 0, overhead).copy(bytes);
    return { bytes, directory, redundant: 0, tables, grains, footer };
  }
  for (const index of usedTables) writeGrains(inTable(index));
  const copy = new Map<number, number>();
  if (options.redundant === true) for (const index of usedTables) copy.set(index, file.add(table(index)));
  const redundant = options.redundant === true ? file.add(directoryOf(copy)) : 0;
  for (const index of usedTables) tables.set(index, file.add(table(index)));
  const directory = file.add(directoryOf(tables));
  const bytes = file.bytes;
  header(options, directory, redundant, overhead).copy(bytes);
  return { bytes, directory, redundant, tables, grains, footer: 0 };
}

/** The bytes of the disk that `options` describe, `sectors` long. */
export function rawOf(options: SparseOptions, sectors: number = options.capacity): Buffer {
  const raw = Buffer.alloc(sectors * SECTOR);
  const grainBytes = (options.grainSize ?? 8) * SECTOR;
  for (const [grain, content] of options.grains) {
    if (content instanceof Uint8Array)
      raw.set(content.subarray(0, raw.length - grain * grainBytes), grain * grainBytes);
  }
  return raw;
}
