import { LittleEndianView } from "../../bytes/view.ts";

/** ECMA-119 8.1: what a descriptor is. */
export const DESCRIPTOR = { PRIMARY: 1, SUPPLEMENTARY: 2, TERMINATOR: 255 } as const;

/** Joliet specification: UCS-2 levels 1 to 3. */
const JOLIET_ESCAPES = ["%/@", "%/C", "%/E"];

/** A date of 17 bytes (ECMA-119 8.4.26.1): digits down to hundredths of a second, and the zone in quarters of an hour. */
export class LongDate extends LittleEndianView {
  static readonly SIZE = 17;

  get digits(): string {
    return this.text(0, 16);
  }
  get zone(): number {
    return this.i8(16);
  }
  /** As blkid shows it, since Linux takes it for the UUID; undefined where no date was set. */
  get uuid(): string | undefined {
    if (!/^\d{16}$/.test(this.digits) || (this.zone === 0 && /^0*$/.test(this.digits))) return undefined;
    return this.digits.replace(/^(....)(..)(..)(..)(..)(..)(..)$/, "$1-$2-$3-$4-$5-$6-$7");
  }
}

/** A primary or supplementary volume descriptor (ECMA-119 8.4, 8.5). */
export class VolumeDescriptor extends LittleEndianView {
  static readonly SIZE = 2048;
  /** Bytes from the start of the volume to the first one. */
  static readonly FIRST = 32768;
  static readonly ROOT_RECORD = 156;

  constructor(bytes: Uint8Array) {
    super(bytes, 0, VolumeDescriptor.SIZE);
  }

  get type(): number {
    return this.u8(0);
  }
  get standardIdentifier(): string {
    return this.text(1, 5);
  }
  get version(): number {
    return this.u8(6);
  }
  get volumeIdentifier(): Uint8Array {
    return this.bytes(40, 32);
  }
  /** Blocks. */
  get volumeSpaceSize(): number {
    return this.u32(80);
  }
  /** Bytes. */
  get logicalBlockSize(): number {
    return this.u16(128);
  }
  get rootRecord(): Uint8Array {
    return this.bytes(VolumeDescriptor.ROOT_RECORD, 34);
  }
  get created(): LongDate {
    return new LongDate(this.bytes(813, LongDate.SIZE), 0, LongDate.SIZE);
  }
  get modified(): LongDate {
    return new LongDate(this.bytes(830, LongDate.SIZE), 0, LongDate.SIZE);
  }
  get isJoliet(): boolean {
    return this.type === DESCRIPTOR.SUPPLEMENTARY && JOLIET_ESCAPES.includes(this.text(88, 3));
  }
}

/** UTF-16 as Joliet stores it. */
export function utf16(bytes: Uint8Array): string {
  const even = Buffer.from(bytes.subarray(0, bytes.length & ~1));
  return even.swap16().toString("utf16le");
}

/** What blkid calls the volume: Joliet's spelling of the name, continued where the primary descriptor has more of it. */
export function labelOf(primary: VolumeDescriptor, joliet: VolumeDescriptor | undefined): string | undefined {
  const plain = Buffer.from(primary.volumeIdentifier).toString("utf8").replace(/\0.*$/s, "");
  if (joliet === undefined) return plain.trimEnd() || undefined;
  const wide = utf16(joliet.volumeIdentifier).replace(/\0.*$/s, "");
  return (merged(wide, plain) ?? wide).trimEnd() || undefined;
}

/** Undefined where the two do not begin alike; "_" in either stands for what its alphabet does not have. */
function merged(wide: string, plain: string): string | undefined {
  const characters = [...wide];
  if (characters.length > plain.length) return undefined;
  let label = "";
  for (const [index, character] of characters.entries()) {
    const other = plain.charAt(index);
    const same = other.toUpperCase() === character.toUpperCase();
    if (!same && other !== "_" && character !== "_") return undefined;
    const hasCapital = other !== other.toLowerCase();
    label += other === "_" || (same && hasCapital) ? character : other;
  }
  return label + plain.slice(characters.length);
}
