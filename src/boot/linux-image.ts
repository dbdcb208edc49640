import { LittleEndianView } from "../bytes/view.ts";
import { kernelFormat } from "./errors.ts";

const SECTOR = 512;
const MAGIC = 0x53726448;
/** 2.10 (Linux 2.6.31) tells where the kernel wants to lie and how much room it needs there. */
const LEAST_PROTOCOL = 0x020a;
const XLF_KERNEL_64 = 1;

/** The setup header of a bzImage (Linux Documentation/arch/x86/boot.rst, "Details of Header Fields"). */
class SetupHeader extends LittleEndianView {
  static readonly SIZE = 0x26c;

  constructor(bytes: Uint8Array) {
    super(bytes, 0, SetupHeader.SIZE);
  }

  /** 0 stands for 4, from the times before there was a field. */
  get setupSectors(): number {
    return this.u8(0x1f1) || 4;
  }
  set videoMode(value: number) {
    this.setU16(0x1fa, value);
  }
  get bootFlag(): number {
    return this.u16(0x1fe);
  }
  get header(): number {
    return this.u32(0x202);
  }
  get version(): number {
    return this.u16(0x206);
  }
  get kernelVersion(): number {
    return this.u16(0x20e);
  }
  set typeOfLoader(value: number) {
    this.setU8(0x210, value);
  }
  get loadFlags(): number {
    return this.u8(0x211);
  }
  set loadFlags(value: number) {
    this.setU8(0x211, value);
  }
  set ramdiskImage(value: number) {
    this.setU32(0x218, value);
  }
  set ramdiskSize(value: number) {
    this.setU32(0x21c, value);
  }
  set heapEnd(value: number) {
    this.setU16(0x224, value);
  }
  set commandLine(value: number) {
    this.setU32(0x228, value);
  }
  get initrdAddressMax(): number {
    return this.u32(0x22c);
  }
  get extendedLoadFlags(): number {
    return this.u16(0x236);
  }
  get commandLineSize(): number {
    return this.u32(0x238);
  }
  get preferredAddress(): number {
    return this.u64(0x258);
  }
  get initSize(): number {
    return this.u32(0x260);
  }
}

/** A kernel for x86-64 as boot loaders take it. */
export interface LinuxImage {
  /** For messages. */
  readonly name: string;
  readonly bytes: Uint8Array;
  /** The release, as `uname -r` would print it: the modules' directory has this name. */
  readonly release: string;
  /** Bytes of the real-mode part at the start. */
  readonly setupBytes: number;
  /** Bytes that the command line may have. */
  readonly commandLineMax: number;
  /** Where memory behind the running kernel begins, and the last address that an initrd may reach. */
  readonly endAddress: number;
  readonly initrdAddressMax: number;
}

/** Throws UnsupportedError BOOT_KERNEL_FORMAT. */
export function parseLinuxImage(bytes: Uint8Array, name: string): LinuxImage {
  if (bytes.length < SetupHeader.SIZE) throw kernelFormat(name, `it has ${bytes.length} bytes`);
  const header = new SetupHeader(bytes);
  if (header.bootFlag !== 0xaa55 || header.header !== MAGIC) throw kernelFormat(name, describe(bytes));
  const protocol = `its boot protocol is ${header.version >> 8}.${header.version & 0xff}`;
  if (header.version < LEAST_PROTOCOL) throw kernelFormat(name, protocol);
  const is64 = header.version < 0x020c || (header.extendedLoadFlags & XLF_KERNEL_64) !== 0;
  if (!is64) throw kernelFormat(name, "it is for 32 bits");
  const setupBytes = (header.setupSectors + 1) * SECTOR;
  if (setupBytes > bytes.length) throw kernelFormat(name, `it ends inside its setup of ${setupBytes} bytes`);
  const banner = bytes.subarray(Math.min(bytes.length, 0x200 + header.kernelVersion), setupBytes);
  const text = Buffer.from(banner.subarray(0, Math.max(0, banner.indexOf(0)))).toString("latin1");
  return {
    name,
    bytes,
    release: header.kernelVersion === 0 ? "" : (text.split(" ")[0] ?? ""),
    setupBytes,
    commandLineMax: header.commandLineSize,
    endAddress: Math.max(header.preferredAddress, 0x100000) + header.initSize,
    initrdAddressMax: header.initrdAddressMax,
  };
}

const OTHERS: readonly (readonly [hex: string, name: string])[] = [
  ["7f454c46", "an ELF file, as vmlinux is before it is compressed"],
  ["1f8b", "a gzip file"],
  ["fd377a58", "an xz file"],
  ["28b52ffd", "a zstd file"],
  ["4d5a", "a program for UEFI that is no bzImage"],
];

function describe(bytes: Uint8Array): string {
  const head = Buffer.from(bytes.subarray(0, 4)).toString("hex");
  return `it is ${OTHERS.find(([hex]) => head.startsWith(hex))?.[1] ?? "something else"}`;
}

/** Whether the kernel's EFI stub asks its loader for the initrd (5.8); an older one looks for `initrd=` in its command line. */
export function asksForInitrd({ release }: LinuxImage): boolean {
  const [major = 0, minor = 0] = release.split(/[.-]/).map(Number);
  return !(major < 5 || (major === 5 && minor < 8));
}

/** What the BIOS loader prepares in memory for the kernel. Addresses are physical. */
export interface BiosHandOver {
  readonly commandLineAddress: number;
  readonly initrdAddress: number;
  readonly initrdSize: number;
  /** Where, from the start of the setup, its stack and heap end. */
  readonly heapEnd: number;
}

/** The kernel's real-mode part with what a loader has to fill in. */
export function setupFor(image: LinuxImage, given: BiosHandOver): Uint8Array {
  const setup = image.bytes.slice(0, image.setupBytes);
  const header = new SetupHeader(setup);
  const CAN_USE_HEAP = 0x80;
  const NORMAL_VIDEO = 0xffff;
  const UNKNOWN_LOADER = 0xff;
  header.videoMode = NORMAL_VIDEO;
  header.typeOfLoader = UNKNOWN_LOADER;
  header.loadFlags |= CAN_USE_HEAP;
  header.heapEnd = given.heapEnd - 0x200;
  header.commandLine = given.commandLineAddress;
  if (given.initrdSize > 0) {
    header.ramdiskImage = given.initrdAddress;
    header.ramdiskSize = given.initrdSize;
  }
  return setup;
}
