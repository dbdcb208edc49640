import { looksLikeTar } from "../archive/tar-header.ts";
import { isGzip } from "../bytes/gunzip.ts";

/** What the first bytes of an input say. */
export type Container = "gzip" | "tar" | "descriptor" | "other";

/** How many bytes `containerOf` and `wrappingOf` want to see. */
export const HEAD_BYTES = 512;

const WRAPPINGS: readonly (readonly [magic: string, name: string])[] = [
  ["PK\x03\x04", "a zip archive"],
  ["PK\x05\x06", "an empty zip archive"],
  ["\xfd7zXZ\0", "an xz file"],
  ["\x28\xb5\x2f\xfd", "a zstd file"],
  ["BZh", "a bzip2 file"],
  ["7z\xbc\xaf\x27\x1c", "a 7z archive"],
  ["Rar!\x1a\x07", "a rar archive"],
];

/** The name of a container that somebody put around a package; undefined where there is none. */
export function wrappingOf(head: Uint8Array): string | undefined {
  const text = Buffer.from(head.subarray(0, 16)).toString("latin1");
  return WRAPPINGS.find(([magic]) => text.startsWith(magic))?.[1];
}

export function containerOf(head: Uint8Array): Container {
  if (isGzip(head)) return "gzip";
  if (looksLikeTar(head)) return "tar";
  return looksLikeXml(head) ? "descriptor" : "other";
}

/** XML in any encoding; "<<< Oracle VM VirtualBox Disk Image >>>" is none. */
function looksLikeXml(head: Uint8Array): boolean {
  const text = Buffer.from(head)
    .toString("latin1")
    .replace(/^(\xef\xbb\xbf|\xff\xfe|\xfe\xff)/, "");
  return /^\s*<[?!A-Za-z]/.test(text.replaceAll("\0", ""));
}
