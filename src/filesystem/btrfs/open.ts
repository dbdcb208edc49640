import type { ByteSource } from "../../bytes/byte-source.ts";
import type { Steps } from "../../bytes/steps.ts";
import type { Context } from "../../context.ts";
import { findDevices } from "./devices.ts";
import { chunkDamaged, featureUnsupported, warn } from "./errors.ts";
import { replayLog } from "./log.ts";
import { ITEM } from "./node.ts";
import { Subvolumes } from "./subvolumes.ts";
import { featureNames, INCOMPAT, type SuperBlock } from "./super-block.ts";
import { Tree } from "./tree.ts";
import { Volume } from "./volume.ts";

const REFUSED = INCOMPAT.ZONED | INCOMPAT.EXTENT_TREE_V2 | INCOMPAT.RAID_STRIPE_TREE | INCOMPAT.REMAP_TREE;
const KNOWN = Object.values(INCOMPAT).reduce((all, bit) => all | bit, 0);
/** What a chunk takes in memory, about. */
const CHUNK_BYTES = 512;

export interface Opened {
  readonly volume: Volume;
  readonly subvolumes: Subvolumes;
}

/** The file system with its log replayed, in memory. */
export function* openVolume(source: ByteSource, ctx: Context, others: readonly ByteSource[]): Steps<Opened> {
  const found = yield* findDevices(source, ctx, others);
  const { superBlock, devices } = found;
  refuseFeatures(superBlock, source);
  const missing = superBlock.numDevices - devices.size;
  if (missing > 0) {
    const message = `${missing} of the ${superBlock.numDevices} devices of the file system are not here`;
    warn(ctx, "BTRFS_DEVICE_MISSING", message, source.name);
  }
  const volume = new Volume(found, source.name, ctx);
  yield* loadChunks(volume);
  const logged = superBlock.logRoot === 0 ? undefined : yield* replayLog(volume, new Subvolumes(volume));
  return { volume, subvolumes: new Subvolumes(volume, logged) };
}

function refuseFeatures(superBlock: SuperBlock, source: ByteSource): void {
  const low = superBlock.incompatLow & (REFUSED | ~KNOWN);
  const high = superBlock.incompatHigh;
  if (low !== 0 || high !== 0) throw featureUnsupported(featureNames(low, high), source.name);
}

function* loadChunks(volume: Volume): Steps<void> {
  const { chunkRoot, chunkRootLevel, chunkRootGeneration, sysChunkArray } = volume.superBlock;
  volume.chunks.addArray(sysChunkArray);
  const tree = new Tree(volume, { logical: chunkRoot, level: chunkRootLevel, generation: chunkRootGeneration });
  let cursor = yield* tree.from(0, ITEM.CHUNK, 0);
  while (cursor !== undefined) {
    if (cursor.type === ITEM.CHUNK) volume.chunks.add(cursor.offset, cursor.item);
    if (volume.chunks.size * CHUNK_BYTES > volume.ctx.limits.tableBytes) {
      throw chunkDamaged(`there are more than ${volume.chunks.size}`, volume.name);
    }
    if (!(yield* cursor.next())) cursor = undefined;
  }
}
