import type { PaxRecords } from "../archive/pax.ts";
import type { ByteReader } from "../bytes/byte-reader.ts";
import type { Chunk } from "../bytes/byte-source.ts";
import type { Where } from "../errors.ts";
import { layerSparse } from "./errors.ts";

/** `[offset, offset + length)` of a file, whose bytes lie at `position` of the uncompressed layer. */
export interface Segment {
  readonly offset: number;
  readonly length: number;
  readonly position: number;
}

/** What a sparse file of GNU tar's pax formats 0.1 and 1.0 is made of; `mapBytes` of its content are the map itself. */
export interface SparseMap {
  readonly size: number;
  readonly mapBytes: number;
  readonly runs: readonly (readonly [offset: number, length: number])[];
}

const MOST_RUNS = 1 << 20;

/** Undefined for a file that is not sparse. Reads the map of format 1.0 off the content (GNU tar manual, "PAX Format, Version 1.0"). */
export async function sparseMap(
  records: PaxRecords,
  stored: number,
  reader: ByteReader,
  where: Where,
): Promise<SparseMap | undefined> {
  const size = records.get("GNU.sparse.realsize") ?? records.get("GNU.sparse.size");
  if (size === undefined) return undefined;
  const text = records.get("GNU.sparse.map");
  if (text !== undefined) {
    return checked({ size: number(size, where), mapBytes: 0, runs: pairs(text.split(","), where) }, stored, where);
  }
  if (records.get("GNU.sparse.major") !== "1") throw layerSparse(where, "a sparse map of a form that tells too little");
  const numbers = new MapReader(reader, stored, where);
  const count = await numbers.next();
  if (count > MOST_RUNS) throw layerSparse(where, `a sparse map of ${count} runs`);
  const list: string[] = [];
  for (let index = 0; index < 2 * count; index++) list.push(`${await numbers.next()}`);
  return checked({ size: number(size, where), mapBytes: numbers.bytes, runs: pairs(list, where) }, stored, where);
}

function number(text: string, where: Where): number {
  if (!/^[0-9]{1,15}$/.test(text)) throw layerSparse(where, `a sparse map with ${JSON.stringify(text.slice(0, 20))}`);
  return Number(text);
}

function pairs(list: readonly string[], where: Where): [number, number][] {
  const numbers = list.filter((text) => text !== "").map((text) => number(text, where));
  if (numbers.length % 2 === 1 || numbers.length > 2 * MOST_RUNS)
    throw layerSparse(where, "a sparse map that is cut off");
  return Array.from({ length: numbers.length / 2 }, (_, index) => [
    numbers[2 * index] ?? 0,
    numbers[2 * index + 1] ?? 0,
  ]);
}

function checked(map: SparseMap, stored: number, where: Where): SparseMap {
  let end = 0;
  let bytes = map.mapBytes;
  for (const [offset, length] of map.runs) {
    if (offset < end || offset + length > map.size)
      throw layerSparse(where, "a sparse map with runs that overlap or leave the file");
    end = offset + length;
    bytes += length;
  }
  if (bytes !== stored) throw layerSparse(where, `a sparse map of ${bytes} bytes for content of ${stored}`);
  return map;
}

class MapReader {
  readonly #reader: ByteReader;
  readonly #stored: number;
  readonly #where: Where;
  #text = "";
  bytes = 0;

  constructor(reader: ByteReader, stored: number, where: Where) {
    this.#reader = reader;
    this.#stored = stored;
    this.#where = where;
  }

  async next(): Promise<number> {
    for (;;) {
      const end = this.#text.indexOf("\n");
      if (end >= 0) {
        const value = number(this.#text.slice(0, end), this.#where);
        this.#text = this.#text.slice(end + 1);
        return value;
      }
      if (this.#text.length > 20 || this.bytes + 512 > this.#stored)
        throw layerSparse(this.#where, "a sparse map that is cut off");
      const block = await this.#reader.take(512);
      this.bytes += 512;
      this.#text += Buffer.from(block.buffer, block.byteOffset, block.length).toString("latin1");
    }
  }
}

/** Where the parts of a file lie whose stored bytes begin at `position`. */
export function segmentsOf(size: number, position: number, map: SparseMap | undefined): readonly Segment[] {
  if (map === undefined) return size === 0 ? [] : [{ offset: 0, length: size, position }];
  let at = position;
  return map.runs
    .filter(([, length]) => length > 0)
    .map(([offset, length]) => {
      const segment = { offset, length, position: at };
      at += length;
      return segment;
    });
}

/** The content of a file of `size` bytes from a reader that stands at the first segment; holes stay holes. */
export async function* segmentChunks(
  size: number,
  segments: readonly Segment[],
  pieces: (length: number) => AsyncIterable<Uint8Array>,
): AsyncGenerator<Chunk, void> {
  let at = 0;
  for (const { offset, length } of segments) {
    if (offset > at) yield { kind: "zero", length: offset - at };
    for await (const bytes of pieces(length)) yield { kind: "data", bytes };
    at = offset + length;
  }
  if (size > at) yield { kind: "zero", length: size - at };
}
