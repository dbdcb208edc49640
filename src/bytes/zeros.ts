const ZEROS = Buffer.alloc(1 << 20);

/** Whether there is nothing but zeros; most data shows at its ends. */
export function isZeros(bytes: Uint8Array): boolean {
  if (bytes[0] !== 0 || bytes.at(-1) !== 0) return bytes.length === 0;
  for (let at = 0; at < bytes.length; at += ZEROS.length) {
    const end = Math.min(bytes.length, at + ZEROS.length);
    if (ZEROS.compare(bytes, at, end, 0, end - at) !== 0) return false;
  }
  return true;
}
