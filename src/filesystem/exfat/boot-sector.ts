import { LittleEndianView } from "../../bytes/view.ts";

/** Two bits of VolumeFlags. */
const FLAG = { SECOND_TABLE: 0x1, DIRTY: 0x2 } as const;

/** The first sector of an exFAT volume (exFAT specification, section 3.1). */
export class BootSector extends LittleEndianView {
  static readonly SIZE = 0x200;

  constructor(bytes: Uint8Array) {
    super(bytes, 0, BootSector.SIZE);
  }

  get fileSystemName(): string {
    return this.text(0x03, 8);
  }
  /** Sectors, as all lengths and offsets here. */
  get volumeLength(): number {
    return this.u64(0x48);
  }
  get fatOffset(): number {
    return this.u32(0x50);
  }
  get fatLength(): number {
    return this.u32(0x54);
  }
  get clusterHeapOffset(): number {
    return this.u32(0x58);
  }
  get clusterCount(): number {
    return this.u32(0x5c);
  }
  get rootCluster(): number {
    return this.u32(0x60);
  }
  get serial(): number {
    return this.u32(0x64);
  }
  get isDirty(): boolean {
    return (this.u16(0x6a) & FLAG.DIRTY) !== 0;
  }
  /** Of TexFAT volumes the second table may be the one that holds. */
  get usesSecondTable(): boolean {
    return (this.u16(0x6a) & FLAG.SECOND_TABLE) !== 0 && this.tables === 2;
  }
  get sectorShift(): number {
    return this.u8(0x6c);
  }
  get clusterShift(): number {
    return this.u8(0x6d);
  }
  get tables(): number {
    return this.u8(0x6e);
  }

  /** Why this is no boot sector of an exFAT volume; undefined if it is one. */
  get flaw(): string | undefined {
    if (this.fileSystemName !== "EXFAT   ") return `it is one of ${JSON.stringify(this.fileSystemName)}`;
    if (this.sectorShift < 9 || this.sectorShift > 12) return `a sector has 2^${this.sectorShift} bytes`;
    if (this.clusterShift > 25 - this.sectorShift) return `a cluster has 2^${this.clusterShift} sectors`;
    if (this.tables !== 1 && this.tables !== 2) return `there are ${this.tables} tables`;
    if (this.clusterCount === 0) return "it leaves no room for clusters";
    const tableBytes = this.fatLength * 2 ** this.sectorShift;
    if (tableBytes < (this.clusterCount + 2) * 4) return `a table of ${tableBytes} bytes is too short`;
    if (this.fatOffset < 24) return `the table begins at sector ${this.fatOffset}`;
    if (this.clusterHeapOffset < this.fatOffset + this.fatLength * this.tables)
      return "the table reaches into the data";
    if (this.clusterHeapOffset + this.clusterCount * 2 ** this.clusterShift > this.volumeLength) {
      return "the clusters reach beyond the end of the volume";
    }
    return undefined;
  }

  get layout(): Layout {
    const sector = 2 ** this.sectorShift;
    return {
      size: this.volumeLength * sector,
      clusterSize: sector * 2 ** this.clusterShift,
      clusters: this.clusterCount,
      tableOffset: (this.fatOffset + (this.usesSecondTable ? this.fatLength : 0)) * sector,
      dataOffset: this.clusterHeapOffset * sector,
      rootCluster: this.rootCluster,
    };
  }
}

/** Where things lie on an exFAT volume. Offsets and sizes are bytes from the start of the volume. */
export interface Layout {
  readonly size: number;
  readonly clusterSize: number;
  readonly clusters: number;
  readonly tableOffset: number;
  readonly dataOffset: number;
  readonly rootCluster: number;
}

/** Sectors that the checksum in the twelfth covers. */
export const CHECKED_SECTORS = 11;

/** VolumeFlags and PercentInUse change without a new checksum. */
const UNCHECKED: ReadonlySet<number> = new Set([106, 107, 112]);

/** The checksum of the boot sectors (section 3.4). */
export function bootChecksum(sectors: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < sectors.length; at++) {
    if (!UNCHECKED.has(at)) sum = (((sum & 1) << 31) | (sum >>> 1)) + (sectors[at] ?? 0);
  }
  return sum >>> 0;
}
