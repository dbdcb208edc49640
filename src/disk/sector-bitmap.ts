/** A run of sectors that are all in the child, or all not. */
export interface SectorRun {
  readonly present: boolean;
  readonly sectors: number;
}

/**
 * The run from bit `from` on, not beyond bit `end`, which the bitmap has. VHD counts the bits of a byte from the highest on,
 * VHDX from the lowest.
 */
export function sectorRun(bitmap: Uint8Array, from: number, end: number, highestFirst: boolean): SectorRun {
  const bit = (at: number): boolean => {
    const shift = highestFirst ? 7 - (at & 7) : at & 7;
    return (((bitmap[at >> 3] ?? 0) >> shift) & 1) === 1;
  };
  const present = bit(from);
  const full = present ? 0xff : 0;
  let at = from + 1;
  while (at < end) {
    if ((at & 7) === 0 && bitmap[at >> 3] === full) at += 8;
    else if (bit(at) === present) at++;
    else break;
  }
  return { present, sectors: Math.min(at, end) - from };
}
