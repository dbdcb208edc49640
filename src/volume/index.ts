import type { ByteSource } from "../bytes/byte-source.ts";
import { Catalog } from "../catalog.ts";
import type { Context } from "../context.ts";
import { schemeUnsupported } from "./errors.ts";
import { GptHeader } from "./gpt-header.ts";
import { findLabel } from "./lvm2/label.ts";
import { firstRecord } from "./mbr-record.ts";
import { isMember } from "./md/find-member.ts";
import { sectorSizeOf } from "./partition.ts";
import type { VolumeFormat, VolumeSystem } from "./volume-system.ts";

/** The loader of a scheme that is recognised only to be refused by its name. */
function unread(name: string, title: string): () => Promise<VolumeFormat> {
  return async () => ({
    name,
    async open([source]) {
      throw schemeUnsupported(source?.name ?? title, title);
    },
  });
}

/** Partition tables: each divides one disk. In the order in which they are tried. */
export const volumeFormats: Catalog<VolumeFormat> = new Catalog<VolumeFormat>([
  {
    name: "gpt",
    magic: [],
    detect: isGpt,
    suffixes: [],
    load: async () => (await import("./gpt.ts")).format,
  },
  {
    name: "mbr",
    magic: [],
    detect: (head, source) => firstRecord(head)?.isTable(Math.floor(source.size / sectorSizeOf(source))) ?? false,
    suffixes: [],
    load: async () => (await import("./mbr.ts")).format,
  },
  {
    name: "apple-partition-map",
    magic: [],
    detect: isAppleMap,
    suffixes: [],
    load: unread("apple-partition-map", "an Apple partition map"),
  },
  {
    name: "bsd-disklabel",
    magic: [{ offset: 512, bytes: Uint8Array.of(0x57, 0x45, 0x56, 0x82) }],
    suffixes: [],
    load: unread("bsd-disklabel", "a BSD disk label"),
  },
]);

/**
 * What joins several disks and partitions to volumes. In the order in which groups are opened: Linux starts its arrays
 * first, and most arrays that meet volume groups lie below them.
 */
export const groupFormats: Catalog<VolumeFormat> = new Catalog<VolumeFormat>([
  {
    name: "md",
    magic: [],
    detect: (_head, source) => isMember(source),
    suffixes: [],
    load: async () => (await import("./md/format.ts")).format,
  },
  {
    name: "lvm2",
    magic: [],
    detect: (head) => findLabel(head) !== undefined,
    suffixes: [],
    load: async () => (await import("./lvm2/format.ts")).format,
  },
]);

/**
 * The partition table of a disk; undefined where it has none and is to be taken for one volume. Throws CorruptError for a
 * table that is damaged beyond use, and UnsupportedError for one of a kind that is not read. The volumes borrow `disk`.
 */
export async function openVolumes(
  disk: ByteSource & { readonly sectorSize?: number },
  ctx: Context,
): Promise<VolumeSystem | undefined> {
  const entry = await volumeFormats.probe(disk);
  if (entry === undefined) return undefined;
  const [system] = await (await entry.load()).open([disk], ctx);
  return system;
}

/**
 * As for Linux, the MBR decides: one that says so means a GPT, though that may be damaged, and one with other partitions
 * means that a GPT is a leftover. Without any MBR a header in its place is enough.
 */
function isGpt(head: Uint8Array): boolean {
  const record = firstRecord(head);
  if (record === undefined || record.protective) return record !== undefined;
  const signature = Buffer.from(GptHeader.SIGNATURE, "latin1");
  return !record.signed && [512, 4096].some((at) => signature.equals(head.subarray(at, at + signature.length)));
}

const APPLE_DRIVER = 0x4552;
const APPLE_PARTITION = 0x504d;

/** A driver descriptor block, and behind it the first entry of the map. */
function isAppleMap(head: Uint8Array): boolean {
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  if (head.length < 1024 || view.getUint16(0) !== APPLE_DRIVER) return false;
  const block = view.getUint16(2);
  return [512, block].some((at) => at >= 512 && at + 2 <= head.length && view.getUint16(at) === APPLE_PARTITION);
}
