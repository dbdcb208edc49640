import type { Chunk } from "./byte-source.ts";
import type { Run } from "./content.ts";
import type { Entry } from "./entry.ts";

/** A file's content, holes as zeros; it is read before the next one is asked for, or not at all. */
export interface FileContent {
  readonly inode: number;
  readonly chunks: AsyncIterable<Chunk>;
}

/**
 * Files whose metadata is known and whose content comes in an order of its own: what a stack of layers is without being
 * unpacked, and what a writer of a file system takes. Everything can be asked for more than once.
 */
export interface FileTree {
  /** Every entry, parents in front of what they hold; entries with the same inode are hard links. */
  walk(): Iterable<Entry>;
  /** Which runs of a file hold data; covers its size. */
  runs(inode: number): readonly Run[];
  /** The inodes of files that are not empty, in the order of `contents`. */
  readonly order: readonly number[];
  /** The content of each file that is not empty, once. */
  contents(): AsyncIterable<FileContent>;
}
