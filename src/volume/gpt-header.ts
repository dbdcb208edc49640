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
  sign(): void {
    this.bytes(0x00, 8).set(Buffer.from(GptHeader.SIGNATURE, "latin1"));
  }
  set revision(value: number) {
    this.setU32(0x08, value);
  }
  get headerSize(): number {
    return this.u32(0x0c);
  }
  set headerSize(value: number) {
    this.setU32(0x0c, value);
  }
  get headerCrc32(): number {
    return this.u32(0x10);
  }
  set headerCrc32(value: number) {
    this.setU32(0x10, value);
  }
  get myLba(): number {
    return this.u64(0x18);
  }
  set myLba(value: number) {
    this.setU64(0x18, value);
  }
  get alternateLba(): number {
    return this.u64(0x20);
  }
  set alternateLba(value: number) {
    this.setU64(0x20, value);
  }
  /** Whether `alternateLba` can be read at all: it is of use where the header is damaged. */
  get hasPlausibleAlternate(): boolean {
    return this.u32(0x24) === 0;
  }
  set firstUsableLba(value: number) {
    this.setU64(0x28, value);
  }
  set lastUsableLba(value: number) {
    this.setU64(0x30, value);
  }
  get diskGuid(): string {
    return guidText(this.bytes(0x38, 16));
  }
  set diskGuid(value: string) {
    this.bytes(0x38, 16).set(guidBytes(value));
  }
  get partitionEntryLba(): number {
    return this.u64(0x48);
  }
  set partitionEntryLba(value: number) {
    this.setU64(0x48, value);
  }
  get numberOfPartitionEntries(): number {
    return this.u32(0x50);
  }
  set numberOfPartitionEntries(value: number) {
    this.setU32(0x50, value);
  }
  get sizeOfPartitionEntry(): number {
    return this.u32(0x54);
  }
  set sizeOfPartitionEntry(value: number) {
    this.setU32(0x54, value);
  }
  get partitionEntryArrayCrc32(): number {
    return this.u32(0x58);
  }
  set partitionEntryArrayCrc32(value: number) {
    this.setU32(0x58, value);
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
  set partitionTypeGuid(value: string) {
    this.bytes(0x00, 16).set(guidBytes(value));
  }
  get uniquePartitionGuid(): string {
    return guidText(this.bytes(0x10, 16));
  }
  set uniquePartitionGuid(value: string) {
    this.bytes(0x10, 16).set(guidBytes(value));
  }
  get startingLba(): number {
    return this.u64(0x20);
  }
  set startingLba(value: number) {
    this.setU64(0x20, value);
  }
  /** The last block that belongs to the partition. */
  get endingLba(): number {
    return this.u64(0x28);
  }
  set endingLba(value: number) {
    this.setU64(0x28, value);
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
  set partitionName(value: string) {
    this.bytes(0x38, 72).set(Buffer.from(value.slice(0, 36), "utf16le"));
  }
}

/** Which byte each pair of digits is: the first three groups are little-endian. */
const GUID_ORDER = [
  [3, 2, 1, 0],
  [5, 4],
  [7, 6],
  [8, 9],
  [10, 11, 12, 13, 14, 15],
] as const;

/** A GUID in upper case from its mixed-endian bytes. */
function guidText(bytes: Uint8Array): string {
  const hex = (from: readonly number[]): string =>
    from.map((index) => (bytes[index] ?? 0).toString(16).padStart(2, "0")).join("");
  return GUID_ORDER.map(hex).join("-").toUpperCase();
}

function guidBytes(text: string): Uint8Array {
  const digits = Buffer.from(text.replaceAll("-", ""), "hex");
  const bytes = new Uint8Array(16);
  for (const [at, index] of GUID_ORDER.flat().entries()) bytes[index] = digits[at] ?? 0;
  return bytes;
}
