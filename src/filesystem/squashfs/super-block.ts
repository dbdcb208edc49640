import { LittleEndianView } from "../../bytes/view.ts";

/** squashfs 4.0's superblock. */
export class SuperBlock extends LittleEndianView {
  static readonly SIZE = 0x60;
  static readonly MAGIC = "hsqs";
  /** What big-endian machines wrote, up to version 3. */
  static readonly SWAPPED_MAGIC = "sqsh";
  /** Where a table would begin that is not there. */
  static readonly NO_TABLE = "ffffffffffffffff";

  constructor(bytes: Uint8Array) {
    super(bytes, 0, SuperBlock.SIZE);
  }

  get magic(): string {
    return this.text(0x00, 4);
  }
  get inodes(): number {
    return this.u32(0x04);
  }
  /** Bytes. */
  get blockSize(): number {
    return this.u32(0x0c);
  }
  get fragments(): number {
    return this.u32(0x10);
  }
  get compressor(): number {
    return this.u16(0x14);
  }
  get blockLog(): number {
    return this.u16(0x16);
  }
  get hasCompressorOptions(): boolean {
    return (this.u16(0x18) & 0x400) !== 0;
  }
  get ids(): number {
    return this.u16(0x1a);
  }
  get major(): number {
    return this.u16(0x1c);
  }
  get minor(): number {
    return this.u16(0x1e);
  }
  get rootInode(): InodeReference {
    return inodeReference(this.u64(0x20));
  }
  get bytesUsed(): number {
    return this.u64(0x28);
  }
  get idTable(): number {
    return this.u64(0x30);
  }
  get xattrTable(): number | undefined {
    return this.#table(0x38);
  }
  get inodeTable(): number {
    return this.u64(0x40);
  }
  get directoryTable(): number {
    return this.u64(0x48);
  }
  get fragmentTable(): number | undefined {
    return this.#table(0x50);
  }

  #table(at: number): number | undefined {
    const isAbsent = Buffer.from(this.bytes(at, 8)).toString("hex") === SuperBlock.NO_TABLE;
    return isAbsent ? undefined : this.u64(at);
  }
}

/** A place in a table of metadata: where its block begins, from the start of the table, and how far into what it unpacks to. */
export interface InodeReference {
  readonly block: number;
  readonly offset: number;
}

/** The number that stands for a place in inodes, directories and attributes. */
export function inodeReference(value: number): InodeReference {
  return { block: Math.floor(value / 0x1_0000), offset: value % 0x1_0000 };
}
