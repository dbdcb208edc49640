import { crc32c } from "../../src/bytes/crc32c.ts";

const BLOCK = 512;

/** Byte offset of a block, by the superblock. */
function blockOffset(superBlock: Buffer, block: number): number {
  const groupSize = 2 ** superBlock.readUInt8(0x7c);
  const index = Math.floor(block / groupSize) * superBlock.readUInt32BE(0x54) + (block % groupSize);
  return index * superBlock.readUInt32BE(4);
}

/** Byte offset of an inode, by the superblock. */
export function inodeOffset(superBlock: Buffer, number: number): number {
  const inodesPerBlock = 2 ** superBlock.readUInt8(0x7b);
  const inBlock = (number % inodesPerBlock) * superBlock.readUInt16BE(0x68);
  return blockOffset(superBlock, Math.floor(number / inodesPerBlock)) + inBlock;
}

/** First byte of the log, and the first behind it. `bytes` begin with the superblock. */
export function logRange(bytes: Buffer): readonly [number, number] {
  const blockSize = bytes.readUInt32BE(4);
  const start = blockOffset(bytes, Number(bytes.readBigUInt64BE(0x30)));
  return [start, start + bytes.readUInt32BE(0x60) * blockSize];
}

/** Offsets of the records' headers. */
export function records(bytes: Buffer, [start, end] = logRange(bytes)): number[] {
  const found: number[] = [];
  for (let at = start; at < end; at += BLOCK) {
    if (bytes.readUInt32BE(at) === 0xfeedbabe && bytes.readUInt32BE(at + 0x28) > 0) found.push(at);
  }
  return found;
}

/** Offsets of all blocks of a record. */
export function recordBlocks(bytes: Buffer, record: number): number[] {
  const blocks = 1 + Math.ceil(bytes.readUInt32BE(record + 0x0c) / BLOCK);
  return Array.from({ length: blocks }, (_, index) => record + index * BLOCK);
}

/** Gives the record in which something was changed, at `at`, its new checksum. */
export function mendRecord(bytes: Buffer, at: number, [start] = logRange(bytes)): void {
  let record = at - (at % BLOCK);
  while (record > start && bytes.readUInt32BE(record) !== 0xfeedbabe) record -= BLOCK;
  const length = Math.min(bytes.readUInt32BE(record + 0x0c), 256 << 10);
  let crc = crc32c(0xffffffff, bytes.subarray(record, record + 0x20));
  crc = crc32c(crc, new Uint8Array(4));
  crc = crc32c(crc, bytes.subarray(record + 0x24, record + 0x148));
  crc = crc32c(crc, bytes.subarray(record + BLOCK, record + BLOCK + length));
  bytes.writeUInt32LE(~crc >>> 0, record + 0x20);
}
