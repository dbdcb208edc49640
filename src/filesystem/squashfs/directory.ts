import type { BytePath } from "../../bytes/byte-path.ts";
import type { Steps } from "../../bytes/steps.ts";
import { LittleEndianView } from "../../bytes/view.ts";
import { directoryDamaged, nameUnsafe, tableTooLarge } from "./errors.ts";
import type { Inode } from "./inode.ts";
import type { InodeReference } from "./super-block.ts";
import type { SquashfsVolume } from "./volume.ts";

/** Entries in front of which a header stands, at most. */
const MOST_ENTRIES = 256;

/** struct squashfs_dir_header. */
class DirectoryHeader extends LittleEndianView {
  static readonly SIZE = 12;

  get count(): number {
    return this.u32(0x00) + 1;
  }
  /** Of the block of inodes that the entries are about. */
  get start(): number {
    return this.u32(0x04);
  }
}

/** struct squashfs_dir_entry without its name. */
class DirectoryEntryHeader extends LittleEndianView {
  static readonly SIZE = 8;

  get offset(): number {
    return this.u16(0x00);
  }
  get nameSize(): number {
    return this.u16(0x06) + 1;
  }
}

/** What a name and its place take in memory, about. */
export const RECORD_BYTES = 64;

/** A name in a directory. */
export interface DirectoryRecord {
  readonly name: BytePath;
  readonly inode: InodeReference;
}

/**
 * Names in byte order. Throws CorruptError SQUASHFS_DIRECTORY, SQUASHFS_NAME, UnsupportedError SQUASHFS_TABLE_TOO_LARGE.
 * `path` is for messages.
 */
export function* readDirectory(
  volume: SquashfsVolume,
  inode: Inode,
  path: BytePath,
): Steps<readonly DirectoryRecord[]> {
  const { listingSize, listing } = inode;
  const { tableBytes } = volume.ctx.limits;
  if (listingSize === 0) return [];
  if (listingSize > tableBytes) throw tableTooLarge(listingSize, tableBytes, volume.name, path);
  const cursor = { block: volume.superBlock.directoryTable + listing.block, offset: listing.offset };
  const bytes = yield* volume.metadata(cursor, listingSize);
  const records: DirectoryRecord[] = [];
  const take = <T>(record: new (bytes: Uint8Array, at: number, size: number) => T, at: number, size: number): T => {
    if (at + size <= bytes.length) return new record(bytes, at, size);
    throw directoryDamaged(`a record of the directory ends behind its ${bytes.length} bytes`, volume.name, path);
  };
  for (let at = 0; at < bytes.length; ) {
    const taken = records.length * RECORD_BYTES;
    if (taken > tableBytes) throw tableTooLarge(taken, tableBytes, volume.name, path);
    const { count, start } = take(DirectoryHeader, at, DirectoryHeader.SIZE);
    if (count > MOST_ENTRIES) throw directoryDamaged(`a header announces ${count} entries`, volume.name, path);
    at += DirectoryHeader.SIZE;
    for (let left = count; left > 0; left--) {
      const { offset, nameSize } = take(DirectoryEntryHeader, at, DirectoryEntryHeader.SIZE);
      take(DirectoryEntryHeader, at, DirectoryEntryHeader.SIZE + nameSize);
      at += DirectoryEntryHeader.SIZE;
      const name = Buffer.from(bytes.subarray(at, at + nameSize)).toString("latin1");
      if (name === "." || name === ".." || /[/\0]/.test(name)) throw nameUnsafe(name, volume.name, path);
      records.push({ name, inode: { block: start, offset } });
      at += nameSize;
    }
  }
  return sorted(records, volume, path);
}

function sorted(records: DirectoryRecord[], volume: SquashfsVolume, path: BytePath): readonly DirectoryRecord[] {
  records.sort((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)));
  const twice = records.find(({ name }, index) => records[index + 1]?.name === name);
  if (twice === undefined) return records;
  throw directoryDamaged(`the name ${JSON.stringify(twice.name)} stands twice in the directory`, volume.name, path);
}
