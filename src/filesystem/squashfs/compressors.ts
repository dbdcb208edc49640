import { inflateSync } from "node:zlib";
import { unzstdFrame } from "../../bytes/decompress.ts";
import { decodeLz4 } from "../../bytes/lz4.ts";
import { decodeLzma } from "../../bytes/lzma.ts";
import { decodeLzo1x } from "../../bytes/lzo.ts";
import { decodeXz } from "../../bytes/xz.ts";

/** One of the compressors that an image can be made with. */
export interface Compressor {
  readonly name: string;
  /** Bytes of its options; undefined where it has none. */
  readonly optionBytes: number | undefined;
  /** At most `most` bytes, or undefined (or an error) for damage. */
  unpack(packed: Uint8Array, most: number, file: string): Uint8Array | undefined;
}

/** By its number in the superblock. */
export const COMPRESSORS: Readonly<Record<number, Compressor>> = {
  1: { name: "gzip", optionBytes: 8, unpack: (packed, most) => inflateSync(packed, { maxOutputLength: most }) },
  2: { name: "lzma", optionBytes: undefined, unpack: (packed, most) => decodeLzma(packed, new Uint8Array(most)) },
  3: { name: "lzo", optionBytes: 8, unpack: (packed, most) => decodeLzo1x(packed, new Uint8Array(most)) },
  4: { name: "xz", optionBytes: 8, unpack: (packed, most, file) => decodeXz(packed, new Uint8Array(most), file) },
  5: { name: "lz4", optionBytes: 8, unpack: (packed, most) => decodeLz4(packed, new Uint8Array(most)) },
  6: { name: "zstd", optionBytes: 4, unpack: unzstdFrame },
};
