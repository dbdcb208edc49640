import { createHash } from "node:crypto";
import { crc32c } from "../../bytes/crc32c.ts";
import { xxhash64 } from "./xxhash64.ts";

const FIELD = 32;

type Sum = (bytes: Uint8Array) => Uint8Array;

/** By the superblock's csum_type. BLAKE2b with 32 bytes is not in Node's crypto: what carries it is taken as it is. */
export const CHECKSUMS: readonly (Sum | "unverified")[] = [
  (bytes) => {
    const sum = Buffer.alloc(4);
    sum.writeUInt32LE(~crc32c(0xffffffff, bytes) >>> 0);
    return sum;
  },
  xxhash64,
  (bytes) => createHash("sha256").update(bytes).digest(),
  "unverified",
];

/** Whether the checksum at the start of a superblock or a node is that of the rest. */
export function checksumFits(type: number, block: Uint8Array): boolean {
  const sum = CHECKSUMS[type];
  if (sum === undefined) return false;
  if (sum === "unverified") return true;
  const found = sum(block.subarray(FIELD));
  return found.every((byte, index) => byte === block[index]);
}
