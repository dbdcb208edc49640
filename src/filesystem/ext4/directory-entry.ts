import { LittleEndianView } from "../../bytes/view.ts";

/** struct ext4_dir_entry_2 without its name. */
export class DirectoryEntryHeader extends LittleEndianView {
  static readonly SIZE = 8;
  /** Bytes. */
  static readonly MAX_NAME = 255;

  get inode(): number {
    return this.u32(0x00);
  }
  set inode(value: number) {
    this.setU32(0x00, value);
  }
  get recLen(): number {
    return this.u16(0x04);
  }
  set recLen(value: number) {
    this.setU16(0x04, value);
  }
  get nameLen(): number {
    return this.u8(0x06);
  }
  set nameLen(value: number) {
    this.setU8(0x06, value);
  }
  /** Without the feature filetype the name's length has 16 bits. */
  get oldNameLen(): number {
    return this.u16(0x06);
  }
  /** With the feature filetype. */
  set fileType(value: number) {
    this.setU8(0x07, value);
  }
}
