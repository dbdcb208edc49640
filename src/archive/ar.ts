import type { ByteSource } from "../bytes/byte-source.ts";
import { Slice } from "../bytes/slice.ts";
import { arDamaged } from "./errors.ts";

const MAGIC = "!<arch>\n";
const HEADER_BYTES = 60;
/** A package has three or four. */
const MOST_MEMBERS = 1000;

/** Whether content that begins with `head` is an ar archive, as a Debian package is. */
export function isAr(head: Uint8Array): boolean {
  return Buffer.from(head.subarray(0, MAGIC.length)).toString("latin1") === MAGIC;
}

/** The members of an ar archive (deb(5)), which lie in it as they are. Throws CorruptError ARCHIVE_AR. */
export async function arMembers(archive: ByteSource): Promise<ReadonlyMap<string, ByteSource>> {
  const members = new Map<string, ByteSource>();
  for (let at = MAGIC.length; at + HEADER_BYTES <= archive.size; ) {
    const header = Buffer.from(await archive.read(at, HEADER_BYTES)).toString("latin1");
    const size = Number(header.slice(48, 58).trim());
    const name = header.slice(0, 16).trim().replace(/\/$/, "");
    const start = at + HEADER_BYTES;
    if (!header.endsWith("`\n") || !Number.isSafeInteger(size) || members.size >= MOST_MEMBERS) {
      throw arDamaged(archive.name, at, "no member is where one should be");
    }
    if (size < 0 || start + size > archive.size) {
      throw arDamaged(archive.name, at, `${JSON.stringify(name)} has ${size} bytes and the archive ends before`);
    }
    members.set(name, new Slice(archive, start, size, `${name} of ${archive.name}`));
    at = start + size + (size & 1);
  }
  return members;
}
