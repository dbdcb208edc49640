import { BigEndianView } from "../../bytes/view.ts";
import { guidText } from "../guid.ts";

export const SECTOR = 512;

export const TYPE = { FIXED: 2, DYNAMIC: 3, DIFFERENCING: 4 } as const;

/** Of these creators the disk is as large as its geometry, not as `currentSize`, which they round differently. */
const SIZED_BY_GEOMETRY: ReadonlySet<string> = new Set(["vpc ", "qemu"]);
/** A geometry cannot tell more. */
const MOST_GEOMETRY = 65535 * 16 * 255;

/** Hard disk footer, Virtual Hard Disk Image Format Specification 1.0. */
export class VhdFooter extends BigEndianView {
  static readonly SIZE = SECTOR;
  static readonly COOKIE = "conectix";

  constructor(bytes: Uint8Array) {
    super(bytes, 0, VhdFooter.SIZE);
  }

  get cookie(): string {
    return this.text(0x00, 8);
  }
  /** Bytes, of the header of a dynamic disk. */
  get dataOffset(): number {
    return this.u64(0x10);
  }
  get creator(): string {
    return this.text(0x1c, 4);
  }
  get currentSize(): number {
    return this.u64(0x30);
  }
  /** Sectors, as the geometry has them. */
  get geometrySectors(): number {
    return this.u16(0x38) * this.u8(0x3a) * this.u8(0x3b);
  }
  get type(): number {
    return this.u32(0x3c);
  }
  get checksum(): number {
    return this.u32(0x40);
  }
  get uuid(): string {
    return guidText(this.bytes(0x44, 16));
  }

  get isSound(): boolean {
    return this.cookie === VhdFooter.COOKIE && this.checksum === checksum(this.bytes(0, SECTOR), 0x40);
  }
  /** Bytes. QEMU goes by the geometry for all creators that it does not know, and so cuts VirtualBox's own disks. */
  get diskSize(): number {
    const sectors = this.geometrySectors;
    const byGeometry = SIZED_BY_GEOMETRY.has(this.creator) && sectors < MOST_GEOMETRY && sectors > 0;
    return byGeometry ? sectors * SECTOR : this.currentSize;
  }
}

/** Dynamic disk header. */
export class VhdHeader extends BigEndianView {
  static readonly SIZE = 1024;
  static readonly COOKIE = "cxsparse";

  constructor(bytes: Uint8Array) {
    super(bytes, 0, VhdHeader.SIZE);
  }

  /** Bytes, of the block allocation table. */
  get tableOffset(): number {
    return this.u64(0x10);
  }
  get maxTableEntries(): number {
    return this.u32(0x1c);
  }
  /** Bytes. */
  get blockSize(): number {
    return this.u32(0x20);
  }
  get checksum(): number {
    return this.u32(0x24);
  }
  get parentUuid(): string {
    return guidText(this.bytes(0x28, 16));
  }
  get parentName(): string {
    return utf16(this.bytes(0x40, 512), "BE");
  }
  get locators(): readonly ParentLocator[] {
    return Array.from({ length: 8 }, (_, index) => {
      const at = 0x240 + index * 24;
      return { code: this.text(at, 4), length: this.u32(at + 8), offset: this.u64(at + 16) };
    });
  }

  get isSound(): boolean {
    const bytes = this.bytes(0, VhdHeader.SIZE);
    return this.text(0, 8) === VhdHeader.COOKIE && this.checksum === checksum(bytes, 0x24);
  }
}

/** Where a path of the parent lies. Bytes. */
export interface ParentLocator {
  /** "W2ru" for relative, "W2ku" for absolute paths of Windows in UTF-16LE. */
  readonly code: string;
  readonly length: number;
  readonly offset: number;
}

/** Up to the first NUL. */
export function utf16(bytes: Uint8Array, order: "LE" | "BE"): string {
  const even = Buffer.from(bytes.subarray(0, bytes.length & ~1));
  const text = (order === "BE" ? even.swap16() : even).toString("utf16le");
  const end = text.indexOf("\0");
  return end < 0 ? text : text.slice(0, end);
}

/** The ones' complement of the sum of all bytes but the four of the checksum itself. */
function checksum(bytes: Uint8Array, at: number): number {
  let sum = 0;
  for (let index = 0; index < bytes.length; index++) {
    if (index < at || index >= at + 4) sum += bytes[index] ?? 0;
  }
  return ~sum >>> 0;
}
