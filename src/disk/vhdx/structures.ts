import { crc32c } from "../../bytes/crc32c.ts";
import { LittleEndianView } from "../../bytes/view.ts";
import { guidText } from "../guid.ts";

export const KIBIBYTE = 1 << 10;
export const MEBIBYTE = 1 << 20;

/** [MS-VHDX] 2.2.2: two copies of the header, of which the newer sound one holds. */
export class VhdxHeader extends LittleEndianView {
  static readonly SIZE = 4 * KIBIBYTE;
  static readonly OFFSETS = [64 * KIBIBYTE, 128 * KIBIBYTE] as const;

  constructor(bytes: Uint8Array) {
    super(bytes, 0, VhdxHeader.SIZE);
  }

  get sequenceNumber(): bigint {
    return this.data.getBigUint64(0x08, true);
  }
  /** Changes with the content: children know their parent by it. */
  get dataWriteGuid(): string {
    return guidText(this.bytes(0x20, 16));
  }
  /** NO_GUID when the log is empty. */
  get logGuid(): string {
    return guidText(this.bytes(0x30, 16));
  }
  get logVersion(): number {
    return this.u16(0x40);
  }
  get version(): number {
    return this.u16(0x42);
  }
  get logLength(): number {
    return this.u32(0x44);
  }
  get logOffset(): number {
    return this.u64(0x48);
  }

  get isSound(): boolean {
    return this.text(0, 4) === "head" && isSealed(this.bytes(0, VhdxHeader.SIZE));
  }
}

/** [MS-VHDX] 2.2.3.1. */
export class RegionTable extends LittleEndianView {
  static readonly SIZE = 64 * KIBIBYTE;
  static readonly OFFSETS = [192 * KIBIBYTE, 256 * KIBIBYTE] as const;
  static readonly MOST_ENTRIES = 2047;

  constructor(bytes: Uint8Array) {
    super(bytes, 0, RegionTable.SIZE);
  }

  get entryCount(): number {
    return this.u32(0x08);
  }
  get isSound(): boolean {
    const signed = this.text(0, 4) === "regi" && this.entryCount <= RegionTable.MOST_ENTRIES;
    return signed && isSealed(this.bytes(0, RegionTable.SIZE));
  }

  get entries(): readonly Region[] {
    return Array.from({ length: this.entryCount }, (_, index) => {
      const at = 0x10 + index * 32;
      return {
        guid: guidText(this.bytes(at, 16)),
        offset: this.u64(at + 16),
        length: this.u32(at + 24),
        required: (this.u32(at + 28) & 1) !== 0,
      };
    });
  }
}

/** A part of the file, or of the metadata region. Bytes. */
export interface Region {
  readonly guid: string;
  readonly offset: number;
  readonly length: number;
  readonly required: boolean;
}

/** [MS-VHDX] 2.6.1.1: the table of what the metadata region holds. */
export class MetadataTable extends LittleEndianView {
  static readonly SIZE = 64 * KIBIBYTE;
  static readonly MOST_ENTRIES = 2047;

  constructor(bytes: Uint8Array) {
    super(bytes, 0, MetadataTable.SIZE);
  }

  get signature(): string {
    return this.text(0, 8);
  }
  get entryCount(): number {
    return this.u16(0x0a);
  }
  /** Offsets are relative to the region. */
  get entries(): readonly Region[] {
    return Array.from({ length: this.entryCount }, (_, index) => {
      const at = 0x20 + index * 32;
      return {
        guid: guidText(this.bytes(at, 16)),
        offset: this.u32(at + 16),
        length: this.u32(at + 20),
        required: (this.u32(at + 24) & 4) !== 0,
      };
    });
  }
}

const NO_CHECKSUM = new Uint8Array(4);

/** Whether a structure has the CRC-32C at its offset 4 that it has with zeros there. */
export function isSealed(bytes: Uint8Array): boolean {
  const found = new DataView(bytes.buffer, bytes.byteOffset).getUint32(4, true);
  const crc = crc32c(crc32c(crc32c(0xffffffff, bytes.subarray(0, 4)), NO_CHECKSUM), bytes.subarray(8));
  return ~crc >>> 0 === found;
}
