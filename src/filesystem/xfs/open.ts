import type { ByteSource } from "../../bytes/byte-source.ts";
import { overlay } from "../../bytes/overlay.ts";
import { type Steps, settled } from "../../bytes/steps.ts";
import type { Context } from "../../context.ts";
import { checksumFits } from "./checksum.ts";
import { featureUnsupported, inProgress, logUnsupported, needsRepair, superBlockDamaged, warn } from "./errors.ts";
import { Log } from "./log.ts";
import { replay } from "./log-replay.ts";
import { featureNames, INCOMPAT, LOG_INCOMPAT, RO_COMPAT, SuperBlock } from "./super-block.ts";
import { Volume } from "./volume.ts";

const REFUSED = INCOMPAT.METADIR | INCOMPAT.ZONED | INCOMPAT.ZONE_GAPS;
const KNOWN_INCOMPAT = allOf(INCOMPAT);
const KNOWN_RO_COMPAT = allOf(RO_COMPAT);
const KNOWN_LOG_INCOMPAT = allOf(LOG_INCOMPAT);

function allOf(bits: Readonly<Record<string, number>>): number {
  return Object.values(bits).reduce((all, bit) => all | bit, 0);
}

/** The volume as it is after its log was replayed, in memory. `others` may hold the log. */
export function* openVolume(source: ByteSource, ctx: Context, others: readonly ByteSource[]): Steps<Volume> {
  const superBlock = yield* readSuperBlock(source);
  warnOfOddities(superBlock, source, ctx);
  if (!(yield* checksumIsRight(superBlock, source))) {
    warn(ctx, "XFS_CHECKSUM", "the checksum of the superblock is wrong", { file: source.name, offset: 0 });
  }
  const log = yield* findLog(superBlock, source, ctx, others);
  const dirty = log === undefined ? undefined : yield* log.dirtyRange();
  if (log === undefined || dirty === undefined) return new Volume(source, superBlock, ctx);
  const unknown = superBlock.featuresLogIncompat & ~KNOWN_LOG_INCOMPAT;
  if (unknown !== 0) throw logUnsupported(`it has ${featureNames(unknown, LOG_INCOMPAT).join(", ")}`, source.name);
  const { sectors, transactions } = yield* replay(log, dirty, new Volume(source, superBlock, ctx));
  const message = `the log was replayed in memory: ${transactions} transactions`;
  ctx.diagnostic({ code: "XFS_LOG_REPLAYED", severity: "info", message, where: { file: source.name } });
  const patched = overlay(source, Log.BLOCK, sectors);
  const after = yield* readSuperBlock(patched);
  if (after.blockSize !== superBlock.blockSize || after.inodeSize !== superBlock.inodeSize) {
    throw superBlockDamaged("the log changes the size of blocks or inodes", source.name);
  }
  return new Volume(patched, after, ctx, (offset, length) => {
    for (let sector = Math.floor(offset / Log.BLOCK); sector * Log.BLOCK < offset + length; sector++) {
      if (sectors.has(sector)) return true;
    }
    return false;
  });
}

/** Checked, and of features that are read. A copy, since the volume may change under a replay. */
function* readSuperBlock(source: ByteSource): Steps<SuperBlock> {
  if (source.size < SuperBlock.SIZE) {
    throw superBlockDamaged(`the volume has only ${source.size} bytes`, source.name);
  }
  const superBlock = new SuperBlock(Uint8Array.from(yield* settled(source.read(0, SuperBlock.SIZE))));
  superBlock.check(source.name);
  if (superBlock.inProgress) throw inProgress(source.name);
  const refused = superBlock.featuresIncompat & (REFUSED | ~KNOWN_INCOMPAT);
  if (refused !== 0) throw featureUnsupported(featureNames(refused, INCOMPAT), source.name);
  if (superBlock.hasIncompat(INCOMPAT.NEEDSREPAIR)) throw needsRepair(source.name);
  return superBlock;
}

/** Its checksum covers the whole sector. */
function* checksumIsRight({ hasChecksums, sectSize }: SuperBlock, source: ByteSource): Steps<boolean> {
  if (!hasChecksums || sectSize > source.size) return true;
  return checksumFits(yield* settled(source.read(0, sectSize)), SuperBlock.CHECKSUM_AT);
}

function warnOfOddities(superBlock: SuperBlock, source: ByteSource, ctx: Context): void {
  const file = source.name;
  const unknown = superBlock.featuresRoCompat & ~KNOWN_RO_COMPAT;
  if (unknown !== 0) {
    const names = featureNames(unknown, RO_COMPAT).join(", ");
    warn(ctx, "XFS_FEATURE_UNKNOWN", `the file system uses ${names}, which transload does not know`, { file });
  }
  const size = superBlock.dBlocks * superBlock.blockSize;
  if (size > source.size) {
    warn(ctx, "XFS_TRUNCATED", `the file system has ${size} bytes, the volume only ${source.size}`, { file });
  }
}

/** In the file system, or on a device of its own; undefined, with a warning, if that is not here. */
function* findLog(
  superBlock: SuperBlock,
  source: ByteSource,
  ctx: Context,
  others: readonly ByteSource[],
): Steps<Log | undefined> {
  const { logStart, logBlocks, blockSize, hasChecksums, uuidBytes } = superBlock;
  if (logStart !== 0) {
    const offset = new Volume(source, superBlock, ctx).offsetOf(logStart, logBlocks);
    if (offset === undefined || logBlocks === 0 || offset + logBlocks * blockSize > source.size) {
      throw superBlockDamaged(`the log has ${logBlocks} blocks at ${logStart}, outside the volume`, source.name);
    }
    return new Log(source, offset, logBlocks * blockSize, uuidBytes, hasChecksums);
  }
  for (const other of others) {
    if (logBlocks === 0 || other.size < logBlocks * blockSize) continue;
    const log = new Log(other, 0, logBlocks * blockSize, uuidBytes, hasChecksums);
    if (yield* log.isOfFileSystem()) return log;
  }
  const message = "the log is on another device that is not here: if it was not replayed, the last changes are missing";
  warn(ctx, "XFS_LOG_EXTERNAL", message, { file: source.name });
  return undefined;
}
