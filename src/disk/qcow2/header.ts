import type { ByteSource } from "../../bytes/byte-source.ts";
import type { Context } from "../../context.ts";
import { diskEmpty } from "../errors.ts";
import {
  compressionUnknown,
  encrypted,
  extensionDamaged,
  featureUnknown,
  geometryDamaged,
  markedCorrupt,
  notClosed,
  notQcow2,
} from "./errors.ts";
import { INCOMPATIBLE, MAGIC, Qcow2Header } from "./structures.ts";

const SECTOR = 512;
const MOST_NAME = 1023;

const KNOWN = 31;

const EXTENSION = { END: 0, BACKING_FORMAT: 0xe2792aca, DATA_FILE: 0x44415441 } as const;

/** What the header says, checked. Offsets and sizes are bytes. */
export interface Qcow2Layout {
  readonly version: number;
  readonly clusterBits: number;
  readonly size: number;
  readonly l1Offset: number;
  /** Entries that the disk needs. */
  readonly l1Entries: number;
  readonly extendedL2: boolean;
  readonly compression: "deflate" | "zstd";
  readonly backing: { readonly name: string; readonly format: string | undefined } | undefined;
  /** The file that holds the plain clusters, if it is not this one. */
  readonly dataFile: string | undefined;
}

/** The size of an L2 entry. */
export function entryBytes(extendedL2: boolean): number {
  return extendedL2 ? 16 : 8;
}

export async function readLayout(source: ByteSource, ctx: Context): Promise<Qcow2Layout> {
  const head = Buffer.alloc(Qcow2Header.SIZE);
  head.set(await source.read(0, Math.min(head.length, source.size)));
  const header = new Qcow2Header(head);
  const known = header.magic === MAGIC && (header.version === 2 || header.version === 3);
  if (!known || source.size < Qcow2Header.SIZE_2) throw notQcow2(source.name);
  checkFeatures(header, source.name, ctx);
  const { clusterBits, size, incompatibleFeatures: features } = header;
  if (clusterBits < 9 || clusterBits > 21) throw geometryDamaged(source.name, `clusters of 2^${clusterBits} bytes`);
  if (size === 0) throw diskEmpty(source.name);
  const extendedL2 = (features & INCOMPATIBLE.EXTENDED_L2) !== 0;
  if (extendedL2 && clusterBits < 14)
    throw geometryDamaged(source.name, `subclusters in clusters of 2^${clusterBits} bytes`);
  const covered = 2 ** clusterBits * (2 ** clusterBits / entryBytes(extendedL2));
  const l1Entries = Math.ceil(size / covered);
  if (l1Entries > header.l1Size) {
    throw geometryDamaged(source.name, `${header.l1Size} L1 entries for the ${l1Entries} of a disk of ${size} bytes`);
  }
  const extensions = await readExtensions(source, header);
  return {
    version: header.version,
    clusterBits,
    size: Math.ceil(size / SECTOR) * SECTOR,
    l1Offset: header.l1TableOffset,
    l1Entries,
    extendedL2,
    compression: header.compressionType === 1 ? "zstd" : "deflate",
    backing: await readBacking(source, header, extensions.get(EXTENSION.BACKING_FORMAT)),
    dataFile: (features & INCOMPATIBLE.DATA_FILE) === 0 ? undefined : (extensions.get(EXTENSION.DATA_FILE) ?? ""),
  };
}

function checkFeatures(header: Qcow2Header, file: string, ctx: Context): void {
  const { incompatibleFeatures: features, highFeatures, cryptMethod, compressionType } = header;
  if (highFeatures !== 0 || (features & ~KNOWN) !== 0) {
    throw featureUnknown(file, highFeatures * 2 ** 32 + ((features & ~KNOWN) >>> 0));
  }
  if ((features & INCOMPATIBLE.CORRUPT) !== 0) throw markedCorrupt(file);
  if (cryptMethod !== 0) throw encrypted(file, cryptMethod);
  if (compressionType > 1) throw compressionUnknown(file, compressionType);
  if ((features & INCOMPATIBLE.DIRTY) !== 0) ctx.diagnostic(notClosed(file));
}

/** The texts of the extensions, which follow the header in the first cluster. */
async function readExtensions(source: ByteSource, header: Qcow2Header): Promise<ReadonlyMap<number, string>> {
  const found = new Map<number, string>();
  const end = Math.min(source.size, 2 ** header.clusterBits, header.backingFileOffset || Number.POSITIVE_INFINITY);
  if (header.version >= 3 && (header.headerLength < Qcow2Header.SIZE - 1 || header.headerLength > end)) {
    throw geometryDamaged(source.name, `a header of ${header.headerLength} bytes`);
  }
  const bytes = Buffer.from(await source.read(0, end));
  for (let at = header.headerLength; at + 8 <= end; ) {
    const type = bytes.readUInt32BE(at);
    const length = bytes.readUInt32BE(at + 4);
    if (type === EXTENSION.END) break;
    if (at + 8 + length > end) throw extensionDamaged(source.name, at, type, length);
    if (!found.has(type)) found.set(type, bytes.toString("utf8", at + 8, at + 8 + length));
    at += 8 + Math.ceil(length / 8) * 8;
  }
  return found;
}

async function readBacking(source: ByteSource, header: Qcow2Header, format: string | undefined) {
  const { backingFileOffset: offset, backingFileSize: length } = header;
  if (offset === 0 || length === 0) return undefined;
  if (length > MOST_NAME || offset + length > Math.min(source.size, 2 ** header.clusterBits)) {
    throw geometryDamaged(source.name, `a backing file name of ${length} bytes at 0x${offset.toString(16)}`);
  }
  return { name: Buffer.from(await source.read(offset, length)).toString("utf8"), format };
}
