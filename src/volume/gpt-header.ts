import { LittleEndianView } from "../bytes/view.ts";

/** GPT header, UEFI 2.10 §5.3.2. */
export class GptHeader extends LittleEndianView {
  static readonly SIZE = 0x5c;
  static readonly SIGNATURE = "EFI PART";

  constructor(bytes: Uint8Array, offset = 0) {
    super(bytes, offset, GptHeader.SIZE);
  }

  get signature(): string {
    return this.text(0x00, 8);
  }
  get headerSize(): number {
    return this.u32(0x0c);
  }
  get headerCrc32(): number {
    return this.u32(0x10);
  }
  get myLba(): number {
    return this.u64(0x18);
  }
  get alternateLba(): number {
    return this.u64(0x20);
  }
  /** Whether `alternateLba` can be read at all: it is of use where the header is damaged. */
  get hasPlausibleAlternate(): boolean {
    return this.u32(0x24) === 0;
  }
  get diskGuid(): string {
    return guidText(this.bytes(0x38, 16));
  }
  get partitionEntryLba(): number {
    return this.u64(0x48);
  }
  get numberOfPartitionEntries(): number {
    return this.u32(0x50);
  }
  get sizeOfPartitionEntry(): number {
    return this.u32(0x54);
  }
  get partitionEntryArrayCrc32(): number {
    return this.u32(0x58);
  }
}

const LEGACY_BIOS_BOOTABLE = 0x4;

/** GPT partition entry, UEFI 2.10 §5.3.3. */
export class GptEntry extends LittleEndianView {
  static readonly SIZE = 0x80;
  static readonly UNUSED = "00000000-0000-0000-0000-000000000000";

  constructor(bytes: Uint8Array, offset: number) {
    super(bytes, offset, GptEntry.SIZE);
  }

  get partitionTypeGuid(): string {
    return guidText(this.bytes(0x00, 16));
  }
  get uniquePartitionGuid(): string {
    return guidText(this.bytes(0x10, 16));
  }
  get startingLba(): number {
    return this.u64(0x20);
  }
  /** The last block that belongs to the partition. */
  get endingLba(): number {
    return this.u64(0x28);
  }
  get bootable(): boolean {
    return (this.u32(0x30) & LEGACY_BIOS_BOOTABLE) !== 0;
  }
  /** Up to the first NUL; undefined if empty. */
  get partitionName(): string | undefined {
    const text = new TextDecoder("utf-16le").decode(this.bytes(0x38, 72));
    const end = text.indexOf("\0");
    return text.slice(0, end < 0 ? text.length : end) || undefined;
  }
}

/** A GUID in upper case from its mixed-endian bytes. */
function guidText(bytes: Uint8Array): string {
  const hex = (from: readonly number[]): string =>
    from.map((index) => (bytes[index] ?? 0).toString(16).padStart(2, "0")).join("");
  return [
    [3, 2, 1, 0],
    [5, 4],
    [7, 6],
    [8, 9],
    [10, 11, 12, 13, 14, 15],
  ]
    .map(hex)
    .join("-")
    .toUpperCase();
}
