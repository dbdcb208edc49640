import type { BytePath } from "../../bytes/byte-path.ts";
import type { Timestamp } from "../../bytes/entry.ts";
import type { Steps } from "../../bytes/steps.ts";
import { LittleEndianView } from "../../bytes/view.ts";
import type { MetadataCache } from "../metadata-cache.ts";
import { longDate, shortDate } from "./directory-record.ts";
import { continuationTooLong, rockRidgeDamaged } from "./errors.ts";

/** A longest path as symlink target and a longest name need fewer. */
const MOST_CONTINUATIONS = 64;
const MOST_NAME = 255;
const MOST_TARGET = 4096;
/** In front of the fields on discs that follow CD-ROM XA. */
const XA_SIZE = 14;

/** What zisofs says of a file: how many bytes it really has, and in what form. */
export interface Zisofs {
  readonly algorithm: string;
  /** Bytes. */
  readonly size: number;
}

/** What the fields of one record say (RRIP 1.12, chapter 4); what no field says is absent. */
export interface RockRidge {
  mode?: number;
  links?: number;
  uid?: number;
  gid?: number;
  major?: number;
  minor?: number;
  name?: BytePath;
  target?: BytePath;
  mtime?: Timestamp;
  /** The record stands for a directory of which this is the first block. */
  childBlock?: number;
  /** The directory is listed elsewhere, by a record with `childBlock`. */
  isRelocated?: boolean;
  isSparse?: boolean;
  zisofs?: Zisofs;
}

/** A system use field (SUSP 1.12, 4.1). */
class Field extends LittleEndianView {
  readonly size: number;

  constructor(bytes: Uint8Array, offset: number, size: number) {
    super(bytes, offset, size);
    this.size = size;
  }

  get signature(): string {
    return this.text(0, 2);
  }
  /** What follows `start`, one character a byte. */
  rest(start: number): string {
    const bytes = this.bytes(start, this.size - start);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
  }
}

interface Continuation {
  readonly block: number;
  readonly offset: number;
  readonly length: number;
}

/** What is put together from several fields. */
interface Parts {
  nameContinues: boolean;
  /** Components of a target as far as they are complete, and the last one's beginning. */
  components: string[];
  component: string | undefined;
}

type Read = (field: Field, found: RockRidge, parts: Parts) => string | undefined;

/** Fields by signature: how long each is at least, and what it says. The answer tells what is wrong with it. */
const FIELDS: Readonly<Record<string, readonly [least: number, read: Read]>> = {
  CL: [12, childLink],
  NM: [5, name],
  PN: [20, device],
  PX: [36, attributes],
  RE: [4, relocated],
  SF: [4, sparse],
  SL: [5, symlink],
  TF: [5, times],
  ZF: [16, compressed],
};

function childLink(field: Field, found: RockRidge): undefined {
  found.childBlock = field.u32(4);
}

function relocated(_: Field, found: RockRidge): undefined {
  found.isRelocated = true;
}

function sparse(_: Field, found: RockRidge): undefined {
  found.isSparse = true;
}

function compressed(field: Field, found: RockRidge): undefined {
  found.zisofs = { algorithm: field.text(4, 2), size: field.u32(8) };
}

function attributes(field: Field, found: RockRidge): undefined {
  found.mode = field.u32(4);
  found.links = field.u32(12);
  found.uid = field.u32(20);
  found.gid = field.u32(28);
}

/** libisofs writes both numbers into the low word, as Linux encodes them. */
function device(field: Field, found: RockRidge): undefined {
  const high = field.u32(4);
  const low = field.u32(12);
  found.major = high === 0 ? (low >>> 8) & 0xfff : high;
  found.minor = high === 0 ? (low & 0xff) | ((low >>> 12) & 0xf_ff00) : low;
}

const NAME = { CONTINUE: 0x01, CURRENT: 0x02, PARENT: 0x04 } as const;

function name(field: Field, found: RockRidge, parts: Parts): string | undefined {
  const flags = field.u8(4);
  if ((flags & (NAME.CURRENT | NAME.PARENT)) !== 0) return undefined;
  if (found.name !== undefined && !parts.nameContinues) return undefined;
  found.name = (found.name ?? "") + field.rest(5);
  parts.nameContinues = (flags & NAME.CONTINUE) !== 0;
  return found.name.length > MOST_NAME ? `a name of more than ${MOST_NAME} bytes` : undefined;
}

const COMPONENT = { CONTINUE: 0x01, CURRENT: 0x02, PARENT: 0x04, ROOT: 0x08 } as const;

function symlink(field: Field, found: RockRidge, parts: Parts): string | undefined {
  for (let at = 5; at < field.size; ) {
    const flags = field.u8(at);
    const length = at + 1 < field.size ? field.u8(at + 1) : 0;
    if (at + 2 + length > field.size) return `a component of ${length} bytes leaves its field`;
    if ((flags & ~0x0f) !== 0) return `a component has the flags 0x${flags.toString(16)}`;
    const text = componentText(flags, field.rest(at + 2).slice(0, length));
    parts.component = (parts.component ?? "") + text;
    if ((flags & COMPONENT.CONTINUE) === 0) {
      parts.components.push(parts.component);
      parts.component = undefined;
    }
    at += 2 + length;
  }
  const open = parts.component === undefined ? [] : [parts.component];
  const target = [...parts.components, ...open].join("/");
  // The root is an empty first component, so that it joins to the leading slash; alone it is that slash.
  found.target = target === "" && parts.components.length > 0 ? "/" : target;
  return target.length > MOST_TARGET ? `a target of more than ${MOST_TARGET} bytes` : undefined;
}

function componentText(flags: number, text: string): string {
  if ((flags & COMPONENT.ROOT) !== 0) return "";
  if ((flags & COMPONENT.PARENT) !== 0) return "..";
  return (flags & COMPONENT.CURRENT) === 0 ? text : ".";
}

const TIMES = { CREATION: 0x01, MODIFY: 0x02, LONG_FORM: 0x80 } as const;

function times(field: Field, found: RockRidge): string | undefined {
  const flags = field.u8(4);
  if ((flags & TIMES.MODIFY) === 0) return undefined;
  const size = (flags & TIMES.LONG_FORM) === 0 ? 7 : 17;
  const at = (flags & TIMES.CREATION) === 0 ? 5 : 5 + size;
  if (at + size > field.size) return `times of ${field.size} bytes`;
  const bytes = field.bytes(at, size);
  found.mtime = size === 7 ? shortDate(bytes) : longDate(bytes);
  return undefined;
}

/** Where the fields begin in the system use areas of a volume; undefined if there is no SP field in its root's own record. */
export function rockRidgeSkip(rootArea: Uint8Array): number | undefined {
  for (const start of [0, XA_SIZE]) {
    if (start + 7 > rootArea.length) continue;
    const field = new Field(rootArea, start, 7);
    if (field.signature === "SP" && field.u8(4) === 0xbe && field.u8(5) === 0xef) return Math.max(start, field.u8(6));
  }
  return undefined;
}

/** Reads the fields of a record's system use area and of the areas that continue it. */
export class RockRidgeReader {
  readonly #cache: MetadataCache;
  readonly #blockSize: number;
  readonly #file: string;

  constructor(cache: MetadataCache, blockSize: number, file: string) {
    this.#cache = cache;
    this.#blockSize = blockSize;
    this.#file = file;
  }

  /** `path` of the directory is for messages. Throws CorruptError ISO_CONTINUATION, ISO_ROCK_RIDGE. */
  *read(area: Uint8Array, path: BytePath): Steps<RockRidge> {
    const found: RockRidge = {};
    const parts: Parts = { nameContinues: false, components: [], component: undefined };
    let next = this.#fields(area, found, parts, path);
    for (let count = 1; next !== undefined; count++) {
      if (count > MOST_CONTINUATIONS) throw continuationTooLong(MOST_CONTINUATIONS, this.#file, path);
      const { block, offset, length } = next;
      if (offset + length > this.#blockSize) {
        throw rockRidgeDamaged(`${length} bytes at ${offset} continue a record beyond the block`, this.#file, path);
      }
      const more = yield* this.#cache.read(block * this.#blockSize + offset, length);
      next = this.#fields(more, found, parts, path);
    }
    return found;
  }

  /** One area up to its terminator or padding. The answer is where it continues. */
  #fields(area: Uint8Array, found: RockRidge, parts: Parts, path: BytePath): Continuation | undefined {
    let next: Continuation | undefined;
    for (let at = 0; at + 4 <= area.length; ) {
      const length = area[at + 2] ?? 0;
      if (length < 4 || at + length > area.length) break;
      const field = new Field(area, at, length);
      const { signature } = field;
      if (signature === "ST") break;
      if (signature === "CE" && length >= 28) {
        next = { block: field.u32(4), offset: field.u32(12), length: field.u32(20) };
      }
      const [least, read] = (Object.hasOwn(FIELDS, signature) ? FIELDS[signature] : undefined) ?? [];
      if (read !== undefined && least !== undefined) {
        const flaw = length < least ? `${signature} of ${length} bytes` : read(field, found, parts);
        if (flaw !== undefined) throw rockRidgeDamaged(flaw, this.#file, path);
      }
      at += length;
    }
    return next;
  }
}
