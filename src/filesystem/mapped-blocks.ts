import { type Awaitable, type ByteSource, checkRange } from "../bytes/byte-source.ts";
import { MappedSource, type Run } from "../bytes/mapped-source.ts";
import { run, type Steps } from "../bytes/steps.ts";

/** Where the blocks of a file are. */
export interface FileBlocks {
  /** The run that starts at a block of the file. `physical` is where it lies on the volume, undefined for a hole. */
  find(block: number): Steps<{ readonly count: number; readonly physical: number | undefined }>;
}

/** The bytes of a file whose blocks a map finds, each block of the same size. What they hold beyond `size` is not part of it. */
export class MappedBlocks extends MappedSource {
  readonly name: string;
  readonly size: number;
  readonly #volume: ByteSource;
  readonly #blocks: FileBlocks;
  readonly #blockSize: number;
  readonly #unit: number;

  /** `unit` is how many bytes `physical` counts as one. A run that leaves the volume throws when it is used. */
  constructor(name: string, size: number, volume: ByteSource, blocks: FileBlocks, blockSize: number, unit: number) {
    super();
    this.name = name;
    this.size = size;
    this.#volume = volume;
    this.#blocks = blocks;
    this.#blockSize = blockSize;
    this.#unit = unit;
  }

  protected override runAt(offset: number, limit: number): Awaitable<Run> {
    return run(this.#runAt(offset, limit));
  }

  *#runAt(offset: number, limit: number): Steps<Run> {
    const block = Math.floor(offset / this.#blockSize);
    const skip = offset - block * this.#blockSize;
    const { count, physical } = yield* this.#blocks.find(block);
    const length = Math.min(limit, count * this.#blockSize - skip);
    if (physical === undefined) return { kind: "zero", length };
    const at = physical * this.#unit + skip;
    checkRange(this.#volume, at, length);
    return { kind: "plain", length, source: this.#volume, at };
  }
}
