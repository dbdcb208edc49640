import { type BytePath, displayPath } from "../../bytes/byte-path.ts";
import type { ByteSource } from "../../bytes/byte-source.ts";
import { whenOpened } from "../../bytes/late-source.ts";
import { MemorySource } from "../../bytes/memory-source.ts";
import { ZeroPadded } from "../../bytes/slice.ts";
import { run, type Steps, settled } from "../../bytes/steps.ts";
import { MappedBlocks } from "../mapped-blocks.ts";
import type { BlockMap } from "./block-map.ts";
import { encrypted } from "./errors.ts";
import { inlineBytes } from "./inline-data.ts";
import { INODE_FLAG } from "./inode.ts";
import type { Volume } from "./volume.ts";

function mapped(volume: Volume, map: BlockMap, name: string, size: number): MappedBlocks {
  const { source, blockSize } = volume;
  return new MappedBlocks(name, size, source, map, blockSize, blockSize);
}

/** The first `length` bytes of mapped blocks, holes as zeros: a view where they lie in one run, a copy otherwise. */
export function* readBlocks(volume: Volume, map: BlockMap, length: number): Steps<Uint8Array> {
  return yield* settled(mapped(volume, map, volume.name, length).read(0, length));
}

/**
 * The bytes of the file with inode `number`; what the blocks hold beyond `size` is not part of it. Throws UnsupportedError
 * EXT_ENCRYPTED: at once where the inode can be read without waiting, otherwise at the first use.
 */
export function fileContent(volume: Volume, number: number, size: number, path: BytePath): ByteSource {
  const name = `${JSON.stringify(displayPath(path))} in ${volume.name}`;
  return whenOpened(name, size, run(openContent(volume, number, name, size, path)));
}

function* openContent(volume: Volume, number: number, name: string, size: number, path: BytePath): Steps<ByteSource> {
  const inode = yield* volume.inode(number);
  if (inode.hasFlag(INODE_FLAG.ENCRYPT)) throw encrypted(volume.name, path);
  if (!inode.hasFlag(INODE_FLAG.INLINE_DATA)) return mapped(volume, volume.map(inode), name, size);
  return new ZeroPadded(new MemorySource(inlineBytes(inode).subarray(0, size), name), size);
}
