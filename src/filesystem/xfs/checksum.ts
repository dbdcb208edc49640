import { crc32c } from "../../bytes/crc32c.ts";

const NO_CHECKSUM = new Uint8Array(4);

/** Whether the little-endian CRC-32C at `at` is that of `bytes`, itself taken as zeros (xfs_verify_cksum). */
export function checksumFits(bytes: Uint8Array, at: number): boolean {
  const before = crc32c(0xffffffff, bytes.subarray(0, at));
  const crc = ~crc32c(crc32c(before, NO_CHECKSUM), bytes.subarray(at + 4)) >>> 0;
  return crc === new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);
}
