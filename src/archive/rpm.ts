import type { ByteSource } from "../bytes/byte-source.ts";
import { Slice } from "../bytes/slice.ts";
import { BigEndianView } from "../bytes/view.ts";
import { rpmDamaged } from "./errors.ts";

const LEAD_BYTES = 96;
const LEAD_MAGIC = 0xedabeedb;
const HEADER_MAGIC = 0x8eade801;

/** What begins the signature and the header of a package (RPM format, "Header"). */
class HeaderIntro extends BigEndianView {
  static readonly SIZE = 16;

  constructor(bytes: Uint8Array) {
    super(bytes, 0, HeaderIntro.SIZE);
  }
  get magic(): number {
    return this.u32(0x00);
  }
  /** Of the whole header with its index of 16 bytes for each entry. */
  get size(): number {
    return HeaderIntro.SIZE + this.u32(0x08) * 16 + this.u32(0x0c);
  }
}

/** Whether content that begins with `head` is an RPM package. */
export function isRpm(head: Uint8Array): boolean {
  return head.length >= 4 && new DataView(head.buffer, head.byteOffset).getUint32(0) === LEAD_MAGIC;
}

/** The payload of an RPM package, a compressed cpio archive. Throws CorruptError ARCHIVE_RPM. */
export async function rpmPayload(archive: ByteSource): Promise<ByteSource> {
  let at = LEAD_BYTES;
  for (const [what, alignment] of [
    ["signature", 8],
    ["header", 1],
  ] as const) {
    if (at + HeaderIntro.SIZE > archive.size) throw rpmDamaged(archive.name, at, `it ends before its ${what}`);
    const intro = new HeaderIntro(await archive.read(at, HeaderIntro.SIZE));
    if (intro.magic !== HEADER_MAGIC) throw rpmDamaged(archive.name, at, `there is no ${what}`);
    at += Math.ceil(intro.size / alignment) * alignment;
  }
  if (at >= archive.size) throw rpmDamaged(archive.name, at, "it ends before its payload");
  return new Slice(archive, at, archive.size - at, `payload of ${archive.name}`);
}
