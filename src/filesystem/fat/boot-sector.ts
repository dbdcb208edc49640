import { LittleEndianView } from "../../bytes/view.ts";

/** The first sector of a FAT volume with its BIOS parameter block (FAT specification 1.03, section 3). */
export class BootSector extends LittleEndianView {
  static readonly SIZE = 0x200;

  constructor(bytes: Uint8Array) {
    super(bytes, 0, BootSector.SIZE);
  }

  get jump(): number {
    return this.u8(0x00);
  }
  get oemName(): string {
    return this.text(0x03, 8);
  }
  set oemName(value: string) {
    this.bytes(0x03, 8).set(Buffer.from(value, "latin1"));
  }
  get bytesPerSector(): number {
    return this.u16(0x0b);
  }
  set bytesPerSector(value: number) {
    this.setU16(0x0b, value);
  }
  get sectorsPerCluster(): number {
    return this.u8(0x0d);
  }
  set sectorsPerCluster(value: number) {
    this.setU8(0x0d, value);
  }
  get reservedSectors(): number {
    return this.u16(0x0e);
  }
  set reservedSectors(value: number) {
    this.setU16(0x0e, value);
  }
  get tables(): number {
    return this.u8(0x10);
  }
  set tables(value: number) {
    this.setU8(0x10, value);
  }
  get rootEntries(): number {
    return this.u16(0x11);
  }
  get totalSectors(): number {
    return this.u16(0x13) || this.u32(0x20);
  }
  set totalSectors(value: number) {
    this.setU32(0x20, value);
  }
  get media(): number {
    return this.u8(0x15);
  }
  set media(value: number) {
    this.setU8(0x15, value);
  }
  /** Zero on FAT32, and only there: that is how Linux tells it, so a FAT32 with few clusters is still one. */
  get tableSectors16(): number {
    return this.u16(0x16);
  }
  get tableSectors32(): number {
    return this.u32(0x24);
  }
  set tableSectors32(value: number) {
    this.setU32(0x24, value);
  }
  get rootCluster(): number {
    return this.u32(0x2c);
  }
  set rootCluster(value: number) {
    this.setU32(0x2c, value);
  }
  /** There only with the extended boot signature. The label that stands behind it is not what LABEL= means to Linux. */
  get serial(): number | undefined {
    const at = this.tableSectors16 === 0 ? 0x42 : 0x26;
    const signature = this.u8(at);
    return signature === 0x28 || signature === 0x29 ? this.u32(at + 1) : undefined;
  }
  /** "FAT12   ", "FAT16   ", "FAT32   " by convention; it decides nothing. */
  get typeName(): string {
    return this.text(this.tableSectors16 === 0 ? 0x52 : 0x36, 8);
  }

  /** Why this is no boot sector of a FAT volume; undefined if it is one. */
  get flaw(): string | undefined {
    if (OTHERS.has(this.oemName) || this.typeName.startsWith("HPFS")) return `it is one of ${this.oemName.trim()}`;
    if (this.jump !== 0xeb && this.jump !== 0xe9 && !this.typeName.startsWith("FAT")) return "there is no jump";
    if (![512, 1024, 2048, 4096].includes(this.bytesPerSector)) return `a sector has ${this.bytesPerSector} bytes`;
    if (!isPowerOfTwo(this.sectorsPerCluster)) return `a cluster has ${this.sectorsPerCluster} sectors`;
    if (this.reservedSectors === 0) return "no sector is reserved";
    if (this.tables === 0 || this.tables > 4) return `there are ${this.tables} tables`;
    if (this.media < 0xf8 && this.media !== 0xf0) return `the media byte is 0x${this.media.toString(16)}`;
    if (this.totalSectors === 0) return "there are 0 sectors";
    if (this.tableSectors16 === 0 && this.tableSectors32 === 0) return "a table has 0 sectors";
    return undefined;
  }
}

/** File systems whose boot sector has a parameter block as well, and volumes of BitLocker. */
const OTHERS: ReadonlySet<string> = new Set(["NTFS    ", "EXFAT   ", "-FVE-FS-", "ReFS"]);

function isPowerOfTwo(value: number): boolean {
  return value > 0 && (value & (value - 1)) === 0;
}

/** FAT has no magic number: a boot sector with a sane parameter block is one. */
export function isFat(head: Uint8Array): boolean {
  return head.length >= BootSector.SIZE && new BootSector(head).flaw === undefined;
}

/** Where things lie on a FAT volume. Offsets and sizes are bytes from the start of the volume. */
export interface Layout {
  /** Bits of a table entry. */
  readonly bits: 12 | 16 | 32;
  readonly size: number;
  readonly clusterSize: number;
  /** Data clusters; their numbers run from 2 to `clusters + 1`. */
  readonly clusters: number;
  readonly tableOffset: number;
  readonly dataOffset: number;
  /** FAT12 and FAT16 have the root in an area of its own. */
  readonly root: { readonly cluster: number } | { readonly offset: number; readonly size: number };
}

/** `boot` must have no flaw. A volume whose areas leave no room for clusters has 0 of them. */
export function layoutOf(boot: BootSector): Layout {
  const sector = boot.bytesPerSector;
  const isFat32 = boot.tableSectors16 === 0;
  const tableSectors = isFat32 ? boot.tableSectors32 : boot.tableSectors16;
  const rootOffset = (boot.reservedSectors + boot.tables * tableSectors) * sector;
  const rootSize = Math.ceil((boot.rootEntries * 32) / sector) * sector;
  const dataOffset = rootOffset + rootSize;
  const clusterSize = boot.sectorsPerCluster * sector;
  const size = boot.totalSectors * sector;
  const fitting = Math.max(0, Math.floor((size - dataOffset) / clusterSize));
  const smaller = fitting < 4085 ? 12 : 16;
  const bits = isFat32 ? 32 : smaller;
  // A table that is too short for the data area ends it, as in Linux.
  const clusters = Math.max(0, Math.min(fitting, Math.floor((tableSectors * sector * 8) / bits) - 2));
  return {
    bits,
    size,
    clusterSize,
    clusters,
    tableOffset: boot.reservedSectors * sector,
    dataOffset,
    root: isFat32 ? { cluster: boot.rootCluster } : { offset: rootOffset, size: boot.rootEntries * 32 },
  };
}
