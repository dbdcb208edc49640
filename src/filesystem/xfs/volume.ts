import type { ByteSource } from "../../bytes/byte-source.ts";
import type { Steps } from "../../bytes/steps.ts";
import type { Context } from "../../context.ts";
import { MetadataCache } from "../metadata-cache.ts";
import { checksumFits } from "./checksum.ts";
import { inodeDamaged, warn } from "./errors.ts";
import { ExtentMap } from "./extent-map.ts";
import { type Fork, Inode } from "./inode.ts";
import type { SuperBlock } from "./super-block.ts";

/** More than these wrong checksums are not told: the file system is damaged as a whole. */
const MOST_WARNINGS = 32;

/** Tells whether a log has changed some of the bytes, so that their checksum is that of before. */
export type IsPatched = (offset: number, length: number) => boolean;

/** The blocks and inodes of one file system: what all its structures are read through. */
export class Volume {
  readonly source: ByteSource;
  readonly superBlock: SuperBlock;
  readonly ctx: Context;
  /** Bytes. */
  readonly blockSize: number;
  /** As many as both the file system and the source have. */
  readonly blocks: number;
  readonly #isPatched: IsPatched;
  readonly #cache: MetadataCache;
  readonly #agShift: number;
  readonly #warned = new Set<number>();

  /** `source` shows the file system with its log replayed. */
  constructor(source: ByteSource, superBlock: SuperBlock, ctx: Context, isPatched: IsPatched = () => false) {
    this.source = source;
    this.superBlock = superBlock;
    this.ctx = ctx;
    this.blockSize = superBlock.blockSize;
    this.blocks = Math.min(superBlock.dBlocks, Math.floor(source.size / superBlock.blockSize));
    this.#isPatched = isPatched;
    this.#cache = new MetadataCache(source);
    this.#agShift = 2 ** superBlock.agBlkLog;
  }

  get name(): string {
    return this.source.name;
  }

  /** Byte offset of an xfs_fsblock_t: group and block in the group; undefined unless all `count` blocks lie in that group. */
  offsetOf(block: number, count: number): number | undefined {
    const { agBlocks, dBlocks } = this.superBlock;
    const group = Math.floor(block / this.#agShift);
    const inGroup = block - group * this.#agShift;
    const first = group * agBlocks + inGroup;
    if (inGroup + count > agBlocks || first + count > dBlocks) return undefined;
    return first * this.blockSize;
  }

  /** Metadata, at an offset that was checked where it was found. */
  read(offset: number, length: number): Steps<Uint8Array> {
    return this.#cache.read(offset, length);
  }

  /** Byte offset of an inode: its number is that of its block, with the slot in the block below. */
  inodeOffset(number: number): number {
    const { inopbLog, inodeSize } = this.superBlock;
    const slots = 2 ** inopbLog;
    const offset = this.offsetOf(Math.floor(number / slots), 1);
    if (offset === undefined) throw inodeDamaged(number, "is asked for, outside the file system", this.name);
    return offset + (number % slots) * inodeSize;
  }

  *inode(number: number): Steps<Inode> {
    const { inodeSize, hasChecksums } = this.superBlock;
    const offset = this.inodeOffset(number);
    const bytes = yield* this.read(offset, inodeSize);
    const inode = new Inode(bytes, inodeSize, number);
    if (inode.magic !== Inode.MAGIC || inode.version === 0 || inode.version > 3) {
      throw inodeDamaged(number, "has a name but is none", this.name);
    }
    if ((inode.version === 3) !== hasChecksums || (hasChecksums && inode.ino !== number)) {
      throw inodeDamaged(number, "has the version or the number of another one", this.name);
    }
    if (!inode.forkOffFits) throw inodeDamaged(number, `has attributes at ${inode.forkOff * 8}`, this.name);
    this.verify(bytes, Inode.CHECKSUM_AT, offset, `inode ${number}`);
    return inode;
  }

  map(inode: Inode, fork: Fork): ExtentMap {
    return new ExtentMap(this, inode.number, fork);
  }

  /** Warns, once, of a block of version 5 whose checksum, at `at`, is wrong. */
  verify(bytes: Uint8Array, at: number, offset: number, what: string): void {
    if (!this.superBlock.hasChecksums || this.#isPatched(offset, bytes.length) || checksumFits(bytes, at)) return;
    if (this.#warned.has(offset) || this.#warned.size >= MOST_WARNINGS) return;
    this.#warned.add(offset);
    warn(this.ctx, "XFS_CHECKSUM", `the checksum of ${what} is wrong`, { file: this.name, offset });
  }
}
