import type { Awaitable, ByteSource } from "./bytes/byte-source.ts";

/** Bytes that tell a format, at `offset` from the start of the source, or from its end if negative. */
export interface Magic {
  readonly offset: number;
  readonly bytes: Uint8Array | string;
}

/** A format that can be found by name or recognised; its code is loaded only when it is used. */
export interface CatalogEntry<F> {
  readonly name: string;
  /** One of these is enough. */
  readonly magic: readonly Magic[];
  /** Looks at more than fixed bytes where the format has none (a text, a table with sane entries); `head` is the first 128 KiB. */
  readonly detect?: (head: Uint8Array, source: ByteSource) => Awaitable<boolean>;
  /** File endings with the dot, in lower case. */
  readonly suffixes: readonly string[];
  load(): Promise<F>;
}

const HEAD = 128 << 10;

/** The formats of one folder, in the order in which they are tried. */
export class Catalog<F> {
  readonly entries: readonly CatalogEntry<F>[];

  constructor(entries: readonly CatalogEntry<F>[]) {
    this.entries = entries;
  }

  /**
   * The first format whose magic fits. "Not mine" is the answer undefined; what is recognised but broken throws later,
   * when it is opened, and is never taken for another format.
   */
  async probe(source: ByteSource): Promise<CatalogEntry<F> | undefined> {
    const head = await source.read(0, Math.min(HEAD, source.size));
    for (const entry of this.entries) {
      for (const magic of entry.magic) {
        if (await fits(magic, source, head)) return entry;
      }
      if (entry.detect !== undefined && (await entry.detect(head, source))) return entry;
    }
    return undefined;
  }

  byName(name: string): CatalogEntry<F> | undefined {
    return this.entries.find((entry) => entry.name === name);
  }

  /** By the ending of a file name, whatever its case. */
  bySuffix(fileName: string): CatalogEntry<F> | undefined {
    const lower = fileName.toLowerCase();
    return this.entries.find((entry) => entry.suffixes.some((suffix) => lower.endsWith(suffix)));
  }
}

async function fits(magic: Magic, source: ByteSource, head: Uint8Array): Promise<boolean> {
  const wanted = typeof magic.bytes === "string" ? Buffer.from(magic.bytes, "latin1") : magic.bytes;
  const offset = magic.offset < 0 ? source.size + magic.offset : magic.offset;
  if (offset < 0 || offset + wanted.length > source.size) return false;
  const inHead = offset + wanted.length <= head.length;
  const found = inHead ? head.subarray(offset, offset + wanted.length) : await source.read(offset, wanted.length);
  return wanted.every((byte, index) => found[index] === byte);
}
