import type { BytePath } from "../../bytes/byte-path.ts";
import type { Steps } from "../../bytes/steps.ts";
import { BigEndianView } from "../../bytes/view.ts";
import { symlinkDamaged } from "./errors.ts";
import { FORK_FORMAT, type Inode } from "./inode.ts";
import type { Volume } from "./volume.ts";

/** XFS_SYMLINK_MAXLEN. */
const MAX_LENGTH = 1024;
const CHECKSUM_AT = 0x0c;

/** struct xfs_dsymlink_hdr, at the start of each extent of a target on version 5. */
class SymlinkHeader extends BigEndianView {
  static readonly MAGIC = 0x58534c4d;
  static readonly SIZE = 0x38;

  get magic(): number {
    return this.u32(0x00);
  }
  get offset(): number {
    return this.u32(0x04);
  }
  get length(): number {
    return this.u32(0x08);
  }
}

/** Where a symlink leads. Throws CorruptError XFS_SYMLINK for what no path can be. */
export function* readTarget(volume: Volume, inode: Inode, path: BytePath): Steps<BytePath> {
  const { length } = inode;
  const refuse = (what: string): never => {
    throw symlinkDamaged(inode.number, what, volume.name, path);
  };
  if (length === 0 || length > MAX_LENGTH) refuse(`has a target of ${length} bytes`);
  const { format, bytes } = inode.dataFork;
  if (format === FORK_FORMAT.LOCAL && length > bytes.length) refuse(`has no room for ${length} bytes`);
  const found = format === FORK_FORMAT.LOCAL ? bytes.subarray(0, length) : yield* remoteTarget(volume, inode, length);
  if (found === undefined) return refuse("has a damaged target");
  const target = Buffer.from(found.buffer, found.byteOffset, found.length).toString("latin1");
  return target.includes("\0") ? refuse("has a target with a NUL in it") : target;
}

function* remoteTarget(volume: Volume, inode: Inode, length: number): Steps<Uint8Array | undefined> {
  const { blockSize, superBlock } = volume;
  const map = volume.map(inode, inode.dataFork);
  const target = new Uint8Array(length);
  for (let done = 0, logical = 0; done < length; ) {
    const { physical, count } = yield* map.find(logical);
    if (physical === undefined) return undefined;
    // A target has at most 1024 bytes: five of the smallest blocks with their headers.
    const blocks = Math.min(count, Math.ceil((MAX_LENGTH + SymlinkHeader.SIZE) / blockSize));
    const extent = yield* volume.read(physical, blocks * blockSize);
    let part = extent;
    if (superBlock.hasChecksums) {
      const header = new SymlinkHeader(extent, 0, SymlinkHeader.SIZE);
      if (header.magic !== SymlinkHeader.MAGIC || header.offset !== done) return undefined;
      volume.verify(extent, CHECKSUM_AT, physical, `the target of symlink ${inode.number}`);
      part = extent.subarray(SymlinkHeader.SIZE, SymlinkHeader.SIZE + header.length);
      if (part.length === 0) return undefined;
    }
    target.set(part.subarray(0, length - done), done);
    done += part.length;
    logical += blocks;
  }
  return target;
}
