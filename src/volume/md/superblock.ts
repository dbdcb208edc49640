import type { ByteSource } from "../../bytes/byte-source.ts";
import { LittleEndianView } from "../../bytes/view.ts";

export const MD_MAGIC = 0xa92b4efc;

/** What a member says of its array and of its own part in it, whatever its version. Sizes and offsets are bytes. */
export interface Member {
  readonly source: ByteSource;
  /** As mdadm prints it: four words in hexadecimal with colons. */
  readonly uuid: string;
  /** `host:name` or `name`, or as older arrays only have it the number under /dev. */
  readonly name: string;
  readonly level: number;
  readonly layout: number;
  /** Of each member, as far as the array uses it; 0 where it uses all of each. */
  readonly size: number;
  readonly chunk: number;
  readonly raidDisks: number;
  readonly dataOffset: number;
  readonly dataSize: number;
  readonly events: number;
  /** Its place in the array; undefined for a spare or a failed member, and for one that is still being filled. */
  readonly role: number | undefined;
  readonly reshaping: boolean;
}

const SECTOR = 512;
/** mdadm marks spares, failed members and journals with numbers from here on. */
const FIRST_SPECIAL_ROLE = 0xfffd;
const FEATURE = { recoveryOffset: 0x2, reshapeActive: 0x4 } as const;

/** struct mdp_superblock_1 (include/uapi/linux/raid/md_p.h). */
export class SuperblockV1 extends LittleEndianView {
  static readonly SIZE = 0x100;
  static readonly MOST_SIZE = 4096;

  /** `bytes` holds as much as there is, up to 4096 bytes. */
  constructor(bytes: Uint8Array, offset = 0) {
    super(bytes, offset, Math.min(SuperblockV1.MOST_SIZE, bytes.length - offset));
  }

  get magic(): number {
    return this.u32(0x00);
  }
  get majorVersion(): number {
    return this.u32(0x04);
  }
  get featureMap(): number {
    return this.u32(0x08);
  }
  get setUuid(): string {
    return colons(Buffer.from(this.bytes(0x10, 16)).toString("hex"));
  }
  get setName(): string {
    return this.text(0x20, 32);
  }
  get level(): number {
    return this.i32(0x48);
  }
  get layout(): number {
    return this.u32(0x4c);
  }
  /** Sectors, as all sizes here. */
  get size(): number {
    return this.u64(0x50);
  }
  get chunkSize(): number {
    return this.u32(0x58);
  }
  get raidDisks(): number {
    return this.u32(0x5c);
  }
  get dataOffset(): number {
    return this.u64(0x80);
  }
  get dataSize(): number {
    return this.u64(0x88);
  }
  get superOffset(): number {
    return this.u64(0x90);
  }
  get deviceNumber(): number {
    return this.u32(0xa0);
  }
  get events(): number {
    return this.u64(0xc8);
  }
  get checksum(): number {
    return this.u32(0xd8);
  }
  get maxDevices(): number {
    return this.u32(0xdc);
  }
  get role(): number {
    return this.deviceNumber < this.maxDevices ? this.u16(SuperblockV1.SIZE + this.deviceNumber * 2) : 0xffff;
  }

  /** Whether the roles fit; nothing behind them may be read before. */
  get isWhole(): boolean {
    return SuperblockV1.SIZE + this.maxDevices * 2 <= this.data.byteLength;
  }

  /** The sum of its words, the checksum taken as 0 (calc_sb_1_csum). */
  get computedChecksum(): number {
    const end = SuperblockV1.SIZE + this.maxDevices * 2;
    let sum = -this.checksum;
    let at = 0;
    for (; at + 4 <= end; at += 4) sum += this.u32(at);
    if (at < end) sum += this.u16(at);
    return folded(sum);
  }

  /** Understands a superblock that stands at `at`; a sentence where it is damaged. */
  member(source: ByteSource, at: number): Member | string {
    if (this.majorVersion !== 1) return `the array's superblock is of version ${this.majorVersion}`;
    if (!this.isWhole || this.checksum !== this.computedChecksum) return "the array's superblock has a wrong checksum";
    if (this.superOffset * SECTOR !== at) return `the array's superblock belongs to sector ${this.superOffset}`;
    const { role } = this;
    const filling = (this.featureMap & FEATURE.recoveryOffset) !== 0;
    return {
      source,
      uuid: this.setUuid,
      name: this.setName,
      level: this.level,
      layout: this.layout,
      size: this.size * SECTOR,
      chunk: this.chunkSize * SECTOR,
      raidDisks: this.raidDisks,
      dataOffset: this.dataOffset * SECTOR,
      dataSize: this.dataSize * SECTOR,
      events: this.events,
      role: role >= FIRST_SPECIAL_ROLE || filling ? undefined : role,
      reshaping: (this.featureMap & FEATURE.reshapeActive) !== 0,
    };
  }
}

const DISK_STATE = { faulty: 0x1, sync: 0x4 } as const;

/** struct mdp_superblock_s, version 0.90, in the byte order of a little-endian machine (include/uapi/linux/raid/md_p.h). */
export class SuperblockV0 extends LittleEndianView {
  static readonly SIZE = 4096;

  constructor(bytes: Uint8Array, offset = 0) {
    super(bytes, offset, SuperblockV0.SIZE);
  }

  /** The structure is made of words. */
  #word(index: number): number {
    return this.u32(index * 4);
  }

  get magic(): number {
    return this.#word(0);
  }
  get majorVersion(): number {
    return this.#word(1);
  }
  /** 90, or 91 while the array is reshaped. */
  get minorVersion(): number {
    return this.#word(2);
  }
  get setUuid(): string {
    return colons([5, 13, 14, 15].map((index) => this.#word(index).toString(16).padStart(8, "0")).join(""));
  }
  get level(): number {
    return this.i32(7 * 4);
  }
  /** KiB. */
  get size(): number {
    return this.#word(8);
  }
  get raidDisks(): number {
    return this.#word(10);
  }
  get mdMinor(): number {
    return this.#word(11);
  }
  get checksum(): number {
    return this.#word(38);
  }
  get events(): number {
    return this.u64(39 * 4);
  }
  get layout(): number {
    return this.#word(64);
  }
  /** Bytes. */
  get chunkSize(): number {
    return this.#word(65);
  }
  /** Of the member that this superblock stands on. */
  get raidDisk(): number {
    return this.#word(992 + 3);
  }
  get diskState(): number {
    return this.#word(992 + 4);
  }

  /** The sum of its words, the checksum taken as 0 (calc_sb_csum). */
  get computedChecksum(): number {
    let sum = -this.checksum;
    for (let index = 0; index < SuperblockV0.SIZE / 4; index++) sum += this.#word(index);
    return folded(sum);
  }

  /** Understands a superblock that stands at `at`; a sentence where it is damaged. */
  member(source: ByteSource, at: number): Member | string {
    if (this.majorVersion !== 0 || this.minorVersion < 90) return "the array's superblock is of an unknown version";
    if (this.checksum !== this.computedChecksum) return "the array's superblock has a wrong checksum";
    const { raidDisk, diskState, raidDisks } = this;
    const inSync = (diskState & DISK_STATE.sync) !== 0 && (diskState & DISK_STATE.faulty) === 0;
    return {
      source,
      uuid: this.setUuid,
      name: `${this.mdMinor}`,
      level: this.level,
      layout: this.layout,
      size: this.size * 1024,
      chunk: this.chunkSize,
      raidDisks,
      dataOffset: 0,
      dataSize: at,
      events: this.events,
      role: inSync && raidDisk < raidDisks ? raidDisk : undefined,
      reshaping: this.minorVersion !== 90,
    };
  }
}

function colons(hex: string): string {
  return (hex.match(/.{8}/g) ?? []).join(":");
}

/** A sum of at most 2^20 words of 32 bits with its carries added in. */
function folded(sum: number): number {
  const high = Math.floor(sum / 2 ** 32);
  return ((sum % 2 ** 32) + high) >>> 0;
}

/** Where a superblock of each version would stand on a member of `size` bytes, in the order in which they are looked for. */
export function superblockPlaces(size: number): readonly { readonly version: "1" | "0.90"; readonly at: number }[] {
  const sectors = Math.floor(size / SECTOR);
  return [
    { version: "1" as const, at: 8 * SECTOR },
    { version: "1" as const, at: 0 },
    { version: "1" as const, at: Math.floor((sectors - 16) / 8) * 8 * SECTOR },
    { version: "0.90" as const, at: Math.floor(size / 65536) * 65536 - 65536 },
  ].filter(({ at }) => at >= 0 && at + SuperblockV0.SIZE <= size);
}
