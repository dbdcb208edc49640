import { createHash } from "node:crypto";
import { bytePath } from "../../../bytes/byte-path.ts";
import type { Content } from "../../../bytes/content.ts";
import { crc32c } from "../../../bytes/crc32c.ts";
import type { Timestamp } from "../../../bytes/entry.ts";
import type { FileTree } from "../../../bytes/file-tree.ts";
import type { Context } from "../../../context.ts";
import { labelTooLong, sizeTooLarge, sizeTooSmall, uuidInvalid } from "../errors.ts";
import { BLOCK, type Geometry, GROUP_BLOCKS, geometryOf, journalSizes, MOST_BLOCKS, overhead } from "./geometry.ts";
import { inodeCount } from "./group-table.ts";
import { Image } from "./image.ts";
import { type Contents, type Layout, layOut, planContents } from "./layout.ts";
import { collect, FIRST_INODE, type Nodes } from "./node.ts";
import { Sections } from "./sections.ts";
import type { Identity } from "./super-block.ts";
import { placeXattrs, type XattrValue } from "./xattr-places.ts";

export interface Ext4Options {
  /** As `UUID=` in fstab spells it; the hashes of names depend on it too. */
  readonly uuid: string;
  /** At most 16 bytes of UTF-8. */
  readonly label: string;
  /** Bytes of the volume; if absent, what the files and `freeBytes` need. */
  readonly size?: number;
  /** Bytes to be free where no size is given; if absent, a quarter of what the files take, and 256 MiB at least. */
  readonly freeBytes?: number;
  /** Of all blocks, for root only; if absent, 1. */
  readonly reservedPercent?: number;
  /** Bytes: files of this size or more begin at multiples of 64 KiB, the grains of disk images; if absent, none do. */
  readonly alignFrom?: number;
}

/** A file system that is laid out to the last block and can be written. */
export interface Ext4Plan {
  /** Bytes, whole MiB where no size was given. */
  readonly size: number;
  readonly content: Content;
  /** Inodes in use, and bytes left, reserved ones included. */
  readonly inodes: number;
  readonly freeBytes: number;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const MOST_LABEL = 16;
const LEAST_FREE: number = (256 << 20) / BLOCK;
const ROUND: number = (1 << 20) / BLOCK;

/**
 * Lays out an ext4 file system with the files of a tree: 4 KiB blocks, a journal, checksums, hash trees, and descriptors in
 * reserve so that it can grow 1024-fold, mounted or not. The same tree and options give the same bytes; times are those of
 * the tree, not after `ctx.epoch`. Its content is written strictly ascending, files in the order of the tree.
 *
 * Throws UsageError EXT_UUID and EXT_LABEL, OutputError EXT_SIZE and EXT_SIZE_TOO_SMALL, UnsupportedError EXT_NOT_EXPRESSIBLE;
 * reading the content throws CorruptError EXT_CONTENT_DIFFERS. Warnings: EXT_TIME, EXT_XATTR_LEFT_OUT.
 */
export function planExt4(tree: FileTree, options: Ext4Options, ctx: Context): Ext4Plan {
  const uuid = uuidBytes(options.uuid);
  const seed = crc32c(0xffffffff, uuid);
  const label = bytePath(options.label);
  if (label.length > MOST_LABEL) throw labelTooLong(options.label, label.length);
  const hashSeed = createHash("sha256").update("directories of ").update(uuid).digest().subarray(0, 16);
  const time = timeOf(tree, ctx);
  const nodes = collect(tree, time, ctx);
  const values = placeAll(nodes, ctx);
  const hashWords = Int32Array.from({ length: 4 }, (_, index) => hashSeed.readInt32LE(index * 4));
  const contents: Contents = {
    ...planContents(tree, nodes, values, hashWords),
    inodes: inodeCount(nodes.numbered.length, values.length),
  };
  const layout = fitted(contents, options);
  const { blocks } = layout.geometry;
  const identity: Identity = {
    uuid,
    label,
    hashSeed,
    time: Math.min(Math.max(time.seconds, 0), 0xffff_ffff),
    reservedBlocks: Math.floor((blocks * (options.reservedPercent ?? 1)) / 100),
    hasXattrValues: values.length > 0,
  };
  const sections = new Sections(contents, layout, identity, seed, time);
  const size = options.size ?? blocks * BLOCK;
  const content = new Image(options.label === "" ? "ext4" : options.label, size, contents, sections, ctx);
  return { size, content, inodes: contents.inodes, freeBytes: sections.freeBlocks * BLOCK };
}

function uuidBytes(uuid: string): Buffer {
  if (!UUID.test(uuid)) throw uuidInvalid(uuid);
  return Buffer.from(uuid.replaceAll("-", ""), "hex");
}

/** Of what no entry tells the time: the epoch, or that of the root. */
function timeOf(tree: FileTree, { epoch }: Context): Timestamp {
  if (epoch !== undefined) return { seconds: epoch, nanoseconds: 0 };
  for (const entry of tree.walk()) if (entry.path === "") return entry.mtime;
  return { seconds: 0, nanoseconds: 0 };
}

function placeAll({ root, numbered }: Nodes, ctx: Context): XattrValue[] {
  const values: XattrValue[] = [];
  for (const node of [root, ...numbered]) {
    if (node.entry.xattrs.size === 0) continue;
    node.xattrs = placeXattrs(node.entry, FIRST_INODE + numbered.length + values.length, ctx);
    values.push(...node.xattrs.values);
  }
  return values;
}

function fitted(contents: Contents, options: Ext4Options): Layout {
  const { size, freeBytes } = options;
  if (size === undefined) {
    const free = freeBytes === undefined ? Math.max(contents.blocks / 4, LEAST_FREE) : freeBytes / BLOCK;
    return smallest(contents, 0, Math.ceil(free), usualJournal, options);
  }
  const blocks = Math.floor(size / BLOCK);
  if (blocks > MOST_BLOCKS) throw sizeTooLarge(size, MOST_BLOCKS * BLOCK);
  const layout = blocks === 0 ? 0 : tried(contents, geometryOf(blocks, contents.inodes), 0, journalSizes, options);
  if (typeof layout !== "number") return layout;
  const needed = smallest(contents, blocks, 0, journalSizes, options);
  throw sizeTooSmall(size, needed.geometry.blocks * BLOCK);
}

/** A file system whose size is ours to choose has as large a journal as mke2fs would give it: the kernel cannot grow it with less. */
function usualJournal(blocks: number): readonly number[] {
  return journalSizes(blocks).slice(0, 1);
}

/** The smallest file system of whole MiB, with more than `from` blocks, that has so many blocks free. */
function smallest(
  contents: Contents,
  from: number,
  free: number,
  journals: typeof journalSizes,
  options: Ext4Options,
): Layout {
  for (let blocks = roundUp(Math.max(from + 1, contents.blocks + free)); ; ) {
    if (blocks > MOST_BLOCKS) throw sizeTooLarge(blocks * BLOCK, MOST_BLOCKS * BLOCK);
    const layout = tried(contents, geometryOf(blocks, contents.inodes), free, journals, options);
    if (typeof layout !== "number") return layout;
    blocks = roundUp(blocks + Math.max(layout, 1));
  }
}

function roundUp(blocks: number): number {
  return Math.ceil(blocks / ROUND) * ROUND;
}

/** A layout with the first journal that fits, otherwise about how many blocks are missing. */
function tried(
  contents: Contents,
  geometry: Geometry,
  free: number,
  journals: typeof journalSizes,
  options: Ext4Options,
): Layout | number {
  const { blocks, groups, inodesPerGroup } = geometry;
  if (contents.inodes > groups * inodesPerGroup) return GROUP_BLOCKS;
  const room = blocks - overhead(geometry) - contents.blocks - free;
  const alignFrom = options.alignFrom ?? Number.POSITIVE_INFINITY;
  let missing = 0;
  for (const journalBlocks of journals(blocks)) {
    missing = journalBlocks - room;
    if (missing > 0) continue;
    const layout = layOut(contents, geometry, { journalBlocks, alignFrom });
    missing = layout.end + free - blocks;
    if (missing <= 0) return layout;
  }
  return missing;
}
