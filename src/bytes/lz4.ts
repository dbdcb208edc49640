/**
 * Decodes one LZ4 block (LZ4 block format, without a frame), which ends where `source` ends. Gives a view of `target` with
 * what was decoded, or undefined where the block is damaged, or holds more than fits into `target`.
 */
export function decodeLz4(source: Uint8Array, target: Uint8Array): Uint8Array | undefined {
  let at = 0;
  let end = 0;
  /** Each byte of 255 is followed by more; NaN where the block ends in between. */
  const longLength = (nibble: number): number => {
    let length = nibble;
    for (let byte = nibble === 15 ? 255 : 0; byte === 255; length += byte) byte = source[at++] ?? Number.NaN;
    return length;
  };
  while (at < source.length) {
    const token = source[at++] as number;
    const literals = longLength(token >> 4);
    if (!(at + literals <= source.length && end + literals <= target.length)) return undefined;
    for (const last = at + literals; at < last; ) target[end++] = source[at++] as number;
    // The last sequence has literals only.
    if (at === source.length) return target.subarray(0, end);
    const distance = (source[at] as number) | ((source[at + 1] ?? 0) << 8);
    at += 2;
    const length = longLength(token & 15) + 4;
    if (distance === 0 || distance > end || !(end + length <= target.length)) return undefined;
    for (let from = end - distance, last = end + length; end < last; ) target[end++] = target[from++] as number;
  }
  return undefined;
}
