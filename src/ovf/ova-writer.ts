import { encodeUstarHeader, paddingOf } from "../archive/tar-encode.ts";
import type { Patch, Writing } from "../bytes/content.ts";
import {
  descriptorBytes,
  descriptorRoom,
  type ManifestChoice,
  manifestBytes,
  measured,
  type PackageContent,
  type WrittenDisk,
} from "./package-writer.ts";

const BLOCK = 512;
const DIGEST_BYTES: Readonly<Record<Exclude<ManifestChoice, "none">, number>> = { sha1: 20, sha256: 32, sha512: 64 };

/**
 * An OVA: the descriptor, the manifest, then the disks in the order of their references, in ustar form without extended headers,
 * which VirtualBox and vSphere refuse; sizes above 8 GiB are base-256, as VirtualBox writes them. Disks go straight into their
 * members, and what depends on their sizes and digests comes as patches: the descriptor, which is filled up with blanks to the
 * room it may need, the manifest, and the headers of the disks.
 * Throws OutputError ARCHIVE_NAME_UNSAFE, what the disks throw, and what `writeEnvelope` throws.
 */
export async function* writeOva(content: PackageContent): Writing {
  const { baseName, disks, extras, manifest } = content;
  const front = new Front(content.mtime);
  const room = descriptorRoom(content);
  const descriptorAt = front.add(`${baseName}.ovf`, Buffer.alloc(room, " "));
  const manifestAt =
    manifest === "none" ? 0 : front.add(`${baseName}.mf`, Buffer.alloc(manifestRoom(content, manifest)));
  for (const { name, bytes } of extras) front.add(name, bytes);
  yield front.bytes();
  const patches: Patch[] = [];
  const written: WrittenDisk[] = [];
  let at = front.size;
  for (const disk of disks) {
    const header = (size: number) => front.header(disk.href, size);
    yield header(0);
    const facts = yield* measured(disk, manifest);
    yield Buffer.alloc(paddingOf(facts.size));
    patches.push({ offset: at, bytes: header(facts.size) });
    written.push(facts);
    at += BLOCK + facts.size + paddingOf(facts.size);
  }
  yield Buffer.alloc(2 * BLOCK);
  const descriptor = Buffer.alloc(room, " ");
  descriptorBytes(content, new Map(written.map(({ href, size }) => [href, size]))).copy(descriptor);
  patches.push({ offset: descriptorAt, bytes: descriptor });
  if (manifest !== "none") patches.push({ offset: manifestAt, bytes: manifestBytes(content, descriptor, written) });
  return patches;
}

function manifestRoom(content: PackageContent, manifest: Exclude<ManifestChoice, "none">): number {
  const digest = "0".repeat(2 * DIGEST_BYTES[manifest]);
  const disks = content.disks.map(({ href }) => ({ href, size: 0, digest }));
  return manifestBytes(content, new Uint8Array(0), disks).length;
}

/** The members in front of the disks. */
class Front {
  readonly #parts: Uint8Array[] = [];
  readonly #mtime: number;
  size = 0;

  constructor(mtime: number) {
    this.#mtime = mtime;
  }

  /** The place of the content in the archive. */
  add(name: string, bytes: Uint8Array): number {
    const at = this.size + BLOCK;
    this.#parts.push(this.header(name, bytes.length), bytes, Buffer.alloc(paddingOf(bytes.length)));
    this.size = at + bytes.length + paddingOf(bytes.length);
    return at;
  }

  header(name: string, size: number): Buffer {
    const mtime = { seconds: this.#mtime, nanoseconds: 0 };
    return encodeUstarHeader({ name, type: "0", mode: 0o644, uid: 0, gid: 0, size, mtime });
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }
}
