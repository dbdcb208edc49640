import { inflateSync } from "node:zlib";
import { ByteCache } from "../../bytes/byte-cache.ts";
import type { BytePath } from "../../bytes/byte-path.ts";
import type { ByteSource } from "../../bytes/byte-source.ts";
import { type Steps, settled } from "../../bytes/steps.ts";
import { LittleEndianView } from "../../bytes/view.ts";
import type { Block, BlockFile } from "../block-content.ts";
import { compressedFileDamaged } from "./errors.ts";
import type { Run } from "./volume.ts";

/** Blocks that are kept, in bytes. */
const KEPT = 1 << 20;

/** What a file of zisofs begins with (zisofs format, "header"). */
class ZisofsHeader extends LittleEndianView {
  static readonly SIZE = 16;
  static readonly MAGIC = "\x37\xe4\x53\x96\xc9\xdb\xd6\x07";

  get magic(): string {
    return Buffer.from(this.bytes(0, 8)).toString("latin1");
  }
  get uncompressedSize(): number {
    return this.u32(8);
  }
  /** Bytes. */
  get headerSize(): number {
    return this.u8(12) * 4;
  }
  get blockSizeLog2(): number {
    return this.u8(13);
  }
}

/** A file that zisofs compressed (Linux inflates such files when they are read): blocks of 32 to 128 KiB. */
export class ZisofsFile implements BlockFile {
  readonly coding = "zlib";
  readonly blockSize: number;
  readonly #source: ByteSource;
  readonly #path: BytePath;
  readonly #pointers: DataView;
  readonly #stored: Run;
  readonly #size: number;
  readonly #kept = new ByteCache<Uint8Array>(KEPT);

  private constructor(source: ByteSource, stored: Run, header: ZisofsHeader, pointers: Uint8Array, path: BytePath) {
    this.blockSize = 2 ** header.blockSizeLog2;
    this.#source = source;
    this.#path = path;
    this.#stored = stored;
    this.#size = header.uncompressedSize;
    this.#pointers = new DataView(pointers.buffer, pointers.byteOffset, pointers.length);
  }

  /** `size` in bytes is what Rock Ridge promises. Throws CorruptError ISO_COMPRESSED_FILE. */
  static *open(source: ByteSource, stored: Run, size: number, path: BytePath): Steps<ZisofsFile> {
    const damaged = (what: string) => compressedFileDamaged(what, source.name, path);
    if (stored.length < ZisofsHeader.SIZE) throw damaged(`has ${stored.length} bytes, too few for its header`);
    const head = yield* settled(source.read(stored.offset, ZisofsHeader.SIZE));
    const header = new ZisofsHeader(head, 0, ZisofsHeader.SIZE);
    const { headerSize, blockSizeLog2, uncompressedSize } = header;
    if (header.magic !== ZisofsHeader.MAGIC || headerSize < ZisofsHeader.SIZE) throw damaged("has no header of zisofs");
    if (blockSizeLog2 < 15 || blockSizeLog2 > 17) throw damaged(`has blocks of 2^${blockSizeLog2} bytes`);
    if (uncompressedSize !== size) throw damaged(`has ${uncompressedSize} bytes, but its record says ${size}`);
    const length = (Math.ceil(size / 2 ** blockSizeLog2) + 1) * 4;
    if (headerSize + length > stored.length) throw damaged(`ends inside its ${length / 4} pointers`);
    const pointers = yield* settled(source.read(stored.offset + headerSize, length));
    return new ZisofsFile(source, stored, header, pointers, path);
  }

  // biome-ignore lint/correctness/useYield: other files of blocks have to wait here
  *block(index: number): Steps<Block> {
    const start = this.#pointers.getUint32(index * 4, true);
    const end = this.#pointers.getUint32(index * 4 + 4, true);
    if (start === end) return { kind: "zero" };
    if (start > end || end > this.#stored.length || end - start > 2 * this.blockSize) {
      const what = `keeps block ${index} in ${start} to ${end} of ${this.#stored.length} bytes`;
      throw compressedFileDamaged(what, this.#source.name, this.#path);
    }
    const size = Math.min(this.blockSize, this.#size - index * this.blockSize);
    return { kind: "packed", at: this.#stored.offset + start, length: end - start, skip: 0, size };
  }

  *unpack({ at, length }: Extract<Block, { kind: "packed" }>, least: number): Steps<Uint8Array> {
    const kept = this.#kept.get(at);
    if (kept !== undefined) return kept;
    const bytes = yield* settled(this.#source.read(at, length));
    const plain = this.#inflate(bytes);
    if (plain.length === least) return this.#kept.set(at, plain, plain.length);
    const what = `has a block of ${plain.length} bytes, not of ${least}`;
    throw compressedFileDamaged(what, this.#source.name, this.#path);
  }

  #inflate(bytes: Uint8Array): Uint8Array {
    try {
      return inflateSync(bytes, { maxOutputLength: this.blockSize });
    } catch (cause) {
      throw compressedFileDamaged("does not inflate", this.#source.name, this.#path, cause);
    }
  }
}
