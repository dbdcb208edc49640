import type { BytePath } from "../bytes/byte-path.ts";
import { BigEndianView } from "../bytes/view.ts";
import type { Where } from "../errors.ts";
import { numberMalformed, numberTooLarge } from "./errors.ts";
import { BLOCK } from "./tar-encode.ts";

/** What follows a header, by its `typeflag` (POSIX.1-2001 ustar and pax, GNU tar manual "Basic Tar Format"). */
export const TypeFlag = {
  FILE: "0",
  /** A file of the time before POSIX; a directory if its name ends in a slash. */
  OLD_FILE: "\0",
  HARD_LINK: "1",
  SYMLINK: "2",
  CHARACTER_DEVICE: "3",
  BLOCK_DEVICE: "4",
  DIRECTORY: "5",
  FIFO: "6",
  CONTIGUOUS_FILE: "7",
  PAX: "x",
  PAX_GLOBAL: "g",
  /** Solaris tar's own letter for a pax header. */
  PAX_SOLARIS: "X",
  GNU_LONG_NAME: "L",
  GNU_LONG_LINK: "K",
  GNU_SPARSE: "S",
} as const;

const CHECKSUM = 0x94;
const CHECKSUM_LENGTH = 8;
const USTAR_MAGIC = "ustar\0";
const GNU_MAGIC = "ustar ";

/**
 * One header block: POSIX ustar, GNU and the form before both. Names come as bytes, up to their first NUL. Numbers are octal
 * text or, from the first bit on, base-256 in two's complement; base-256 is not tied to the GNU magic, because VirtualBox
 * writes it under the POSIX one.
 */
export class TarHeader extends BigEndianView {
  static readonly SIZE = BLOCK;

  readonly #where: Where;

  /** `where` is for the messages about numbers that are none. */
  constructor(block: Uint8Array, offset = 0, where: Where = {}) {
    super(block, offset, TarHeader.SIZE);
    this.#where = where;
  }

  get name(): BytePath {
    return this.text(0x00, 100);
  }

  get mode(): number {
    return this.#number("mode", 0x64, 8);
  }

  get uid(): number {
    return this.#number("uid", 0x6c, 8);
  }

  get gid(): number {
    return this.#number("gid", 0x74, 8);
  }

  get size(): number {
    return this.#number("size", 0x7c, 12);
  }

  /** Seconds since 1970. */
  get mtime(): number {
    return this.#number("mtime", 0x88, 12);
  }

  get checksum(): number {
    return this.#number("chksum", CHECKSUM, CHECKSUM_LENGTH);
  }

  /** One of {@link TypeFlag}, or a letter of some vendor. */
  get typeFlag(): string {
    return String.fromCharCode(this.u8(0x9c));
  }

  get linkName(): BytePath {
    return this.text(0x9d, 100);
  }

  /** Six characters. */
  get magic(): string {
    return String.fromCharCode(...this.bytes(0x101, 6));
  }

  get userName(): string {
    return this.text(0x109, 32);
  }

  get groupName(): string {
    return this.text(0x129, 32);
  }

  get deviceMajor(): number {
    return this.#number("devmajor", 0x149, 8);
  }

  get deviceMinor(): number {
    return this.#number("devminor", 0x151, 8);
  }

  /** Only POSIX headers have it; GNU keeps times and the sparse map in its place. */
  get prefix(): BytePath {
    return this.isPosix ? this.text(0x159, 155) : "";
  }

  /** GNU sparse member: more of its map follows in a block of its own. */
  get isExtended(): boolean {
    return this.u8(0x1e2) !== 0;
  }

  get isPosix(): boolean {
    return this.magic === USTAR_MAGIC;
  }

  get isGnu(): boolean {
    return this.magic === GNU_MAGIC;
  }

  /** Prefix and name joined. */
  get path(): BytePath {
    const prefix = this.prefix;
    return prefix === "" ? this.name : `${prefix}/${this.name}`;
  }

  /** The end of archive is marked by blocks of this kind. */
  get isZero(): boolean {
    return this.bytes(0, BLOCK).every((byte) => byte === 0);
  }

  /** The sum of all bytes, those of the checksum itself taken as blanks. */
  computedChecksum(): number {
    return this.#sum((at) => this.u8(at));
  }

  /** Old Sun and BSD tars added the bytes up as signed ones: both sums are valid. */
  hasValidChecksum(): boolean {
    const found = this.checksum;
    return found === this.computedChecksum() || found === this.#sum((at) => this.i8(at));
  }

  #sum(byte: (at: number) => number): number {
    let sum = CHECKSUM_LENGTH * 0x20;
    for (let at = 0; at < BLOCK; at++) {
      if (at < CHECKSUM || at >= CHECKSUM + CHECKSUM_LENGTH) sum += byte(at);
    }
    return sum;
  }

  #number(field: string, at: number, length: number): number {
    if ((this.u8(at) & 0x80) !== 0) return this.#base256(field, at, length);
    const text = this.text(at, length).trim();
    if (!/^[0-7]*$/.test(text)) throw numberMalformed(field, text, this.#where);
    return text === "" ? 0 : Number.parseInt(text, 8);
  }

  /** The top bit marks the coding, the one below it is the sign: 0x80... is positive, 0xff... negative. */
  #base256(field: string, at: number, length: number): number {
    const first = this.u8(at);
    const negative = (first & 0x40) !== 0;
    let value = negative ? (first & 0x3f) - 0x40 : first & 0x3f;
    for (let index = 1; index < length; index++) value = value * 0x100 + this.u8(at + index);
    if (!Number.isSafeInteger(value)) throw numberTooLarge(field, this.#where);
    return value;
  }
}

/** Whether a tar begins here: a header whose checksum is right, or at least one that carries the magic. */
export function looksLikeTar(head: Uint8Array): boolean {
  if (head.length < BLOCK) return false;
  const header = new TarHeader(head);
  if (header.isPosix || header.isGnu) return true;
  const checksum = header.text(CHECKSUM, CHECKSUM_LENGTH).trim();
  return /^[0-7]+$/.test(checksum) && !header.isZero && header.hasValidChecksum();
}
