import type { BytePath } from "../bytes/byte-path.ts";
import type { ByteReader } from "../bytes/byte-reader.ts";
import { cpioDamaged } from "./errors.ts";

const HEADER_BYTES = 110;
const TRAILER = "TRAILER!!!";
const MOST_NAME_BYTES = 4096;

/** A file for an initramfs. */
export interface CpioFile {
  /** Without a leading slash. */
  readonly path: string;
  /** With the type of the file, as in stat(2). */
  readonly mode: number;
  readonly bytes?: Uint8Array;
  readonly device?: readonly [major: number, minor: number];
}

/** An archive in the form that the kernel unpacks (Linux Documentation/driver-api/early-userspace/buffer-format.rst). */
export function writeCpio(files: readonly CpioFile[]): Uint8Array {
  const parts: Uint8Array[] = [];
  const put = (part: Uint8Array) => {
    parts.push(part, Buffer.alloc(-part.length & 3));
  };
  for (const [index, { path, mode, bytes = new Uint8Array(0), device = [0, 0] }] of [
    ...files,
    { path: TRAILER, mode: 0 },
  ].entries()) {
    const name = Buffer.from(`${path}\0`);
    const fields = [index + 1, mode, 0, 0, 1, 0, bytes.length, 0, 0, ...device, name.length, 0];
    const header = `070701${fields.map((field) => field.toString(16).padStart(8, "0").toUpperCase()).join("")}`;
    put(Buffer.concat([Buffer.from(header, "latin1"), name]));
    put(bytes);
  }
  return Buffer.concat(parts);
}

/** A member of an archive. */
export interface CpioMember {
  /** As the archive says. */
  readonly path: BytePath;
  /** With the type of the file, as in stat(2). */
  readonly mode: number;
  /** Bytes. */
  readonly size: number;
  /** The content; what is not taken before the next member is asked for is passed over. */
  content(): AsyncIterable<Uint8Array>;
}

/** The members of an archive in the new form, with or without checksums. Throws CorruptError ARCHIVE_CPIO. */
export async function* readCpio(reader: ByteReader, name: string): AsyncGenerator<CpioMember, void> {
  const start = reader.position;
  for (;;) {
    const offset = reader.position - start;
    const text = Buffer.from(await reader.take(HEADER_BYTES)).toString("latin1");
    if (!/^07070[12][0-9A-Fa-f]{104}$/.test(text)) throw cpioDamaged(name, offset, "no header is where one should be");
    const field = (index: number) => Number.parseInt(text.slice(6 + index * 8, 14 + index * 8), 16);
    const [mode, size, nameBytes] = [field(1), field(6), field(11)];
    if (nameBytes < 1 || nameBytes > MOST_NAME_BYTES) throw cpioDamaged(name, offset, `a name has ${nameBytes} bytes`);
    const path = Buffer.from(await reader.take(nameBytes + (-(HEADER_BYTES + nameBytes) & 3)));
    const written = path.toString("latin1", 0, nameBytes - 1);
    if (written === TRAILER) return;
    const end = reader.position + size;
    yield { path: written, mode, size, content: () => reader.pieces(end - reader.position) };
    const left = end - reader.position;
    const padding = -size & 3;
    if ((await reader.skip(left + padding)) < left + padding) throw cpioDamaged(name, offset, "it is cut off");
  }
}
