import type { Steps } from "../../bytes/steps.ts";
import { LittleEndianView } from "../../bytes/view.ts";
import type { SquashfsVolume } from "./volume.ts";

/** struct squashfs_fragment_entry: a block in which the ends of several files stand. */
export class FragmentEntry extends LittleEndianView {
  static readonly SIZE = 16;

  get start(): number {
    return this.u64(0x00);
  }
  /** As the size of a block in an inode. */
  get size(): number {
    return this.u32(0x08);
  }
}

/** Entry `index` of the fragment table, or undefined where there is none. */
export function* readFragment(volume: SquashfsVolume, index: number): Steps<FragmentEntry | undefined> {
  const { fragments, fragmentTable } = volume.superBlock;
  if (index >= fragments || fragmentTable === undefined) return undefined;
  const entry = yield* volume.tableEntry(fragmentTable, index, FragmentEntry.SIZE);
  // A copy, since the entry outlives the block of metadata.
  return new FragmentEntry(new Uint8Array(entry), 0, FragmentEntry.SIZE);
}
