import { LittleEndianView } from "../bytes/view.ts";
import { UEFI_LOADER } from "./programs.ts";

const PE_OFFSET = 0x40;
const OPTIONAL_OFFSET = PE_OFFSET + 0x18;
const OPTIONAL_SIZE = 0xf0;
const SECTION_OFFSET = OPTIONAL_OFFSET + OPTIONAL_SIZE;
const HEADER_SIZE = 0x200;
const FILE_ALIGNMENT = 0x200;
const SECTION_ALIGNMENT = 0x1000;
/** Where the linker script puts the code, and its entry. */
const CODE_ADDRESS = 0x1000;

/** The headers of a PE32+ image (Microsoft PE format), as far as firmware reads them. */
class PeHeaders extends LittleEndianView {
  constructor(bytes: Uint8Array) {
    super(bytes, 0, HEADER_SIZE);
  }

  write(codeSize: number, storedSize: number): void {
    this.bytes(0x00, 2).set(Buffer.from("MZ", "latin1"));
    this.setU32(0x3c, PE_OFFSET);
    this.bytes(PE_OFFSET, 4).set(Buffer.from("PE\0\0", "latin1"));
    this.#coff();
    this.#optional(codeSize, storedSize);
    this.#section(codeSize, storedSize);
  }

  #coff(): void {
    const MACHINE_X64 = 0x8664;
    const EXECUTABLE_WITHOUT_DEBUG_AND_LINES = 0x0206;
    this.setU16(PE_OFFSET + 0x04, MACHINE_X64);
    this.setU16(PE_OFFSET + 0x06, 1);
    this.setU16(PE_OFFSET + 0x14, OPTIONAL_SIZE);
    this.setU16(PE_OFFSET + 0x16, EXECUTABLE_WITHOUT_DEBUG_AND_LINES);
  }

  #optional(codeSize: number, storedSize: number): void {
    const at = OPTIONAL_OFFSET;
    const PE32_PLUS = 0x20b;
    const EFI_APPLICATION = 10;
    this.setU16(at, PE32_PLUS);
    this.setU32(at + 0x04, storedSize);
    this.setU32(at + 0x10, CODE_ADDRESS);
    this.setU32(at + 0x14, CODE_ADDRESS);
    this.setU32(at + 0x20, SECTION_ALIGNMENT);
    this.setU32(at + 0x24, FILE_ALIGNMENT);
    this.setU32(at + 0x38, CODE_ADDRESS + roundUp(codeSize, SECTION_ALIGNMENT));
    this.setU32(at + 0x3c, HEADER_SIZE);
    this.setU16(at + 0x44, EFI_APPLICATION);
    this.setU32(at + 0x6c, 16);
  }

  #section(codeSize: number, storedSize: number): void {
    const at = SECTION_OFFSET;
    /** Code and data, readable, writable, executable: the loader is one piece. */
    const ALL = 0xe0000060;
    this.bytes(at, 5).set(Buffer.from(".text", "latin1"));
    this.setU32(at + 0x08, codeSize);
    this.setU32(at + 0x0c, CODE_ADDRESS);
    this.setU32(at + 0x10, storedSize);
    this.setU32(at + 0x14, HEADER_SIZE);
    this.setU32(at + 0x24, ALL);
  }
}

function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}

/** EFI/BOOT/BOOTX64.EFI: our loader as a PE image without relocations, which it does not need. */
export function efiLoader(): Uint8Array {
  const storedSize = roundUp(UEFI_LOADER.length, FILE_ALIGNMENT);
  const bytes = new Uint8Array(HEADER_SIZE + storedSize);
  new PeHeaders(bytes).write(UEFI_LOADER.length, storedSize);
  bytes.set(UEFI_LOADER, HEADER_SIZE);
  return bytes;
}
