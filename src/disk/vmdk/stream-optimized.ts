import { inflateSync } from "node:zlib";
import { type Awaitable, type ByteSource, map } from "../../bytes/byte-source.ts";
import { LittleEndianView } from "../../bytes/view.ts";
import type { Context } from "../../context.ts";
import { compressionUnknown, footerMissing, grainDamaged, grainMisplaced, grainOutOfRange } from "./errors.ts";
import { SECTOR, SparseHeader } from "./sparse-header.ts";

export const MARKER = { END_OF_STREAM: 0, GRAIN_TABLE: 1, GRAIN_DIRECTORY: 2, FOOTER: 3, PROGRESS: 4 } as const;

/** What stands between the parts of a stream, and in front of each compressed grain (12 bytes of it). */
export class Marker extends LittleEndianView {
  static readonly SIZE = 16;
  /** What a grain has of it. */
  static readonly GRAIN_SIZE = 12;

  /** Sectors of metadata that follow, or the grain's place on the disk in sectors. */
  get value(): number {
    return this.u64(0x00);
  }
  set value(value: number) {
    this.setU64(0x00, value);
  }
  /** Bytes of the compressed grain; 0 in all other markers. */
  get size(): number {
    return this.u32(0x08);
  }
  set size(value: number) {
    this.setU32(0x08, value);
  }
  get type(): number {
    return this.u32(0x0c);
  }
  set type(value: number) {
    this.setU32(0x0c, value);
  }
}

/** How far from the end a footer is looked for sector by sector: some copies have padding behind it. */
const FOOTER_SEARCH = 1 << 20;

/**
 * The copy of the header at the end of a stream, which alone knows where the grain directory lies: 1,024 bytes before the
 * end, else behind the last footer marker of the last MiB, else found by walking the stream from its first grain.
 */
export async function findFooter(source: ByteSource, header: SparseHeader, ctx: Context): Promise<SparseHeader> {
  const last = source.size - 2 * SECTOR;
  if (last > 0) {
    const footer = asFooter(await source.read(last, SECTOR), 0, header);
    if (footer !== undefined) return footer;
  }
  const whole = Math.floor(source.size / SECTOR) * SECTOR;
  const length = Math.min(FOOTER_SEARCH, whole);
  const tail = await source.read(whole - length, length);
  for (let at = length - SECTOR; at >= SECTOR; at -= SECTOR) {
    if (new Marker(tail.subarray(at - SECTOR, at), 0, Marker.SIZE).type !== MARKER.FOOTER) continue;
    const footer = asFooter(tail, at, header);
    if (footer !== undefined) return footer;
  }
  return await walkToFooter(source, header, ctx);
}

/** The footer of this header: one that agrees with it and has what it lacks. */
function asFooter(bytes: Uint8Array, at: number, header: SparseHeader): SparseHeader | undefined {
  const footer = new SparseHeader(bytes, at);
  const agrees =
    footer.magic === SparseHeader.MAGIC &&
    !footer.directoryAtEnd &&
    footer.capacity === header.capacity &&
    footer.grainSize === header.grainSize &&
    footer.numGTEsPerGT === header.numGTEsPerGT;
  return agrees ? footer : undefined;
}

async function walkToFooter(source: ByteSource, header: SparseHeader, ctx: Context): Promise<SparseHeader> {
  const sectors = Math.floor(source.size / SECTOR);
  let at = Math.max(1, header.overhead);
  while (at + 1 < sectors) {
    ctx.signal.throwIfAborted();
    const marker = new Marker(await source.read(at * SECTOR, Marker.SIZE), 0, Marker.SIZE);
    if (marker.size === 0 && marker.type === MARKER.FOOTER) {
      const footer = asFooter(await source.read((at + 1) * SECTOR, SECTOR), 0, header);
      if (footer !== undefined) return footer;
    }
    const step = stepOver(marker, header);
    if (step === undefined) break;
    at += step;
  }
  throw footerMissing(source.name, Math.min(at, sectors), sectors);
}

/** The sectors of a marker and what it announces; undefined where the stream ends or is no stream. */
function stepOver(marker: Marker, header: SparseHeader): number | undefined {
  if (marker.size > 0) return Math.ceil((Marker.GRAIN_SIZE + marker.size) / SECTOR);
  switch (marker.type) {
    case MARKER.GRAIN_TABLE:
      return 1 + Math.ceil((header.numGTEsPerGT * 4) / SECTOR);
    case MARKER.GRAIN_DIRECTORY:
      return 1 + Math.ceil((header.directoryEntries * 4) / SECTOR);
    case MARKER.PROGRESS:
      return 1;
    default:
      return undefined;
  }
}

/** The compressed bytes of a grain in its file. */
export interface CompressedGrain {
  /** Byte offset of the zlib stream. */
  readonly at: number;
  readonly length: number;
  /** Whether `length` is the stream's own and not just a bound of it. */
  readonly exact: boolean;
}

/** A grain as the tables name it. */
export interface GrainPlace {
  readonly grain: number;
  /** Where the file holds it. */
  readonly sector: number;
}

/** Finds the compressed bytes of a grain by what stands in front of them. */
export function locateGrain(source: ByteSource, header: SparseHeader, place: GrainPlace): Awaitable<CompressedGrain> {
  const at = place.sector * SECTOR;
  const left = source.size - at - Marker.GRAIN_SIZE;
  if (left <= 0) throw grainOutOfRange(source.name, place, source.size);
  return map(source.read(at, Marker.GRAIN_SIZE), (bytes) => {
    const found = header.hasMarkers ? behindMarker(source, header, place, bytes) : unmarked(source, place, bytes);
    const most = header.grainSize * SECTOR;
    if (found.exact && (found.length === 0 || found.length > most + Math.floor(most / 1000) + 64)) {
      throw grainDamaged(source.name, place, `${found.length} compressed bytes are announced for ${most}`);
    }
    if (found.exact && found.at + found.length > source.size) throw grainOutOfRange(source.name, place, source.size);
    return found;
  });
}

function behindMarker(source: ByteSource, header: SparseHeader, place: GrainPlace, bytes: Uint8Array): CompressedGrain {
  const view = new DataView(bytes.buffer, bytes.byteOffset, Marker.GRAIN_SIZE);
  const low = view.getUint32(0, true);
  const lba = view.getUint32(4, true) * 0x1_0000_0000 + low;
  const expected = place.grain * header.grainSize;
  if (lba !== expected) throw grainMisplaced(source.name, place, expected, lba);
  return { at: place.sector * SECTOR + Marker.GRAIN_SIZE, length: view.getUint32(8, true), exact: true };
}

/** Without markers the stream begins at the sector, or behind its length in four bytes. */
function unmarked(source: ByteSource, place: GrainPlace, bytes: Uint8Array): CompressedGrain {
  const at = place.sector * SECTOR;
  if (isZlibHeader(bytes, 0)) return { at, length: source.size - at, exact: false };
  if (isZlibHeader(bytes, 4)) {
    return { at: at + 4, length: new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true), exact: true };
  }
  throw compressionUnknown(source.name, `grain ${place.grain} at sector ${place.sector} is no zlib stream`);
}

function isZlibHeader(bytes: Uint8Array, at: number): boolean {
  const method = bytes[at] ?? 0;
  return (method & 0x0f) === 8 && ((method << 8) | (bytes[at + 1] ?? 0)) % 31 === 0;
}

/** Inflates a grain of at most `most` bytes, of which at least `needed` must come. */
export function inflateGrain(
  source: ByteSource,
  place: GrainPlace,
  bytes: Uint8Array,
  most: number,
  needed: number,
): Uint8Array {
  try {
    // A chunk that is one byte longer than the grain spares zlib a second one to find out that it is done.
    const grain = inflateSync(bytes, { chunkSize: Math.max(64, most + 1), maxOutputLength: most });
    if (grain.length >= needed) return grain;
    throw grainDamaged(source.name, place, `${grain.length} bytes came out, not ${needed}`);
  } catch (cause) {
    if (cause instanceof Error && "errno" in cause) throw grainDamaged(source.name, place, cause.message, cause);
    if (cause instanceof RangeError) throw grainDamaged(source.name, place, `more than ${most} bytes come out`, cause);
    throw cause;
  }
}
