import { BigEndianView } from "../../bytes/view.ts";

export const MAGIC = 0x514649fb;

export const INCOMPATIBLE = { DIRTY: 1, CORRUPT: 2, DATA_FILE: 4, COMPRESSION: 8, EXTENDED_L2: 16 } as const;

/** In the upper half of an entry of a table. */
export const ENTRY_HIGH = {
  /** Exactly one entry refers to the cluster: QCOW_OFLAG_COPIED. */
  COPIED: 0x80000000,
  COMPRESSED: 0x40000000,
} as const;

/** What a compressed entry tells is the host offset below this bit, and above it how many further sectors it takes. */
export function compressedOffsetBits(clusterBits: number): number {
  return 62 - (clusterBits - 8);
}

/** QEMU docs/interop/qcow2.txt, "Header". What a version 2 does not have reads as 0. */
export class Qcow2Header extends BigEndianView {
  /** Of version 3; version 2 ends earlier. */
  static readonly SIZE = 0x69;
  static readonly SIZE_2 = 0x48;

  constructor(bytes: Uint8Array) {
    super(bytes, 0, Qcow2Header.SIZE);
  }

  get magic(): number {
    return this.u32(0x00);
  }
  set magic(value: number) {
    this.setU32(0x00, value);
  }
  get version(): number {
    return this.u32(0x04);
  }
  set version(value: number) {
    this.setU32(0x04, value);
  }
  get backingFileOffset(): number {
    return this.u64(0x08);
  }
  get backingFileSize(): number {
    return this.u32(0x10);
  }
  get clusterBits(): number {
    return this.u32(0x14);
  }
  set clusterBits(value: number) {
    this.setU32(0x14, value);
  }
  get size(): number {
    return this.u64(0x18);
  }
  set size(value: number) {
    this.setU64(0x18, value);
  }
  get cryptMethod(): number {
    return this.u32(0x20);
  }
  get l1Size(): number {
    return this.u32(0x24);
  }
  set l1Size(value: number) {
    this.setU32(0x24, value);
  }
  get l1TableOffset(): number {
    return this.u64(0x28);
  }
  set l1TableOffset(value: number) {
    this.setU64(0x28, value);
  }
  set refcountTableOffset(value: number) {
    this.setU64(0x30, value);
  }
  set refcountTableClusters(value: number) {
    this.setU32(0x38, value);
  }
  get incompatibleFeatures(): number {
    return this.version < 3 ? 0 : this.u32(0x4c);
  }
  /** No feature has got so far. */
  get highFeatures(): number {
    return this.version < 3 ? 0 : this.u32(0x48);
  }
  set refcountOrder(value: number) {
    this.setU32(0x60, value);
  }
  get headerLength(): number {
    return this.version < 3 ? Qcow2Header.SIZE_2 : this.u32(0x64);
  }
  set headerLength(value: number) {
    this.setU32(0x64, value);
  }
  get compressionType(): number {
    return this.version < 3 || this.headerLength < Qcow2Header.SIZE ? 0 : this.u8(0x68);
  }
}

/** Of the images that are written. */
export const CLUSTER_BITS = 16;
export const CLUSTER_BYTES = 1 << CLUSTER_BITS;
