import { inflateSync } from "node:zlib";
import { unzstdFrame } from "../../bytes/decompress.ts";
import { decodeLzo1x } from "../../bytes/lzo.ts";
import { ConverterError } from "../../errors.ts";

const ZLIB = 1;
const LZO = 2;
const ZSTD = 3;

/** The kernel compresses no more at once: nothing longer is decompressed. */
export const MOST_PLAIN = 128 << 10;

/** Whether there is a decoder for this number. */
export function isKnownCompression(compression: number): boolean {
  return compression >= ZLIB && compression <= ZSTD;
}

/**
 * The `ramBytes` plain bytes of an extent, zeros where it ends early, as the kernel gives them; undefined for damaged data.
 * `sectorSize` is that of the file system: LZO data is framed by it.
 */
export function decompressExtent(
  stored: Uint8Array,
  compression: number,
  ramBytes: number,
  sectorSize: number,
): Uint8Array | undefined {
  const plain = decode(stored, compression, ramBytes, sectorSize);
  if (plain === undefined || plain.length === ramBytes) return plain;
  const padded = new Uint8Array(ramBytes);
  padded.set(plain.subarray(0, ramBytes));
  return padded;
}

function decode(stored: Uint8Array, compression: number, ramBytes: number, sectorSize: number): Uint8Array | undefined {
  if (compression === LZO) return unlzo(stored, ramBytes, sectorSize);
  try {
    return compression === ZLIB
      ? inflateSync(stored, { maxOutputLength: MOST_PLAIN })
      : unzstdFrame(stored, MOST_PLAIN, "");
  } catch (cause) {
    if (cause instanceof ConverterError || (cause as NodeJS.ErrnoException).code !== undefined) return undefined;
    throw cause;
  }
}

const LENGTH = 4;

/** A length of all, then segments with a length each, none of which straddles the end of a sector. */
function unlzo(stored: Uint8Array, ramBytes: number, sectorSize: number): Uint8Array | undefined {
  const view = new DataView(stored.buffer, stored.byteOffset, stored.length);
  if (stored.length < LENGTH) return undefined;
  const total = view.getUint32(0, true);
  if (total > stored.length || total < LENGTH) return undefined;
  const plain = new Uint8Array(ramBytes);
  let done = 0;
  for (let at = LENGTH; at < total && done < ramBytes; ) {
    const left = sectorSize - (at % sectorSize);
    if (left < LENGTH) at += left;
    if (at + LENGTH > total) return undefined;
    const length = view.getUint32(at, true);
    at += LENGTH;
    if (length > total - at) return undefined;
    const decoded = decodeLzo1x(stored.subarray(at, at + length), plain.subarray(done, done + sectorSize));
    if (decoded === undefined) return undefined;
    done += decoded.length;
    at += length;
  }
  return plain.subarray(0, done);
}
