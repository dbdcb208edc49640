import type { BytePath } from "../../bytes/byte-path.ts";
import { NO_XATTRS } from "../../bytes/entry.ts";
import type { Steps } from "../../bytes/steps.ts";
import { LittleEndianView } from "../../bytes/view.ts";
import { xattrsDamaged } from "./errors.ts";
import { inodeReference } from "./super-block.ts";
import type { Cursor, SquashfsVolume } from "./volume.ts";

const PREFIXES = ["user.", "trusted.", "security."] as const;
/** The value stands elsewhere, and a reference to it here. */
const OUT_OF_LINE = 0x100;
/** The kernel's own limits. */
const MOST_VALUE = 65536;
const MOST_NAME = 255;
/** What a file's attributes have together, at most. */
const MOST_BYTES = 1 << 20;

/** struct squashfs_xattr_id_table: in front of the table of attributes by index. */
class IdTableHeader extends LittleEndianView {
  static readonly SIZE = 16;

  get tableStart(): number {
    return this.u64(0x00);
  }
  get ids(): number {
    return this.u32(0x08);
  }
}

/** struct squashfs_xattr_id: the attributes of one or more inodes. */
class XattrId extends LittleEndianView {
  static readonly SIZE = 16;

  get xattr(): number {
    return this.u64(0x00);
  }
  get count(): number {
    return this.u32(0x08);
  }
}

/** Reads extended attributes, of which many inodes share a set. */
export class XattrReader {
  readonly #volume: SquashfsVolume;
  #header: IdTableHeader | undefined;

  constructor(volume: SquashfsVolume) {
    this.#volume = volume;
  }

  /** By the index in an inode. Throws CorruptError SQUASHFS_XATTR. */
  *read(index: number | undefined, path: BytePath): Steps<ReadonlyMap<string, Uint8Array>> {
    const table = this.#volume.superBlock.xattrTable;
    if (index === undefined || table === undefined) return NO_XATTRS;
    this.#header ??= new IdTableHeader(yield* this.#volume.bytes(table, IdTableHeader.SIZE), 0, IdTableHeader.SIZE);
    const { ids, tableStart } = this.#header;
    if (index >= ids) throw xattrsDamaged(`have the index ${index} of ${ids}`, this.#volume.name, path);
    const entry = yield* this.#volume.tableEntry(table + IdTableHeader.SIZE, index, XattrId.SIZE);
    const { xattr, count } = new XattrId(entry, 0, XattrId.SIZE);
    const cursor = this.#cursor(tableStart, xattr);
    const values = new Map<string, Uint8Array>();
    let total = 0;
    for (let left = count; left > 0; left--) {
      const [name, value] = yield* this.#next(cursor, tableStart, path);
      total += name.length + value.length;
      if (total > MOST_BYTES) throw xattrsDamaged(`have more than ${MOST_BYTES} bytes`, this.#volume.name, path);
      values.set(name, value);
    }
    return values;
  }

  #cursor(tableStart: number, reference: number): Cursor {
    const { block, offset } = inodeReference(reference);
    return { block: tableStart + block, offset };
  }

  *#next(cursor: Cursor, tableStart: number, path: BytePath): Steps<readonly [name: string, value: Uint8Array]> {
    const type = yield* this.#number(cursor, 2);
    const nameSize = yield* this.#number(cursor, 2);
    const prefix = PREFIXES[type & 0xff];
    if (prefix === undefined || nameSize === 0 || nameSize > MOST_NAME) {
      const what = `have a name of ${nameSize} bytes and type 0x${type.toString(16)}`;
      throw xattrsDamaged(what, this.#volume.name, path);
    }
    const name = Buffer.from(yield* this.#volume.metadata(cursor, nameSize)).toString("latin1");
    const value = yield* this.#value(cursor, path);
    if ((type & OUT_OF_LINE) === 0) return [prefix + name, value];
    if (value.length !== 8) throw xattrsDamaged(`have a reference of ${value.length} bytes`, this.#volume.name, path);
    const view = new DataView(value.buffer, value.byteOffset, 8);
    const reference = view.getUint32(4, true) * 2 ** 32 + view.getUint32(0, true);
    return [prefix + name, yield* this.#value(this.#cursor(tableStart, reference), path)];
  }

  *#value(cursor: Cursor, path: BytePath): Steps<Uint8Array> {
    const size = yield* this.#number(cursor, 4);
    if (size > MOST_VALUE) throw xattrsDamaged(`have a value of ${size} bytes`, this.#volume.name, path);
    return new Uint8Array(yield* this.#volume.metadata(cursor, size));
  }

  *#number(cursor: Cursor, size: 2 | 4): Steps<number> {
    const bytes = yield* this.#volume.metadata(cursor, size);
    const view = new DataView(bytes.buffer, bytes.byteOffset, size);
    return size === 2 ? view.getUint16(0, true) : view.getUint32(0, true);
  }
}
