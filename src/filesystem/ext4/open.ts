import type { ByteSource } from "../../bytes/byte-source.ts";
import { overlay, type Patch } from "../../bytes/overlay.ts";
import { type Steps, settled } from "../../bytes/steps.ts";
import type { Context } from "../../context.ts";
import { CorruptError } from "../../errors.ts";
import type { BlockMap } from "./block-map.ts";
import { featureUnsupported, superBlockDamaged, warn } from "./errors.ts";
import { ExtentTree } from "./extent-tree.ts";
import { type FastCommitRecord, fastCommitsOf, writeInode } from "./fast-commit.ts";
import { IndirectBlocks } from "./indirect-blocks.ts";
import { MODE } from "./inode.ts";
import { Journal, JournalBlocks, type Replayed } from "./journal.ts";
import { BACKUP_GROUPS, COMPAT, featureNames, INCOMPAT, RO_COMPAT, SuperBlock } from "./super-block.ts";
import { Volume } from "./volume.ts";

const REFUSED = INCOMPAT.COMPRESSION | INCOMPAT.JOURNAL_DEV | INCOMPAT.DIRDATA;
const KNOWN_INCOMPAT = Object.values(INCOMPAT).reduce((all, bit) => all | bit, 0);
const KNOWN_RO_COMPAT = Object.values(RO_COMPAT).reduce((all, bit) => all | bit, 0);

interface Found {
  readonly superBlock: SuperBlock;
  /** The block that holds it. */
  readonly at: number;
}

/** The volume as it is after its journal was replayed, in memory. */
export function* openVolume(source: ByteSource, ctx: Context, others: readonly ByteSource[]): Steps<Volume> {
  const found = yield* findSuperBlock(source, ctx);
  refuseFeatures(found.superBlock, source);
  warnOfOddities(found.superBlock, source, ctx);
  const volume = new Volume(source, found.superBlock, found.at, ctx);
  if (!found.superBlock.hasIncompat(INCOMPAT.RECOVER)) return volume;
  return yield* replay(volume, found, others);
}

function* findSuperBlock(source: ByteSource, ctx: Context): Steps<Found> {
  if (source.size < SuperBlock.OFFSET + SuperBlock.SIZE) {
    throw superBlockDamaged(`the volume has only ${source.size} bytes`, source.name, 0);
  }
  const superBlock = yield* superBlockAt(source, SuperBlock.OFFSET);
  try {
    superBlock.check(source.name, SuperBlock.OFFSET);
  } catch (cause) {
    if (!(cause instanceof CorruptError)) throw cause;
    const backup = yield* findBackup(source);
    if (backup === undefined) throw cause;
    const message = `the superblock is damaged, its copy at block ${backup.at} is used: ${cause.message}`;
    warn(ctx, "EXT_BACKUP_SUPERBLOCK", message, source.name);
    return backup;
  }
  if (!superBlock.checksumFits) warn(ctx, "EXT_CHECKSUM", "the checksum of the superblock is wrong", source.name);
  return { superBlock, at: superBlock.blockSize === 1024 ? 1 : 0 };
}

/** A copy, since the volume may change under a replay. */
function* superBlockAt(source: ByteSource, offset: number): Steps<SuperBlock> {
  return new SuperBlock(Uint8Array.from(yield* settled(source.read(offset, SuperBlock.SIZE))));
}

/** mke2fs puts as many blocks into a group as a bitmap of one block can tell. */
function* findBackup(source: ByteSource): Steps<Found | undefined> {
  for (let blockSize = 1024; blockSize <= 65536; blockSize *= 2) {
    for (const group of BACKUP_GROUPS) {
      const at = group * blockSize * 8 + (blockSize === 1024 ? 1 : 0);
      if (at * blockSize + SuperBlock.SIZE > source.size) break;
      const superBlock = yield* superBlockAt(source, at * blockSize);
      if (superBlock.magic !== SuperBlock.MAGIC) continue;
      if (superBlock.revLevel > 0 && superBlock.blockGroupNr !== group) continue;
      if (superBlock.logBlockSize > 6 || superBlock.blockSize !== blockSize || !superBlock.checksumFits) continue;
      superBlock.check(source.name, at * blockSize);
      return { superBlock, at };
    }
  }
  return undefined;
}

function refuseFeatures(superBlock: SuperBlock, source: ByteSource): void {
  const refused = superBlock.featureIncompat & (REFUSED | ~KNOWN_INCOMPAT);
  if (refused !== 0) throw featureUnsupported(featureNames(refused, INCOMPAT), source.name);
}

function warnOfOddities(superBlock: SuperBlock, source: ByteSource, ctx: Context): void {
  const unknown = superBlock.featureRoCompat & ~KNOWN_RO_COMPAT;
  if (unknown !== 0) {
    const names = featureNames(unknown, RO_COMPAT).join(", ");
    warn(ctx, "EXT_FEATURE_UNKNOWN", `the file system uses ${names}, which transload does not know`, source.name);
  }
  const size = superBlock.blocksCount * superBlock.blockSize;
  if (size > source.size) {
    warn(ctx, "EXT_TRUNCATED", `the file system has ${size} bytes, the volume only ${source.size}`, source.name);
  }
}

function* replay(volume: Volume, found: Found, others: readonly ByteSource[]): Steps<Volume> {
  const { ctx, source } = volume;
  const blocks = yield* journalBlocks(volume, others);
  if (blocks === undefined) {
    const message = "the journal is on another device that is not here: the last changes are missing";
    warn(ctx, "EXT_JOURNAL", message, source.name);
    return volume;
  }
  const replayed = yield* Journal.replay(blocks, ctx.limits.tableBytes);
  tell(replayed, ctx, source);
  if (replayed.patches.size === 0 && replayed.fastCommits.length === 0) return volume;
  const patched = overlay(source, volume.blockSize, replayed.patches);
  const superBlock = yield* superBlockAt(
    patched,
    found.at * volume.blockSize + (found.at === 0 ? SuperBlock.OFFSET : 0),
  );
  superBlock.check(source.name, SuperBlock.OFFSET);
  refuseFeatures(superBlock, source);
  if (superBlock.blockSize !== volume.blockSize)
    throw superBlockDamaged("the log changes the block size", source.name, 0);
  const after = new Volume(patched, superBlock, found.at, ctx);
  return replayed.fastCommits.length === 0 ? after : yield* withFastCommits(after, found.at, replayed.fastCommits);
}

function tell({ damage, transactions, fastCommits }: Replayed, ctx: Context, source: ByteSource): void {
  if (damage !== undefined) {
    warn(ctx, "EXT_JOURNAL", `the journal is damaged, so the last changes are missing: ${damage}`, source.name);
  }
  if (transactions === 0 && fastCommits.length === 0) return;
  const message = `the journal was replayed in memory: ${transactions} transactions, ${fastCommits.length} fast commit records`;
  ctx.diagnostic({ code: "EXT_JOURNAL_REPLAYED", severity: "info", message, where: { file: source.name } });
}

function* journalBlocks(volume: Volume, others: readonly ByteSource[]): Steps<JournalBlocks | undefined> {
  const { superBlock, blockSize, source } = volume;
  if (superBlock.hasCompat(COMPAT.HAS_JOURNAL) && superBlock.journalInum !== 0) {
    return new JournalBlocks(source, blockSize, yield* journalMap(volume));
  }
  for (const other of others) {
    if (other.size < SuperBlock.OFFSET + SuperBlock.SIZE) continue;
    const device = yield* superBlockAt(other, SuperBlock.OFFSET);
    if (device.magic !== SuperBlock.MAGIC || !device.hasIncompat(INCOMPAT.JOURNAL_DEV)) continue;
    if (!Buffer.from(device.uuidBytes).equals(superBlock.journalUuid)) continue;
    return new JournalBlocks(other, blockSize, undefined);
  }
  return undefined;
}

/** The journal inode's blocks, or those that the superblock remembers of it. */
function* journalMap(volume: Volume): Steps<BlockMap> {
  const { superBlock } = volume;
  const inode = yield* volume.inode(superBlock.journalInum);
  if (inode.format === MODE.FILE && inode.linksCount > 0) return volume.map(inode);
  const root = superBlock.jnlBlocks.subarray(0, 60);
  const isTree = root[0] === 0x0a && root[1] === 0xf3;
  return isTree ? new ExtentTree(volume, root, inode.number) : new IndirectBlocks(volume, root, inode.number);
}

/** Inodes are written over, in memory; names and ranges are looked up beside what the blocks hold. */
function* withFastCommits(volume: Volume, at: number, records: readonly FastCommitRecord[]): Steps<Volume> {
  const { blockSize, superBlock, source, ctx } = volume;
  const commits = fastCommitsOf(records, (block, count) => volume.holds(block, count));
  const patches = new Map<number, Patch>();
  for (const [number, record] of commits.inodes) {
    const offset = yield* volume.inodeOffset(number);
    const block = Math.floor(offset / blockSize);
    const kept = patches.get(block);
    const bytes = kept instanceof Uint8Array ? kept : Uint8Array.from(yield* volume.block(block));
    patches.set(block, bytes);
    const skip = offset - block * blockSize;
    writeInode(bytes.subarray(skip, skip + superBlock.inodeSize), record);
  }
  return new Volume(overlay(source, blockSize, patches), superBlock, at, ctx, commits);
}
