import { crc32c } from "../../src/bytes/crc32c.ts";

const BLOCK = 512;

/** First byte of the log, and the first behind it. */
export function logRange(bytes: Buffer): readonly [number, number] {
  const blockSize = bytes.readUInt32BE(4);
  const start = Number(bytes.readBigUInt64BE(0x30)) * blockSize;
  return [start, start + bytes.readUInt32BE(0x60) * blockSize];
}

/** Offsets of the records' headers. */
export function records(bytes: Buffer): number[] {
  const [start, end] = logRange(bytes);
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
export function mendRecord(bytes: Buffer, at: number): void {
  const [start] = logRange(bytes);
  let record = at - (at % BLOCK);
  while (record > start && bytes.readUInt32BE(record) !== 0xfeedbabe) record -= BLOCK;
  const length = Math.min(bytes.readUInt32BE(record + 0x0c), 256 << 10);
  let crc = crc32c(0xffffffff, bytes.subarray(record, record + 0x20));
  crc = crc32c(crc, new Uint8Array(4));
  crc = crc32c(crc, bytes.subarray(record + 0x24, record + 0x148));
  crc = crc32c(crc, bytes.subarray(record + BLOCK, record + BLOCK + length));
  bytes.writeUInt32LE(~crc >>> 0, record + 0x20);
}
