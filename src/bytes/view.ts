import { CorruptError } from "../errors.ts";

/**
 * A record of a fixed size over bytes from a file: bounds are checked once, here; the classes that extend it have a getter
 * (and setter) for each field of the specification. A 64-bit field above 2^53 throws CorruptError.
 */
abstract class View {
  protected readonly data: DataView;

  constructor(bytes: Uint8Array, offset: number, length: number) {
    if (offset < 0 || offset + length > bytes.length) {
      throw new CorruptError(
        "BYTES_RECORD_TRUNCATED",
        `a record of ${length} bytes does not fit into the ${bytes.length - offset} that are left`,
      );
    }
    this.data = new DataView(bytes.buffer, bytes.byteOffset + offset, length);
  }

  u8(at: number): number {
    return this.data.getUint8(at);
  }

  setU8(at: number, value: number): void {
    this.data.setUint8(at, value);
  }

  i8(at: number): number {
    return this.data.getInt8(at);
  }

  /** A view of `length` bytes at `at`. */
  bytes(at: number, length: number): Uint8Array {
    return new Uint8Array(this.data.buffer, this.data.byteOffset + at, length);
  }

  /** One character a byte, up to the first NUL. */
  text(at: number, length: number): string {
    const bytes = this.bytes(at, length);
    const end = bytes.indexOf(0);
    return Buffer.from(bytes.buffer, bytes.byteOffset, end < 0 ? length : end).toString("latin1");
  }
}

export function join64(high: number, low: number, at: number): number {
  const value = high * 0x1_0000_0000 + low;
  if (value <= Number.MAX_SAFE_INTEGER) return value;
  throw new CorruptError(
    "BYTES_NUMBER_TOO_LARGE",
    `the 64-bit number 0x${high.toString(16)}${low.toString(16).padStart(8, "0")} is out of range`,
    {
      where: { offset: at },
    },
  );
}

export abstract class LittleEndianView extends View {
  u16(at: number): number {
    return this.data.getUint16(at, true);
  }

  setU16(at: number, value: number): void {
    this.data.setUint16(at, value, true);
  }

  u32(at: number): number {
    return this.data.getUint32(at, true);
  }

  setU32(at: number, value: number): void {
    this.data.setUint32(at, value, true);
  }

  i32(at: number): number {
    return this.data.getInt32(at, true);
  }

  u64(at: number): number {
    return join64(this.data.getUint32(at + 4, true), this.data.getUint32(at, true), at);
  }

  setU64(at: number, value: number): void {
    this.data.setUint32(at, value % 0x1_0000_0000, true);
    this.data.setUint32(at + 4, Math.floor(value / 0x1_0000_0000), true);
  }
}

export abstract class BigEndianView extends View {
  u16(at: number): number {
    return this.data.getUint16(at);
  }

  u32(at: number): number {
    return this.data.getUint32(at);
  }

  setU32(at: number, value: number): void {
    this.data.setUint32(at, value);
  }

  i32(at: number): number {
    return this.data.getInt32(at);
  }

  u64(at: number): number {
    return join64(this.data.getUint32(at), this.data.getUint32(at + 4), at);
  }

  setU64(at: number, value: number): void {
    this.data.setUint32(at, Math.floor(value / 0x1_0000_0000));
    this.data.setUint32(at + 4, value % 0x1_0000_0000);
  }
}
