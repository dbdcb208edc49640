import type { ByteSource } from "../../bytes/byte-source.ts";
import type { Run } from "../../bytes/mapped-source.ts";
import { LittleEndianView } from "../../bytes/view.ts";
import { asDisk } from "../as-disk.ts";
import { BlockSource } from "../block-source.ts";
import { diskEmpty, parentChanged, parentMissing } from "../errors.ts";
import { guidText, NO_GUID } from "../guid.ts";
import { openParent, resized } from "../parent.ts";
import type { DiskFormat, FormatContext, VirtualDisk } from "../virtual-disk.ts";
import {
  blockOutOfRange,
  blockRepeated,
  geometryDamaged,
  mapOutOfRange,
  notVdi,
  typeUnknown,
  versionUnknown,
} from "./errors.ts";

const SECTOR = 512;
const SIGNATURE = 0xbeda107f;

const TYPE = { NORMAL: 1, FIXED: 2, UNDO: 3, DIFF: 4 } as const;
const VARIANTS: Readonly<Record<number, string>> = {
  [TYPE.NORMAL]: "dynamic",
  [TYPE.FIXED]: "fixed",
  [TYPE.DIFF]: "differencing",
};

/** Entries of the map that name no block. */
const BLOCK = { FREE: 0xffffffff, ZERO: 0xfffffffe } as const;

/** VDIPREHEADER and VDIHEADER1 of VirtualBox, up to the UUIDs. */
class VdiHeader extends LittleEndianView {
  static readonly SIZE = 0x1c8;

  constructor(bytes: Uint8Array) {
    super(bytes, 0, VdiHeader.SIZE);
  }

  get signature(): number {
    return this.u32(0x40);
  }
  get version(): number {
    return this.u32(0x44);
  }
  get type(): number {
    return this.u32(0x4c);
  }
  /** Bytes, of the map. */
  get offBlocks(): number {
    return this.u32(0x154);
  }
  /** Bytes, of the first block. */
  get offData(): number {
    return this.u32(0x158);
  }
  get diskSize(): number {
    return this.u64(0x170);
  }
  get blockSize(): number {
    return this.u32(0x178);
  }
  /** Bytes in front of each block. */
  get blockExtra(): number {
    return this.u32(0x17c);
  }
  get blocks(): number {
    return this.u32(0x180);
  }
  get uuidCreate(): string {
    return guidText(this.bytes(0x188, 16));
  }
  get uuidModify(): string {
    return guidText(this.bytes(0x198, 16));
  }
  /** `uuidCreate` of the parent. */
  get uuidLinkage(): string {
    return guidText(this.bytes(0x1a8, 16));
  }
  /** `uuidModify` that the parent had. */
  get uuidParentModify(): string {
    return guidText(this.bytes(0x1b8, 16));
  }
}

/** VirtualBox disk images of version 1: dynamic, fixed and differencing ones. */
export const format: DiskFormat = {
  name: "vdi",
  async open(source, ctx) {
    const header = await readHeader(source);
    // VBoxManage convertfromraw keeps odd sizes.
    const size = Math.ceil(header.diskSize / SECTOR) * SECTOR;
    const map = await readMap(source, header, size, ctx);
    const parent = header.type === TYPE.DIFF ? await findParent(source, header, ctx) : undefined;
    const content = new VdiBlocks(source, header, map, size, parent && resized(parent, 0, size));
    const stored = map.reduce((count, entry) => count + (entry < BLOCK.ZERO ? 1 : 0), 0);
    return asDisk(content, {
      format: "vdi",
      variant: VARIANTS[header.type],
      sectorSize: SECTOR,
      storedBytes: Math.min(size, stored * header.blockSize),
      identities: [header.uuidCreate, header.uuidModify],
    });
  },
};

async function readHeader(source: ByteSource): Promise<VdiHeader> {
  if (source.size < VdiHeader.SIZE) throw notVdi(source.name);
  // A copy: the header outlives the block that it was read with.
  const header = new VdiHeader(new Uint8Array(await source.read(0, VdiHeader.SIZE)));
  if (header.signature !== SIGNATURE) throw notVdi(source.name);
  if (header.version >>> 16 !== 1) throw versionUnknown(source.name, header.version);
  if (VARIANTS[header.type] === undefined) throw typeUnknown(source.name, header.type);
  const { blockSize, diskSize, blocks } = header;
  if (blockSize < SECTOR || !Number.isInteger(Math.log2(blockSize))) {
    throw geometryDamaged(source.name, `blocks of ${blockSize} bytes`);
  }
  if (diskSize === 0) throw diskEmpty(source.name);
  if (blocks < Math.ceil(diskSize / blockSize)) {
    throw geometryDamaged(source.name, `${blocks} blocks of ${blockSize} bytes for a disk of ${diskSize} bytes`);
  }
  return header;
}

/** Fixed images have a map too, whose order need not be that of the disk. */
async function readMap(source: ByteSource, header: VdiHeader, size: number, ctx: FormatContext): Promise<Uint32Array> {
  const { offBlocks, offData, blockSize, blockExtra } = header;
  const count = Math.ceil(size / blockSize);
  if (offBlocks + count * 4 > source.size) throw mapOutOfRange(source.name, offBlocks, count, source.size);
  ctx.keepTable(source.name, count * 4);
  const bytes = await source.read(offBlocks, count * 4);
  const view = new DataView(bytes.buffer, bytes.byteOffset, count * 4);
  const map = new Uint32Array(count);
  const stride = blockSize + blockExtra;
  for (let block = 0; block < count; block++) {
    const index = view.getUint32(block * 4, true);
    map[block] = index;
    if (index >= BLOCK.ZERO) continue;
    // What an odd size lacks to a sector need not be in the file.
    const end = offData + index * stride + blockExtra + Math.min(blockSize, header.diskSize - block * blockSize);
    if (end > source.size) throw blockOutOfRange(source.name, block, index, end, source.size);
  }
  const repeated = firstRepeated(map);
  if (repeated !== undefined) throw blockRepeated(source.name, map.lastIndexOf(repeated), repeated);
  return map;
}

function firstRepeated(map: Uint32Array): number | undefined {
  const sorted = map.filter((index) => index < BLOCK.ZERO).sort();
  return sorted.find((index, at) => index === sorted[at + 1]);
}

/** VirtualBox keeps snapshots under their UUIDs; only its registry knows under what name the first image of a chain lies. */
async function findParent(source: ByteSource, header: VdiHeader, ctx: FormatContext): Promise<VirtualDisk> {
  const { uuidLinkage, uuidParentModify } = header;
  const names = [`{${uuidLinkage}}.vdi`, `Snapshots/{${uuidLinkage}}.vdi`];
  const parent = await openParent(source.name, names, "vdi", ctx);
  if (parent === undefined) throw parentMissing(source.name, uuidLinkage, names.slice(0, 1));
  const expected = uuidParentModify === NO_GUID ? [uuidLinkage] : [uuidLinkage, uuidParentModify];
  if (expected.some((uuid, index) => parent.identities?.[index] !== uuid)) {
    throw parentChanged(source.name, parent.name, expected.join(" modified as "));
  }
  return parent;
}

class VdiBlocks extends BlockSource {
  readonly name: string;
  readonly size: number;
  readonly #source: ByteSource;
  readonly #map: Uint32Array;
  readonly #parent: ByteSource | undefined;
  readonly #blockSize: number;
  readonly #stride: number;
  /** Of the content of block 0. */
  readonly #first: number;

  constructor(source: ByteSource, header: VdiHeader, map: Uint32Array, size: number, parent: ByteSource | undefined) {
    super();
    this.name = source.name;
    this.size = size;
    const missing = size - header.diskSize;
    this.#source = missing === 0 ? source : resized(source, 0, source.size + missing);
    this.#map = map;
    this.#parent = parent;
    this.#blockSize = header.blockSize;
    this.#stride = header.blockSize + header.blockExtra;
    this.#first = header.offData + header.blockExtra;
  }

  protected override blockAt(offset: number): Run {
    const block = Math.floor(offset / this.#blockSize);
    const skip = offset - block * this.#blockSize;
    const length = this.#blockSize - skip;
    const index = this.#map[block] ?? BLOCK.ZERO;
    if (index === BLOCK.ZERO || (index === BLOCK.FREE && this.#parent === undefined)) return { kind: "zero", length };
    if (this.#parent !== undefined && index === BLOCK.FREE) {
      return { kind: "plain", length, source: this.#parent, at: offset };
    }
    return { kind: "plain", length, source: this.#source, at: this.#first + index * this.#stride + skip };
  }
}
