const DISK_HEADER = 4;
const DISK_ENTRY = 12;
const KERNEL_VERSION = 2;
const KERNEL_HEADER = 4;
const KERNEL_ENTRY = 8;
const TAG_USER = 0x02;
const TAG_GROUP = 0x08;
const NO_ID = 0xffffffff;

/**
 * An access control list as the disk holds it (struct xfs_acl, big endian, entries of 12 bytes) in the form of the system
 * calls and of tar (version 2, entries of 8 bytes); undefined if it is damaged.
 */
export function kernelAcl(disk: Uint8Array): Uint8Array | undefined {
  const from = Buffer.from(disk.buffer, disk.byteOffset, disk.length);
  const count = from.length < DISK_HEADER ? 0 : from.readUInt32BE(0);
  if (from.length < DISK_HEADER || DISK_HEADER + count * DISK_ENTRY > from.length) return undefined;
  const to = Buffer.alloc(KERNEL_HEADER + count * KERNEL_ENTRY);
  to.writeUInt32LE(KERNEL_VERSION, 0);
  for (let index = 0; index < count; index++) {
    const source = DISK_HEADER + index * DISK_ENTRY;
    const target = KERNEL_HEADER + index * KERNEL_ENTRY;
    const tag = from.readUInt32BE(source);
    if (tag > 0xffff) return undefined;
    to.writeUInt16LE(tag, target);
    to.writeUInt16LE(from.readUInt16BE(source + 8), target + 2);
    to.writeUInt32LE(tag === TAG_USER || tag === TAG_GROUP ? from.readUInt32BE(source + 4) : NO_ID, target + 4);
  }
  return to;
}
