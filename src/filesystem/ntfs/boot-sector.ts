import { LittleEndianView } from "../../bytes/view.ts";

/** Bytes of a sector, cluster, file record or index block. */
const LARGEST_CLUSTER = 2 << 20;
const LARGEST_RECORD = 64 << 10;

/** The first sector of an NTFS volume. */
export class BootSector extends LittleEndianView {
  static readonly SIZE = 0x200;

  constructor(bytes: Uint8Array) {
    super(bytes, 0, BootSector.SIZE);
  }

  get oemName(): string {
    return this.text(0x03, 8);
  }
  get bytesPerSector(): number {
    return this.u16(0x0b);
  }
  /** Above 0x80 it is the negative of a power of two, as clusters beyond 64 KiB need. */
  get sectorsPerCluster(): number {
    const value = this.u8(0x0d);
    return value > 0x80 ? 2 ** (256 - value) : value;
  }
  get totalSectors(): number {
    return this.u64(0x28);
  }
  get mftCluster(): number {
    return this.u64(0x30);
  }
  /** Bytes. */
  get recordSize(): number {
    const clusters = this.i8(0x40);
    return clusters < 0 ? 2 ** -clusters : clusters * this.clusterSize;
  }
  /** As blkid shows it. */
  get serial(): string {
    return [this.u32(0x4c), this.u32(0x48)].map((half) => half.toString(16).toUpperCase().padStart(8, "0")).join("");
  }
  /** Bytes. */
  get clusterSize(): number {
    return this.bytesPerSector * this.sectorsPerCluster;
  }
  get clusters(): number {
    return Math.floor(this.totalSectors / this.sectorsPerCluster);
  }

  /** Why this is no boot sector of an NTFS volume; undefined if it is one. */
  get flaw(): string | undefined {
    if (this.oemName !== "NTFS    ") return `it is one of ${JSON.stringify(this.oemName)}`;
    if (!isPower(this.bytesPerSector, 256, 4096)) return `a sector has ${this.bytesPerSector} bytes`;
    if (!isPower(this.clusterSize, 256, LARGEST_CLUSTER)) return `a cluster has ${this.clusterSize} bytes`;
    if (!isPower(this.recordSize, 512, LARGEST_RECORD)) return `a file record has ${this.recordSize} bytes`;
    if (this.clusters === 0) return "there are 0 sectors";
    if (this.mftCluster >= this.clusters) {
      return `the file records begin at cluster ${this.mftCluster} of ${this.clusters}`;
    }
    return undefined;
  }
}

function isPower(value: number, least: number, most: number): boolean {
  return value >= least && value <= most && (value & (value - 1)) === 0;
}
