const CHUNK = 4096;

/**
 * Decompresses LZNT1: chunks that give 4096 bytes each, the rest stays zero. `into` is as long as a compression unit.
 * Answers what is wrong with the input, undefined if nothing is.
 */
export function lznt1(from: Uint8Array, into: Uint8Array): string | undefined {
  let at = 0;
  for (let start = 0; start < into.length && at + 2 <= from.length; start += CHUNK) {
    const header = (from[at] ?? 0) | ((from[at + 1] ?? 0) << 8);
    if (header === 0) return undefined;
    const end = at + 3 + (header & 0xfff);
    if (end > from.length) return `a chunk ends at ${end} of ${from.length}`;
    if ((header & 0x8000) === 0) into.set(from.subarray(at + 2, Math.min(end, at + 2 + into.length - start)), start);
    else if (!unpack(from, at + 2, end, into, start)) return `a chunk refers to bytes that it does not have`;
    at = end;
  }
  return undefined;
}

/** Groups of eight tokens behind a byte whose bits tell which of them are copies. */
function unpack(from: Uint8Array, begin: number, end: number, into: Uint8Array, start: number): boolean {
  const limit = Math.min(into.length, start + CHUNK);
  let out = start;
  for (let at = begin; at < end; ) {
    const flags = from[at++] as number;
    for (let bit = 0; bit < 8 && at < end; bit++) {
      if ((flags & (1 << bit)) === 0) {
        if (out >= limit) return false;
        into[out++] = from[at++] as number;
        continue;
      }
      if (at + 2 > end || out === start) return false;
      const token = (from[at] as number) | ((from[at + 1] as number) << 8);
      at += 2;
      // The further into the chunk, the more of a token's bits tell the distance: 4 at first.
      const lengthBits = Math.min(12, Math.clz32(out - start - 1) - 16);
      const length = (token & ((1 << lengthBits) - 1)) + 3;
      const distance = (token >> lengthBits) + 1;
      if (distance > out - start || out + length > limit) return false;
      // Copies may overlap what they make.
      if (distance >= length) into.copyWithin(out, out - distance, out - distance + length);
      else for (let index = out; index < out + length; index++) into[index] = into[index - distance] as number;
      out += length;
    }
  }
  return true;
}
