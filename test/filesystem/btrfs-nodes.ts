import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import type { ByteSource } from "../../src/bytes/byte-source.ts";
import { crc32c } from "../../src/bytes/crc32c.ts";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import { overlay } from "../../src/bytes/overlay.ts";
import { fixture } from "../support/needs.ts";

export const NODE = 4096;
export const SUPER_BLOCK = 0x10000;

/** The small fixture. */
export function smallImage(): Buffer {
  return gunzipSync(readFileSync(fixture("btrfs", "small", "input.img.gz")));
}

/** A sum that fits, so that a change is looked at. */
export function stamp(block: Buffer): void {
  block.writeUInt32LE(~crc32c(0xffffffff, block.subarray(32)) >>> 0, 0);
}

/** Trees that a reader follows: roots, chunks, subvolumes and logs, by the low half of their number. */
function isRead(owner: number): boolean {
  return owner === 1 || owner === 3 || owner === 5 || (owner >= 256 && owner < 0xfffffff0) || owner === 0xfffffffa;
}

/** The superblock, and all copies of each tree node that is read: by its tree and first key, only the newest. */
export function metadata(image: Buffer): number[][] {
  const fsid = image.subarray(SUPER_BLOCK + 32, SUPER_BLOCK + 48);
  const newest = new Map<string, { readonly generation: number; readonly offsets: number[] }>();
  for (let at = image.indexOf(fsid); at >= 0; at = image.indexOf(fsid, at + 1)) {
    const offset = at - 32;
    if (offset % NODE !== 0 || offset === SUPER_BLOCK || offset === 64 << 20) continue;
    const node = image.subarray(offset, offset + NODE);
    if (!isRead(node.readUInt32LE(0x58))) continue;
    const generation = node.readUInt32LE(0x50);
    const key = `${node.toString("hex", 0x58, 0x60)} ${node[0x64]} ${node.toString("hex", 0x65, 0x76)}`;
    const known = newest.get(key);
    if (known?.generation === generation) known.offsets.push(offset);
    else if (known === undefined || known.generation < generation) newest.set(key, { generation, offsets: [offset] });
  }
  return [[SUPER_BLOCK], ...[...newest.values()].map(({ offsets }) => offsets)];
}

/** The image with some of its blocks of 4 KiB changed, their sums corrected. */
export function patched(image: Buffer, changes: ReadonlyMap<number, (block: Buffer) => void>): ByteSource {
  const patches = new Map<number, Uint8Array>();
  for (const [at, change] of changes) {
    const block = Buffer.from(image.subarray(at, at + NODE));
    change(block);
    stamp(block);
    patches.set(at / NODE, block);
  }
  return overlay(new MemorySource(image), NODE, patches);
}
