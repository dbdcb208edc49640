import type { ByteSource } from "../../bytes/byte-source.ts";
import type { Patch } from "../../bytes/overlay.ts";
import type { Steps } from "../../bytes/steps.ts";
import { MetadataCache } from "../metadata-cache.ts";
import type { BlockMap } from "./block-map.ts";
import { type FastCommitRecord, FastCommitScan } from "./fast-commit.ts";
import {
  BLOCK_TYPE,
  blockChecksumFits,
  JBD2_MAGIC,
  JOURNAL_INCOMPAT,
  JournalHeader,
  JournalSuperBlock,
  revokedBlocks,
  type Tag,
  tagChecksumFits,
  tagsOf,
} from "./journal-structures.ts";

const KNOWN_INCOMPAT = Object.values(JOURNAL_INCOMPAT).reduce((all, bit) => all | bit, 0);
/** What a logged or revoked block takes in memory, about. */
const LOGGED_BYTES = 128;

/** The blocks of a log, in the journal inode of the file system or on a device of their own. */
export class JournalBlocks {
  readonly source: ByteSource;
  readonly blockSize: number;
  /** The log's block that holds its superblock. */
  readonly superBlockAt: number;
  readonly #map: BlockMap | undefined;
  readonly #cache: MetadataCache;

  /** `map` tells the blocks of the journal inode; a journal device counts its own, and starts after its ext superblock. */
  constructor(source: ByteSource, blockSize: number, map: BlockMap | undefined) {
    this.source = source;
    this.blockSize = blockSize;
    this.superBlockAt = map === undefined ? Math.floor(1024 / blockSize) + 1 : 0;
    this.#map = map;
    this.#cache = new MetadataCache(source);
  }

  /** Byte offset of a block of the log in `source`; undefined for a hole or beyond the end. */
  *offset(block: number): Steps<number | undefined> {
    const at = this.#map === undefined ? block : (yield* this.#map.find(block)).physical;
    if (at === undefined || (at + 1) * this.blockSize > this.source.size) return undefined;
    return at * this.blockSize;
  }

  *read(block: number): Steps<Uint8Array | undefined> {
    const offset = yield* this.offset(block);
    return offset === undefined ? undefined : yield* this.#cache.read(offset, this.blockSize);
  }
}

/** What the log holds. */
export interface Replayed {
  /** File system blocks that the log has newer. */
  readonly patches: ReadonlyMap<number, Patch>;
  readonly transactions: number;
  readonly fastCommits: readonly FastCommitRecord[];
  /** Why the log was not used, or not to its end. */
  readonly damage: string | undefined;
}

interface Logged {
  readonly tag: Tag;
  readonly sequence: number;
  readonly at: number;
}

const NOTHING: Replayed = { patches: new Map(), transactions: 0, fastCommits: [], damage: undefined };

/** Reads a log as the kernel's jbd2 recovery does: scan for whole transactions, collect revocations, replay in order. */
export class Journal {
  readonly #blocks: JournalBlocks;
  readonly #superBlock: JournalSuperBlock;
  readonly #tableBytes: number;
  /** Where the log wraps back to its first block. */
  readonly #last: number;
  readonly #logged: Logged[] = [];
  /** Block to the last transaction that revoked it. */
  readonly #revoked = new Map<number, number>();
  #damage: string | undefined;

  private constructor(blocks: JournalBlocks, superBlock: JournalSuperBlock, tableBytes: number) {
    this.#blocks = blocks;
    this.#superBlock = superBlock;
    this.#tableBytes = tableBytes;
    this.#last = superBlock.maxLen - superBlock.fastCommitBlocks;
  }

  /** `tableBytes` bounds the memory for what was logged. Damage is told in the answer, not thrown. */
  static *replay(blocks: JournalBlocks, tableBytes: number): Steps<Replayed> {
    const first = yield* blocks.read(blocks.superBlockAt);
    if (first === undefined) return { ...NOTHING, damage: "its first block is missing" };
    const superBlock = new JournalSuperBlock(first);
    const damage = superBlockDamage(superBlock, blocks.blockSize);
    if (damage !== undefined) return { ...NOTHING, damage };
    if (superBlock.start === 0) return NOTHING;
    return yield* new Journal(blocks, superBlock, tableBytes).#replay();
  }

  *#replay(): Steps<Replayed> {
    const sequence = yield* this.#scan();
    const patches = new Map<number, Patch>();
    for (const logged of this.#logged) yield* this.#apply(logged, patches);
    const fastCommits = this.#damage === undefined ? yield* this.#fastCommits(sequence) : [];
    const transactions = (sequence - this.#superBlock.firstSequence) >>> 0;
    return { patches, transactions, fastCommits, damage: this.#damage };
  }

  /** Collects all committed transactions; answers the sequence number after the last of them. */
  *#scan(): Steps<number> {
    let sequence = this.#superBlock.firstSequence;
    let tags: Logged[] = [];
    let revoked: number[] = [];
    let at = this.#superBlock.start;
    for (let passed = 0; passed < this.#superBlock.maxLen; passed++) {
      const block = yield* this.#blocks.read(at);
      if (block === undefined) return this.#stop(`block ${at} of the log is missing`, sequence);
      const header = new JournalHeader(block);
      if (header.magic !== JBD2_MAGIC || header.sequence !== sequence) return sequence;
      if (this.#superBlock.hasChecksums && !blockChecksumFits(this.#superBlock.checksumSeed, block)) {
        return this.#stop(`the checksum of block ${at} of the log is wrong`, sequence);
      }
      at = this.#next(at);
      if (header.blockType === BLOCK_TYPE.DESCRIPTOR) {
        const found = tagsOf(block, this.#superBlock);
        if (found === undefined) return this.#stop(`a descriptor of transaction ${sequence} is damaged`, sequence);
        for (const tag of found) {
          tags.push({ tag, sequence, at });
          at = this.#next(at);
        }
        passed += found.length;
      } else if (header.blockType === BLOCK_TYPE.REVOKE) {
        const found = revokedBlocks(block, this.#superBlock);
        if (found === undefined) return this.#stop(`a revoke block of transaction ${sequence} is damaged`, sequence);
        for (const number of found) revoked.push(number);
      } else if (header.blockType === BLOCK_TYPE.COMMIT) {
        for (const logged of tags) this.#logged.push(logged);
        for (const number of revoked) this.#revoked.set(number, sequence);
        tags = [];
        revoked = [];
        sequence = (sequence + 1) >>> 0;
      } else return sequence;
      const held = tags.length + revoked.length + this.#logged.length + this.#revoked.size;
      if (held * LOGGED_BYTES > this.#tableBytes) {
        return this.#stop("more blocks are logged than may be held in memory", sequence);
      }
    }
    return sequence;
  }

  #stop(damage: string, sequence: number): number {
    this.#damage = damage;
    return sequence;
  }

  #next(block: number): number {
    return block + 1 >= this.#last ? this.#superBlock.first + (block + 1 - this.#last) : block + 1;
  }

  /** A revocation holds for its own transaction and all before it. */
  *#apply({ tag, sequence, at }: Logged, patches: Map<number, Patch>): Steps<void> {
    const revoked = this.#revoked.get(tag.block);
    if (revoked !== undefined && ((revoked - sequence) | 0) >= 0) return;
    const offset = yield* this.#blocks.offset(at);
    const block = yield* this.#blocks.read(at);
    if (offset === undefined || block === undefined) {
      this.#damage = `block ${at} of the log is missing`;
    } else if (!tagChecksumFits(tag, sequence, block, this.#superBlock)) {
      this.#damage = `the checksum of block ${tag.block}, at ${at} in the log, is wrong`;
    } else if (tag.escaped) {
      const restored = Buffer.from(block);
      restored.writeUInt32BE(JBD2_MAGIC, 0);
      patches.set(tag.block, restored);
    } else {
      patches.set(tag.block, { source: this.#blocks.source, offset });
    }
  }

  *#fastCommits(sequence: number): Steps<readonly FastCommitRecord[]> {
    const { maxLen, fastCommitBlocks } = this.#superBlock;
    if (fastCommitBlocks === 0) return [];
    const scan = new FastCommitScan(sequence);
    // The kernel leaves the block after the log unused.
    for (let at = this.#last + 1; at < maxLen; at++) {
      const block = yield* this.#blocks.read(at);
      if (block === undefined || !scan.add(block)) break;
    }
    return scan.records;
  }
}

function superBlockDamage(superBlock: JournalSuperBlock, blockSize: number): string | undefined {
  const { magic, blockType, first, start, maxLen, fastCommitBlocks } = superBlock;
  const isSuperBlock = blockType === BLOCK_TYPE.SUPERBLOCK_V1 || blockType === BLOCK_TYPE.SUPERBLOCK_V2;
  if (magic !== JBD2_MAGIC || !isSuperBlock) return "its superblock is damaged";
  if (superBlock.blockSize !== blockSize)
    return `its blocks have ${superBlock.blockSize} bytes instead of ${blockSize}`;
  const unknown = superBlock.featureIncompat & ~KNOWN_INCOMPAT;
  if (unknown !== 0) return `it has unknown features 0x${(unknown >>> 0).toString(16)}`;
  if (!superBlock.checksumFits) return "the checksum of its superblock is wrong";
  const last = maxLen - fastCommitBlocks;
  if (first < 1 || first >= last || (start !== 0 && (start < first || start >= maxLen))) {
    return `it starts at block ${start} of ${first} to ${last}`;
  }
  return undefined;
}
