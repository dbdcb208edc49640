import type { ByteSource } from "./byte-source.ts";
import { compose, type Region } from "./regions.ts";

/** What stands in for a block: bytes in memory, or a place in a source where the block's new content lies. */
export type Patch = Uint8Array | { readonly source: ByteSource; readonly offset: number };

/**
 * `base` with some of its blocks replaced, as a replayed journal leaves it, and without a copy of either. Keys of `patches`
 * are block numbers; a block that reaches beyond the end of `base` is cut there. All sources stay their owner's to dispose.
 */
export function overlay(base: ByteSource, blockSize: number, patches: ReadonlyMap<number, Patch>): ByteSource {
  const regions: Region[] = [];
  let end = 0;
  for (const block of Float64Array.from(patches.keys()).sort()) {
    const offset = block * blockSize;
    const length = Math.min(blockSize, base.size - offset);
    const patch = patches.get(block);
    if (length <= 0 || patch === undefined) continue;
    if (offset > end) regions.push({ offset: end, length: offset - end, content: base, contentOffset: end });
    if (patch instanceof Uint8Array) regions.push({ offset, length, content: patch });
    else regions.push({ offset, length, content: patch.source, contentOffset: patch.offset });
    end = offset + length;
  }
  if (end < base.size) regions.push({ offset: end, length: base.size - end, content: base, contentOffset: end });
  return compose(base.name, base.size, regions);
}
