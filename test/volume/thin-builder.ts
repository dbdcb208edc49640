import { crc32c } from "../../src/bytes/crc32c.ts";

const BLOCK = 4096;

/** Makes the checksum of a block of thin metadata right again. */
export function sealThinBlock(metadata: Buffer, block: number): Buffer {
  const bytes = metadata.subarray(block * BLOCK, (block + 1) * BLOCK);
  bytes.writeUInt32LE((crc32c(0xffffffff, bytes.subarray(4)) ^ (block === 0 ? 160774 : 121107)) >>> 0, 0);
  return metadata;
}

export type Mapping = readonly (readonly [block: number, dataBlock: number])[];

/** The metadata of a pool as the kernel keeps it: devices with the blocks that they map, `perNode` entries in each node. */
export function thinMetadata(
  devices: Readonly<Record<number, Mapping>>,
  { blocks = 64, perNode = 4, dataBlockSize = 128 } = {},
): Buffer {
  const metadata = Buffer.alloc(blocks * BLOCK);
  let next = 1;
  const node = (flags: number, entries: readonly (readonly [number, bigint])[]): number => {
    const block = next++;
    const bytes = metadata.subarray(block * BLOCK, (block + 1) * BLOCK);
    bytes.writeUInt32LE(flags, 4);
    bytes.writeBigUInt64LE(BigInt(block), 8);
    bytes.writeUInt32LE(entries.length, 16);
    bytes.writeUInt32LE(252, 20);
    bytes.writeUInt32LE(8, 24);
    for (const [index, [key, value]] of entries.entries()) {
      bytes.writeBigUInt64LE(BigInt(key), 32 + index * 8);
      bytes.writeBigUInt64LE(value, 32 + (252 + index) * 8);
    }
    sealThinBlock(metadata, block);
    return block;
  };
  const tree = (entries: readonly (readonly [number, bigint])[]): number => {
    let level = split(entries, perNode).map((part) => [part[0]?.[0] ?? 0, BigInt(node(2, part))] as const);
    while (level.length > 1) {
      level = split(level, perNode).map((part) => [part[0]?.[0] ?? 0, BigInt(node(1, part))] as const);
    }
    return Number(level[0]?.[1]);
  };
  const roots = Object.entries(devices).map(([device, mapping]) => {
    const time = 5n;
    return [Number(device), BigInt(tree(mapping.map(([key, data]) => [key, (BigInt(data) << 24n) | time])))] as const;
  });
  const root = tree(roots);
  metadata.writeBigUInt64LE(27022010n, 32);
  metadata.writeUInt32LE(2, 40);
  metadata.writeBigUInt64LE(BigInt(root), 320);
  metadata.writeUInt32LE(dataBlockSize, 336);
  metadata.writeUInt32LE(8, 340);
  metadata.writeBigUInt64LE(BigInt(blocks), 344);
  return sealThinBlock(metadata, 0);
}

function split<T>(list: readonly T[], size: number): T[][] {
  const parts: T[][] = [];
  for (let at = 0; at < list.length || at === 0; at += size) parts.push(list.slice(at, at + size));
  return parts;
}
