import { LittleEndianView } from "../bytes/view.ts";

const ACTIVE = 0x80;
const EXTENDED: ReadonlySet<number> = new Set([0x05, 0x0f, 0x85]);
const PROTECTIVE = 0xee;
const SLOTS = [0, 1, 2, 3];

/** One of the four entries of a record. */
export class MbrEntry extends LittleEndianView {
  static readonly SIZE = 16;

  constructor(bytes: Uint8Array, offset: number) {
    super(bytes, offset, MbrEntry.SIZE);
  }

  get status(): number {
    return this.u8(0x00);
  }
  set status(value: number) {
    this.setU8(0x00, value);
  }
  /** Cylinder, head and sector as firmware of old packs them; only ever written. */
  set firstChs(value: readonly [number, number, number]) {
    this.bytes(0x01, 3).set(value);
  }
  get type(): number {
    return this.u8(0x04);
  }
  set type(value: number) {
    this.setU8(0x04, value);
  }
  set lastChs(value: readonly [number, number, number]) {
    this.bytes(0x05, 3).set(value);
  }
  /** In logical sectors; relative to the disk, or to another record in a chain. */
  get start(): number {
    return this.u32(0x08);
  }
  set start(value: number) {
    this.setU32(0x08, value);
  }
  /** Logical sectors. */
  get sectors(): number {
    return this.u32(0x0c);
  }
  set sectors(value: number) {
    this.setU32(0x0c, value);
  }

  get active(): boolean {
    return this.status === ACTIVE;
  }
  get used(): boolean {
    return this.type !== 0 && this.sectors !== 0;
  }
  get extended(): boolean {
    return EXTENDED.has(this.type);
  }
}

/** A master boot record, or an extended one; 512 bytes whatever the sector size. */
export class MbrRecord extends LittleEndianView {
  static readonly SIZE = 512;
  readonly entries: readonly MbrEntry[];

  constructor(bytes: Uint8Array, offset = 0) {
    super(bytes, offset, MbrRecord.SIZE);
    this.entries = SLOTS.map((slot) => new MbrEntry(this.bytes(0, MbrRecord.SIZE), 0x1be + slot * MbrEntry.SIZE));
  }

  get diskSignature(): number {
    return this.u32(0x1b8);
  }
  sign(): void {
    this.setU16(0x1fe, 0xaa55);
  }
  get signed(): boolean {
    return this.u16(0x1fe) === 0xaa55;
  }
  /** Whether it says that the disk has a GPT. */
  get protective(): boolean {
    return this.signed && this.entries.some(({ type }) => type === PROTECTIVE);
  }

  /** The parameters of a FAT, exFAT or NTFS file system, whose boot sector is signed like a partition table. */
  get #hasFileSystem(): boolean {
    const jump = this.u8(0x00);
    const label = (at: number, length: number): string => this.text(at, length);
    return (
      (jump === 0xeb || jump === 0xe9) &&
      (label(0x03, 8) === "NTFS    " ||
        label(0x03, 8) === "EXFAT   " ||
        ([512, 1024, 2048, 4096].includes(this.u16(0x0b)) && (label(0x36, 3) === "FAT" || label(0x52, 3) === "FAT")))
    );
  }

  /** Whether this is a table with at least one partition on a disk of `sectors`, and not the boot sector of a file system. */
  isTable(sectors: number): boolean {
    const used = this.entries.filter((entry) => entry.used);
    if (!this.signed || used.length === 0) return false;
    if (this.entries.some(({ status }) => status !== 0 && status !== ACTIVE)) return false;
    return !this.#hasFileSystem || isOrderly(used, sectors);
  }
}

function isOrderly(entries: readonly MbrEntry[], sectors: number): boolean {
  const sorted = [...entries].sort((a, b) => a.start - b.start);
  return sorted.every((entry, index) => {
    const end = sorted[index + 1]?.start ?? sectors;
    return entry.start > 0 && entry.start + entry.sectors <= end;
  });
}

/** The record at the start of a disk; undefined where that is too short. */
export function firstRecord(head: Uint8Array): MbrRecord | undefined {
  return head.length < MbrRecord.SIZE ? undefined : new MbrRecord(head);
}
