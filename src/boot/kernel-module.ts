import { LittleEndianView } from "../bytes/view.ts";

const ELF_MAGIC = 0x464c457f;
const CLASS_64 = 2;

/** The header of an ELF file for 64 bits (System V ABI, "ELF Header"), little-endian. */
class ElfHeader extends LittleEndianView {
  static readonly SIZE = 0x40;

  constructor(bytes: Uint8Array) {
    super(bytes, 0, ElfHeader.SIZE);
  }
  get is64(): boolean {
    return this.u32(0x00) === ELF_MAGIC && this.u8(0x04) === CLASS_64;
  }
  get sectionOffset(): number {
    return this.u64(0x28);
  }
  get sectionSize(): number {
    return this.u16(0x3a);
  }
  get sections(): number {
    return this.u16(0x3c);
  }
  get namesSection(): number {
    return this.u16(0x3e);
  }
}

class SectionHeader extends LittleEndianView {
  static readonly SIZE = 0x40;

  constructor(bytes: Uint8Array, offset: number) {
    super(bytes, offset, SectionHeader.SIZE);
  }
  get name(): number {
    return this.u32(0x00);
  }
  get offset(): number {
    return this.u64(0x18);
  }
  get size(): number {
    return this.u64(0x20);
  }
}

/** What a module says of itself in its section .modinfo. */
export interface ModuleFacts {
  /** Names of modules that must be loaded before, with underscores. */
  readonly depends: readonly string[];
  /** The release it was built for, the first word of its vermagic. */
  readonly release: string;
}

/** Undefined for what is no kernel module. */
export function moduleFacts(bytes: Uint8Array): ModuleFacts | undefined {
  const section = modinfo(bytes);
  if (section === undefined) return undefined;
  const records = Buffer.from(section).toString("latin1").split("\0");
  const value = (key: string) => records.find((record) => record.startsWith(`${key}=`))?.slice(key.length + 1) ?? "";
  const depends = value("depends")
    .split(",")
    .filter((name) => name !== "");
  return { depends: depends.map((name) => name.replaceAll("-", "_")), release: value("vermagic").split(" ")[0] ?? "" };
}

function modinfo(bytes: Uint8Array): Uint8Array | undefined {
  if (bytes.length < ElfHeader.SIZE) return undefined;
  const header = new ElfHeader(bytes);
  const { sectionOffset, sectionSize, sections, namesSection } = header;
  const end = sectionOffset + sections * sectionSize;
  if (!header.is64 || sectionSize < SectionHeader.SIZE || end > bytes.length || namesSection >= sections)
    return undefined;
  const section = (index: number): Uint8Array => {
    const { offset, size } = new SectionHeader(bytes, sectionOffset + index * sectionSize);
    return bytes.subarray(offset, offset + size);
  };
  const names = Buffer.from(section(namesSection)).toString("latin1");
  for (let index = 0; index < sections; index++) {
    const { name } = new SectionHeader(bytes, sectionOffset + index * sectionSize);
    if (names.startsWith(".modinfo\0", name)) return section(index);
  }
  return undefined;
}
