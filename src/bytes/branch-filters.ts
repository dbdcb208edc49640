/** Turns the absolute addresses of jumps back into relative ones, in place. `start` is the address of the first byte. */
export type BranchFilter = (bytes: Uint8Array, start: number) => void;

/** By its id in xz (xz file format 5.3.2); undefined for other filters. */
export function branchFilter(id: number): BranchFilter | undefined {
  return FILTERS.get(id);
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** E8 and E9 are calls and jumps where their highest byte is a sign; bytes that were taken for one just before make it unlikely. */
function x86(bytes: Uint8Array, start: number): void {
  const data = view(bytes);
  /** Which of the last three bytes looked like an opcode that was left alone: bit 0 is the nearest. */
  let recent = 0;
  let last = -1;
  for (let at = 0; at + 4 < bytes.length; at++) {
    if (((bytes[at] ?? 0) & 0xfe) !== 0xe8) continue;
    const distance = at - last;
    last = at;
    recent = distance > 3 ? 0 : (recent << (distance - 1)) & 7;
    if (recent !== 0 && !isPlausible(bytes, at, recent)) {
      recent = (recent << 1) | 1;
      continue;
    }
    if (!isSign(bytes[at + 4] ?? 0)) {
      recent = (recent << 1) | 1;
      continue;
    }
    data.setUint32(at + 1, relative(data.getUint32(at + 1, true), start + at + 5, recent), true);
    at += 4;
  }
}

/** For each pattern of recent bytes: how many bytes from the end the one stands that decides. */
const DECIDING = [0, 1, 2, 2, 3, 3, 3, 3] as const;

function isSign(byte: number): boolean {
  return byte === 0 || byte === 0xff;
}

function isPlausible(bytes: Uint8Array, at: number, recent: number): boolean {
  const allowed = recent === 1 || recent === 2 || recent === 4;
  return allowed && !isSign(bytes[at + 4 - (DECIDING[recent] ?? 0)] ?? 0);
}

function relative(address: number, next: number, recent: number): number {
  let found = (address - next) >>> 0;
  const shift = (DECIDING[recent] ?? 0) * 8;
  // Twice is enough for what an encoder made; what is no code must come to an end as well.
  for (let rounds = 0; recent !== 0 && rounds < 4 && isSign((found >>> (24 - shift)) & 0xff); rounds++) {
    found = ((found ^ (2 ** (32 - shift) - 1)) - next) >>> 0;
  }
  const sign = (found & 0x1000000) === 0 ? 0 : 0xfe000000;
  return ((found & 0x1ffffff) | sign) >>> 0;
}

/** BL with AA 0 and LK 1. */
function powerPc(bytes: Uint8Array, start: number): void {
  const data = view(bytes);
  for (let at = 0; at + 4 <= bytes.length; at += 4) {
    const word = data.getUint32(at);
    if ((word & 0xfc000003) >>> 0 !== 0x48000001) continue;
    data.setUint32(at, (((word & 0x03fffffc) - (start + at)) & 0x03fffffc) | 0x48000001);
  }
}

/** BL, always. */
function arm(bytes: Uint8Array, start: number): void {
  const data = view(bytes);
  for (let at = 0; at + 4 <= bytes.length; at += 4) {
    if (bytes[at + 3] !== 0xeb) continue;
    const words = (data.getUint32(at, true) & 0xffffff) - ((start + at + 8) >>> 2);
    data.setUint32(at, ((words & 0xffffff) | 0xeb000000) >>> 0, true);
  }
}

/** BL in two halves. */
function armThumb(bytes: Uint8Array, start: number): void {
  const data = view(bytes);
  for (let at = 0; at + 4 <= bytes.length; at += 2) {
    const high = data.getUint16(at, true);
    const low = data.getUint16(at + 2, true);
    if ((high & 0xf800) !== 0xf000 || (low & 0xf800) !== 0xf800) continue;
    const halves = (((high & 0x7ff) << 11) | (low & 0x7ff)) - ((start + at + 4) >>> 1);
    data.setUint16(at, 0xf000 | ((halves >>> 11) & 0x7ff), true);
    data.setUint16(at + 2, 0xf800 | (halves & 0x7ff), true);
    at += 2;
  }
}

/** CALL to what is near. */
function sparc(bytes: Uint8Array, start: number): void {
  const data = view(bytes);
  for (let at = 0; at + 4 <= bytes.length; at += 4) {
    const word = data.getUint32(at);
    if (word >>> 22 !== 0x100 && word >>> 22 !== 0x1ff) continue;
    const words = (word - ((start + at) >>> 2)) & 0x3fffffff;
    const sign = (words & 0x400000) === 0 ? 0 : 0x3fc00000;
    data.setUint32(at, ((words & 0x3fffff) | sign | 0x40000000) >>> 0);
  }
}

/** BL, and ADRP to what is within 512 MiB. */
function arm64(bytes: Uint8Array, start: number): void {
  const data = view(bytes);
  for (let at = 0; at + 4 <= bytes.length; at += 4) {
    const word = data.getUint32(at, true);
    if (word >>> 26 === 0x25) {
      const words = word - ((start + at) >>> 2);
      data.setUint32(at, ((words & 0x03ffffff) | 0x94000000) >>> 0, true);
    } else if ((word & 0x9f000000) >>> 0 === 0x90000000) {
      const pages = ((word >>> 29) & 3) | ((word >>> 3) & 0x1ffffc);
      if (((pages + 0x020000) & 0x1c0000) !== 0) continue;
      const near = pages - ((start + at) >>> 12);
      const sign = (near & 0x020000) === 0 ? 0 : 0xe00000;
      const moved = ((near & 3) << 29) | ((near & 0x03fffc) << 3) | sign;
      data.setUint32(at, ((word & 0x9000001f) | moved) >>> 0, true);
    }
  }
}

const FILTERS: ReadonlyMap<number, BranchFilter> = new Map([
  [0x04, x86],
  [0x05, powerPc],
  [0x07, arm],
  [0x08, armThumb],
  [0x09, sparc],
  [0x0a, arm64],
]);
