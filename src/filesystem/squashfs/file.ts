import type { BytePath } from "../../bytes/byte-path.ts";
import type { Steps } from "../../bytes/steps.ts";
import type { Block, BlockFile } from "../block-content.ts";
import { blockDamaged, inodeDamaged, tableTooLarge } from "./errors.ts";
import { type FragmentEntry, readFragment } from "./fragment.ts";
import { NO_FRAGMENT, type ReadInode } from "./inode.ts";
import { type SquashfsVolume, UNCOMPRESSED } from "./volume.ts";

/** The blocks of a file: whole ones one behind the other, then perhaps a piece of a fragment block. */
export class SquashfsFile implements BlockFile {
  readonly blockSize: number;
  readonly coding: "zlib" | undefined;
  readonly #volume: SquashfsVolume;
  readonly #size: number;
  /** As they are stored, by block. */
  readonly #sizes: Uint32Array;
  /** Bytes from the start of the volume, by block. */
  readonly #starts: Float64Array;
  readonly #fragment: FragmentEntry | undefined;
  readonly #fragmentIndex: number;
  readonly #fragmentOffset: number;
  /** The block that is asked for next if the file is read from its start to its end. */
  #next = 0;

  private constructor(
    volume: SquashfsVolume,
    read: ReadInode,
    sizes: Uint32Array,
    fragment: FragmentEntry | undefined,
  ) {
    const { inode } = read;
    this.#volume = volume;
    this.blockSize = volume.superBlock.blockSize;
    this.coding = volume.compressor.name === "gzip" ? "zlib" : undefined;
    this.#size = inode.size;
    this.#sizes = sizes;
    this.#starts = new Float64Array(sizes.length);
    this.#fragment = fragment;
    this.#fragmentIndex = inode.fragment;
    this.#fragmentOffset = inode.fragmentOffset;
    let start = inode.startBlock;
    for (const [index, size] of sizes.entries()) {
      this.#starts[index] = start;
      start += size & ~UNCOMPRESSED;
    }
  }

  /** Reads the list of blocks. Throws UnsupportedError SQUASHFS_TABLE_TOO_LARGE, CorruptError SQUASHFS_INODE. */
  static *open(volume: SquashfsVolume, read: ReadInode, path: BytePath): Steps<SquashfsFile> {
    const { size, fragment } = read.inode;
    const { blockSize, fragments } = volume.superBlock;
    const { tableBytes } = volume.ctx.limits;
    const whole = size / blockSize;
    const length = 4 * (fragment === NO_FRAGMENT ? Math.ceil(whole) : Math.floor(whole));
    if (3 * length > tableBytes) throw tableTooLarge(3 * length, tableBytes, volume.name, path);
    const list = length === 0 ? new Uint8Array(0) : yield* volume.metadata({ ...read.behind }, length);
    const view = new DataView(list.buffer, list.byteOffset, length);
    const sizes = Uint32Array.from({ length: length / 4 }, (_, index) => view.getUint32(index * 4, true));
    if (fragment === NO_FRAGMENT) return new SquashfsFile(volume, read, sizes, undefined);
    const entry = yield* readFragment(volume, fragment);
    if (entry === undefined) throw inodeDamaged(`ends in fragment ${fragment} of ${fragments}`, volume.name, path);
    return new SquashfsFile(volume, read, sizes, entry);
  }

  // biome-ignore lint/correctness/useYield: other files of blocks have to wait here
  *block(index: number): Steps<Block> {
    const size = Math.min(this.blockSize, this.#size - index * this.blockSize);
    const stored = this.#sizes[index];
    if (stored === 0) return { kind: "zero" };
    if (stored !== undefined) return this.#placed(this.#starts[index] ?? 0, stored, 0, size, size);
    // How much a fragment block unpacks to stands nowhere.
    return this.#placed(this.#fragment?.start ?? 0, this.#fragment?.size ?? 0, this.#fragmentOffset, size, undefined);
  }

  /** `size` bytes from `skip` on of what is stored at `at`, and unpacks to `unpacked` bytes. */
  #placed(at: number, stored: number, skip: number, size: number, unpacked: number | undefined): Block {
    const length = stored & ~UNCOMPRESSED;
    const isPlain = (stored & UNCOMPRESSED) !== 0;
    if (length === 0 || length > this.blockSize || (isPlain && skip + size > length)) {
      throw blockDamaged(`has ${length} bytes, of blocks of ${this.blockSize}`, this.#volume.name, at);
    }
    if (isPlain) return { kind: "plain", at: at + skip };
    const packed = { kind: "packed", at, length, skip } as const;
    return unpacked === undefined ? packed : { ...packed, size: unpacked };
  }

  *unpack({ at, length }: Extract<Block, { kind: "packed" }>, least: number): Steps<Uint8Array> {
    if (at === this.#fragment?.start) yield* this.#volume.fragmentsAhead(this.#fragmentIndex);
    else this.#unpackAhead(at);
    return yield* this.#volume.dataBlock(at, length, least);
  }

  /** Lets threads unpack the blocks behind one that is read: most files are read from their start to their end. */
  #unpackAhead(at: number): void {
    const index = this.#starts[this.#next] === at ? this.#next : this.#starts.indexOf(at);
    this.#next = index + 1;
    const end = Math.min(index + 1 + this.#volume.blocksAhead, this.#sizes.length);
    for (let ahead = index + 1; ahead < end; ahead++) {
      this.#volume.unpackAhead(this.#starts[ahead] ?? 0, this.#sizes[ahead] ?? 0);
    }
  }
}
