import type { Steps } from "../../bytes/steps.ts";

/** Blocks of a file that lie next to each other on the volume; `physical` is undefined for a hole or unwritten blocks. */
export interface Run {
  readonly count: number;
  readonly physical: number | undefined;
}

/** Where the blocks of a file are. */
export interface BlockMap {
  /** The run that starts at the file's block `logical`; neighbouring runs may be of the same kind. */
  find(logical: number): Steps<Run>;
}

/** More blocks than any file can have. */
export const NO_END = 2 ** 52;
