const DISK_VERSION = 1;
const KERNEL_VERSION = 2;
const TAG_USER = 0x02;
const TAG_GROUP = 0x08;
const NO_ID = 0xffffffff;
const KERNEL_ENTRY = 8;

/**
 * An access control list as the disk holds it (version 1, ids only where they mean something) in the form of the system
 * calls and of tar (version 2, entries of 8 bytes); undefined if it is damaged.
 */
export function kernelAcl(disk: Uint8Array): Uint8Array | undefined {
  const from = Buffer.from(disk.buffer, disk.byteOffset, disk.length);
  if (from.length < 4 || from.readUInt32LE(0) !== DISK_VERSION) return undefined;
  // An entry takes 4 bytes or 8 on disk.
  const to = Buffer.alloc(4 + Math.floor((from.length - 4) / 4) * KERNEL_ENTRY);
  to.writeUInt32LE(KERNEL_VERSION, 0);
  let end = 4;
  for (let at = 4; at < from.length; ) {
    const tag = at + 4 <= from.length ? from.readUInt16LE(at) : 0;
    const hasId = tag === TAG_USER || tag === TAG_GROUP;
    const next = at + (hasId ? 8 : 4);
    if (tag === 0 || next > from.length) return undefined;
    to.writeUInt16LE(tag, end);
    to.writeUInt16LE(from.readUInt16LE(at + 2), end + 2);
    to.writeUInt32LE(hasId ? from.readUInt32LE(at + 4) : NO_ID, end + 4);
    end += KERNEL_ENTRY;
    at = next;
  }
  return to.subarray(0, end);
}

/** The way back; undefined if the list is not one of the system calls. */
export function diskAcl(kernel: Uint8Array): Uint8Array | undefined {
  const from = Buffer.from(kernel.buffer, kernel.byteOffset, kernel.length);
  if (from.length < 4 || (from.length - 4) % KERNEL_ENTRY !== 0 || from.readUInt32LE(0) !== KERNEL_VERSION) {
    return undefined;
  }
  const to = Buffer.alloc(from.length);
  to.writeUInt32LE(DISK_VERSION, 0);
  let end = 4;
  for (let at = 4; at < from.length; at += KERNEL_ENTRY) {
    const tag = from.readUInt16LE(at);
    const size = tag === TAG_USER || tag === TAG_GROUP ? KERNEL_ENTRY : 4;
    from.copy(to, end, at, at + 4);
    if (size === KERNEL_ENTRY) from.copy(to, end + 4, at + 4, at + KERNEL_ENTRY);
    end += size;
  }
  return to.subarray(0, end);
}
