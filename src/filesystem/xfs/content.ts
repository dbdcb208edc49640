import { type BytePath, displayPath } from "../../bytes/byte-path.ts";
import type { ByteSource } from "../../bytes/byte-source.ts";
import { whenOpened } from "../../bytes/late-source.ts";
import { run, type Steps } from "../../bytes/steps.ts";
import { MappedBlocks } from "../mapped-blocks.ts";
import { onRealtimeDevice } from "./errors.ts";
import type { ExtentMap } from "./extent-map.ts";
import type { Volume } from "./volume.ts";

/**
 * The bytes of the file with inode `number`; what the extents hold beyond `size` is not part of it. Throws UnsupportedError
 * XFS_REALTIME: at once where the inode can be read without waiting, otherwise at the first use.
 */
export function fileContent(volume: Volume, number: number, size: number, path: BytePath): ByteSource {
  const name = `${JSON.stringify(displayPath(path))} in ${volume.name}`;
  return whenOpened(name, size, run(openContent(volume, number, name, size, path)));
}

function* openContent(volume: Volume, number: number, name: string, size: number, path: BytePath): Steps<ByteSource> {
  const inode = yield* volume.inode(number);
  if (inode.isRealtime) throw onRealtimeDevice(volume.name, path);
  return new MappedBlocks(name, size, volume.source, volume.map(inode, inode.dataFork), volume.blockSize, 1);
}

/**
 * Blocks `[logical, logical + count)` of a fork that holds metadata, through the volume's cache; undefined where one of them
 * is a hole. `offset` is where the first of them lies in the volume.
 */
export function* readBlocks(
  volume: Volume,
  map: ExtentMap,
  logical: number,
  count: number,
): Steps<{ readonly bytes: Uint8Array; readonly offset: number } | undefined> {
  const { blockSize } = volume;
  const first = yield* map.find(logical);
  const offset = first.physical;
  if (offset === undefined) return undefined;
  if (first.count >= count) return { bytes: yield* volume.read(offset, count * blockSize), offset };
  const bytes = new Uint8Array(count * blockSize);
  for (let done = 0, next = first; ; next = yield* map.find(logical + done)) {
    const blocks = Math.min(next.count, count - done);
    if (next.physical === undefined) return undefined;
    bytes.set(yield* volume.read(next.physical, blocks * blockSize), done * blockSize);
    done += blocks;
    if (done >= count) return { bytes, offset };
  }
}
