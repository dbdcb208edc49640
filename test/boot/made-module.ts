/** An ELF file with a section .modinfo, as kernel modules have one; there is no code in it. */
export function madeModule(depends: readonly string[], release = "6.1.0"): Buffer {
  const info = Buffer.from(
    `license=GPL\0depends=${depends.join(",")}\0vermagic=${release} SMP mod_unload \0`,
    "latin1",
  );
  const names = Buffer.from("\0.modinfo\0.shstrtab\0", "latin1");
  const sections = 64 + info.length + names.length;
  const bytes = Buffer.alloc(sections + 3 * 64);
  bytes.write("\x7fELF\x02\x01\x01", 0, "latin1");
  bytes.writeBigUInt64LE(BigInt(sections), 0x28);
  bytes.writeUInt16LE(64, 0x3a);
  bytes.writeUInt16LE(3, 0x3c);
  bytes.writeUInt16LE(2, 0x3e);
  info.copy(bytes, 64);
  names.copy(bytes, 64 + info.length);
  const section = (index: number, name: number, offset: number, size: number): void => {
    bytes.writeUInt32LE(name, sections + index * 64);
    bytes.writeBigUInt64LE(BigInt(offset), sections + index * 64 + 0x18);
    bytes.writeBigUInt64LE(BigInt(size), sections + index * 64 + 0x20);
  };
  section(1, 1, 64, info.length);
  section(2, 10, 64 + info.length, names.length);
  return bytes;
}
