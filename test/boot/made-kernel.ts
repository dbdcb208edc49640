export interface MadeKernel {
  readonly release?: string;
  readonly protocol?: number;
  readonly is64?: boolean;
}

/** Bytes that look like a bzImage to whoever reads its header; there is nothing to run in it. */
export function madeKernel({ release = "6.1.0", protocol = 0x020f, is64 = true }: MadeKernel): Buffer {
  const bytes = Buffer.alloc(10_000);
  bytes[0x1f1] = 4;
  bytes.writeUInt16LE(0xaa55, 0x1fe);
  bytes.write("HdrS", 0x202, "latin1");
  bytes.writeUInt16LE(protocol, 0x206);
  bytes.writeUInt16LE(0x300, 0x20e);
  bytes.writeUInt32LE(0x7fffffff, 0x22c);
  bytes.writeUInt16LE(is64 ? 1 : 0, 0x236);
  bytes.writeUInt32LE(2047, 0x238);
  bytes.writeBigUInt64LE(0x1000000n, 0x258);
  bytes.writeUInt32LE(0x2000000, 0x260);
  bytes.write(`${release} (somebody) #1 SMP\0`, 0x500, "latin1");
  return bytes;
}
