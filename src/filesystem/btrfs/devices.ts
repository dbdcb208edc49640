import type { ByteSource } from "../../bytes/byte-source.ts";
import { type Steps, settled } from "../../bytes/steps.ts";
import type { Context } from "../../context.ts";
import { CorruptError } from "../../errors.ts";
import { superBlockDamaged, warn } from "./errors.ts";
import { SuperBlock } from "./super-block.ts";

/** A device of the file system that is here. */
export interface Device {
  readonly source: ByteSource;
  /** It missed the last transactions: what it holds is used last. */
  readonly stale: boolean;
}

export interface FoundDevices {
  /** The newest of all devices. */
  readonly superBlock: SuperBlock;
  /** By devid. */
  readonly devices: ReadonlyMap<number, Device>;
}

interface Candidate {
  readonly source: ByteSource;
  readonly superBlock: SuperBlock;
}

/** Finds what belongs to the file system of `source`. Throws CorruptError BTRFS_SUPERBLOCK where `source` has no sound superblock. */
export function* findDevices(source: ByteSource, ctx: Context, others: readonly ByteSource[]): Steps<FoundDevices> {
  const superBlock = yield* soundSuperBlock(source, ctx);
  const candidates: Candidate[] = [{ source, superBlock }];
  const known = new Set([superBlock.devid]);
  for (const other of superBlock.numDevices > 1 ? others : []) {
    const first = yield* superBlockAt(other, SuperBlock.OFFSETS[0] as number);
    if (first === undefined || damage(first, other, SuperBlock.OFFSETS[0] as number) !== undefined) continue;
    // A copy of a device has its number as well, and is left alone.
    if (first.metadataUuid !== superBlock.metadataUuid || known.has(first.devid)) continue;
    known.add(first.devid);
    candidates.push({ source: other, superBlock: first });
  }
  const newest = candidates.reduce((best, next) =>
    next.superBlock.generation > best.superBlock.generation ? next : best,
  );
  const { generation } = newest.superBlock;
  const devices = new Map<number, Device>();
  for (const candidate of candidates) {
    const stale = candidate.superBlock.generation < generation;
    devices.set(candidate.superBlock.devid, { source: candidate.source, stale });
    if (!stale) continue;
    const message = `the device is at generation ${candidate.superBlock.generation} of ${generation}: it missed the last changes`;
    warn(ctx, "BTRFS_DEVICE_STALE", message, candidate.source.name);
  }
  return { superBlock: newest.superBlock, devices };
}

/** The first superblock; where that is damaged, the newest of its copies. */
function* soundSuperBlock(source: ByteSource, ctx: Context): Steps<SuperBlock> {
  const [offset = 0, ...copies] = SuperBlock.OFFSETS;
  const first = yield* superBlockAt(source, offset);
  if (first === undefined) throw superBlockDamaged(`the volume has only ${source.size} bytes`, source.name, 0);
  const problem = damage(first, source, offset);
  if (problem === undefined) return first;
  let best: SuperBlock | undefined;
  for (const at of copies) {
    const copy = yield* superBlockAt(source, at);
    if (copy === undefined || damage(copy, source, at) !== undefined) continue;
    if (best === undefined || copy.generation > best.generation) best = copy;
  }
  if (best === undefined) throw problem;
  const message = `the superblock is damaged, its copy at 0x${best.bytenr.toString(16)} is used: ${problem.message}`;
  warn(ctx, "BTRFS_BACKUP_SUPERBLOCK", message, source.name);
  return best;
}

function* superBlockAt(source: ByteSource, offset: number): Steps<SuperBlock | undefined> {
  if (offset + SuperBlock.SIZE > source.size) return undefined;
  return new SuperBlock(yield* settled(source.read(offset, SuperBlock.SIZE)));
}

function damage(superBlock: SuperBlock, source: ByteSource, offset: number): CorruptError | undefined {
  try {
    superBlock.check(source.name, offset);
    return undefined;
  } catch (cause) {
    if (cause instanceof CorruptError) return cause;
    throw cause;
  }
}
