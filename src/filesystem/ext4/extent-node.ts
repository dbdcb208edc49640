import { LittleEndianView } from "../../bytes/view.ts";

const HEADER = 12;
const ENTRY = 12;
/** Longer lengths mean blocks that were allocated but never written. */
export const MAX_WRITTEN = 0x8000;

/** struct ext4_extent_header and the entries behind it. */
export class ExtentNode extends LittleEndianView {
  static readonly MAGIC = 0xf30a;

  /** How many entries fit into a node of so many bytes. */
  static room(bytes: number): number {
    return Math.floor((bytes - HEADER) / ENTRY);
  }

  get magic(): number {
    return this.u16(0x00);
  }
  set magic(value: number) {
    this.setU16(0x00, value);
  }
  get entries(): number {
    return this.u16(0x02);
  }
  set entries(value: number) {
    this.setU16(0x02, value);
  }
  get max(): number {
    return this.u16(0x04);
  }
  set max(value: number) {
    this.setU16(0x04, value);
  }
  get depth(): number {
    return this.u16(0x06);
  }
  set depth(value: number) {
    this.setU16(0x06, value);
  }

  /** First logical block of an entry, in leaves and index nodes alike. */
  logical(index: number): number {
    return this.u32(HEADER + index * ENTRY);
  }
  /** ext4_extent_idx: the block of the child. */
  child(index: number): number {
    const at = HEADER + index * ENTRY;
    return this.u32(at + 4) + this.u16(at + 8) * 0x1_0000_0000;
  }
  /** ext4_extent.ee_len. */
  rawLength(index: number): number {
    return this.u16(HEADER + index * ENTRY + 4);
  }
  isUnwritten(index: number): boolean {
    return this.rawLength(index) > MAX_WRITTEN;
  }
  length(index: number): number {
    const raw = this.rawLength(index);
    return raw > MAX_WRITTEN ? raw - MAX_WRITTEN : raw;
  }
  start(index: number): number {
    const at = HEADER + index * ENTRY;
    return this.u32(at + 8) + this.u16(at + 6) * 0x1_0000_0000;
  }

  setExtent(index: number, logical: number, start: number, length: number): void {
    const at = HEADER + index * ENTRY;
    this.setU32(at, logical);
    this.setU16(at + 4, length);
    this.setU16(at + 6, Math.floor(start / 0x1_0000_0000));
    this.setU32(at + 8, start % 0x1_0000_0000);
  }
  setChild(index: number, logical: number, child: number): void {
    const at = HEADER + index * ENTRY;
    this.setU32(at, logical);
    this.setU32(at + 4, child % 0x1_0000_0000);
    this.setU16(at + 8, Math.floor(child / 0x1_0000_0000));
  }

  /** Index of the last entry that starts at or before `logical`; -1 if all start after it. */
  search(logical: number): number {
    let low = 0;
    let high = this.entries;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.logical(middle) <= logical) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}
