import type { BytePath } from "../bytes/byte-path.ts";

/**
 * A name or target that a disk stores as UTF-16 (little endian), in UTF-8. Halves of surrogate pairs that stand alone, which
 * Windows allows, are encoded as if they were characters, so that no two names become one.
 */
export function utf16Path(bytes: Uint8Array): BytePath {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length & ~1).toString("utf16le");
  if (!/[^\0-\x7f]/.test(text)) return text;
  let path = "";
  // Iterating gives pairs as one character and lone halves as they are.
  for (const character of text) path += encoded(character.codePointAt(0) ?? 0);
  return path;
}

function encoded(code: number): string {
  if (code < 0x80) return String.fromCharCode(code);
  if (code < 0x800) return String.fromCharCode(0xc0 | (code >> 6), continued(code));
  if (code < 0x10000) return String.fromCharCode(0xe0 | (code >> 12), continued(code >> 6), continued(code));
  return String.fromCharCode(0xf0 | (code >> 18), continued(code >> 12), continued(code >> 6), continued(code));
}

function continued(bits: number): number {
  return 0x80 | (bits & 0x3f);
}
