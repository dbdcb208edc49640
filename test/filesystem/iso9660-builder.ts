/** A file of an image that is built by hand. Blocks have 2048 bytes. */
export interface BuiltRecord {
  readonly name: string;
  readonly block?: number;
  readonly size?: number;
  readonly flags?: number;
  /** Rock Ridge fields. */
  readonly fields?: readonly Uint8Array[];
  readonly interleaved?: boolean;
}

const SECTOR = 2048;
export const ROOT_BLOCK = 20;

/** A field: signature, then length, version and body. */
export function field(signature: string, ...body: number[]): Uint8Array {
  return Uint8Array.of(signature.charCodeAt(0), signature.charCodeAt(1), 4 + body.length, 1, ...body);
}

/** A number in both byte orders, as ISO 9660 stores most. */
export function both(value: number): number[] {
  const little = [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24];
  return [...little, ...little.toReversed()];
}

/** Where the fields of a record go on. */
export function continued(block: number, offset: number, length: number): Uint8Array {
  return field("CE", ...both(block), ...both(offset), ...both(length));
}

/** The field with a file's attributes. */
export function attributes(mode: number, links = 1): Uint8Array {
  return field("PX", ...both(mode), ...both(links), ...both(0), ...both(0));
}

export const SUSP_BEGIN: Uint8Array = field("SP", 0xbe, 0xef, 0);

function record({ name, block = 0, size = 0, flags = 0, fields = [], interleaved = false }: BuiltRecord): Buffer {
  const identifier = Buffer.from(name, "latin1");
  const padding = identifier.length % 2 === 0 ? [0] : [];
  const area = Buffer.concat([Uint8Array.from(padding), ...fields]);
  const length = 33 + identifier.length + area.length;
  const bytes = Buffer.alloc(length + (length % 2));
  bytes[0] = bytes.length;
  bytes.set(both(block), 2);
  bytes.set(both(size), 10);
  bytes.set([124, 1, 1, 12, 0, 0, 4], 18);
  bytes[25] = flags;
  if (interleaved) bytes.set([1, 1], 26);
  bytes[32] = identifier.length;
  bytes.set(identifier, 33);
  bytes.set(area, 33 + identifier.length);
  return bytes;
}

/** A directory's block: "." and "..", then what it lists. */
export function directory(
  block: number,
  records: readonly BuiltRecord[],
  selfFields: readonly Uint8Array[] = [],
): Buffer {
  const self = { block, size: SECTOR, flags: 2 };
  const all = [{ name: "\0", ...self, fields: selfFields }, { name: "\x01", ...self }, ...records];
  return Buffer.concat(all.map(record));
}

/** An image of 64 blocks whose root directory is block 20; `blocks` go where their numbers say. */
export function built(blocks: Readonly<Record<number, Uint8Array>>): Buffer {
  const image = Buffer.alloc(64 * SECTOR);
  image.write("\x01CD001\x01", 16 * SECTOR, "latin1");
  image.write("BUILT".padEnd(32), 16 * SECTOR + 40, "latin1");
  image.set(both(64), 16 * SECTOR + 80);
  image.writeUInt16LE(SECTOR, 16 * SECTOR + 128);
  image.set(record({ name: "\0", block: ROOT_BLOCK, size: SECTOR, flags: 2 }), 16 * SECTOR + 156);
  image.write("\xffCD001\x01", 17 * SECTOR, "latin1");
  for (const [block, bytes] of Object.entries(blocks)) image.set(bytes, Number(block) * SECTOR);
  return image;
}
