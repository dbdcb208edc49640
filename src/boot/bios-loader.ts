import { LittleEndianView } from "../bytes/view.ts";
import { kernelMemory } from "./errors.ts";
import { type LinuxImage, setupFor } from "./linux-image.ts";
import { BIOS_LOADER } from "./programs.ts";

const SECTOR = 512;
const SETUP_ADDRESS = 0x10000;
const STACK_END = 0xe000;
const COMMAND_LINE_ADDRESS = 0x1e000;
const KERNEL_ADDRESS = 0x100000;
const INITRD_ALIGNMENT = 2 << 20;
/** The file with the command line, padded with zeros: up to where the loader's buffer begins. */
export const COMMAND_LINE_BYTES = 2048;

/** One row of the loader's table (programs/bios-loader.asm). */
class Load extends LittleEndianView {
  static readonly SIZE = 12;
  static readonly OFFSET = 0x180;

  constructor(bytes: Uint8Array, index: number) {
    super(bytes, Load.OFFSET + index * Load.SIZE, Load.SIZE);
  }
  set lba(value: number) {
    this.setU32(0x00, value);
  }
  set sectors(value: number) {
    this.setU32(0x04, value);
  }
  set address(value: number) {
    this.setU32(0x08, value);
  }
}

/** The kernel's real-mode part as it has to lie on the disk, and where the initrd will lie in memory. */
export interface BiosStart {
  readonly setup: Uint8Array;
  readonly initrdAddress: number;
}

/** Throws UnsupportedError BOOT_KERNEL_MEMORY. */
export function prepareBiosStart(kernel: LinuxImage, initrdSize: number): BiosStart {
  const initrdAddress = Math.ceil(kernel.endAddress / INITRD_ALIGNMENT) * INITRD_ALIGNMENT;
  const end = initrdAddress + initrdSize;
  const fits = initrdSize === 0 || end - 1 <= kernel.initrdAddressMax;
  if (!fits || kernel.setupBytes > STACK_END) throw kernelMemory(kernel.name, end);
  const given = { commandLineAddress: COMMAND_LINE_ADDRESS, initrdAddress, initrdSize, heapEnd: STACK_END };
  return { setup: setupFor(kernel, given), initrdAddress };
}

/** Where things lie on the disk: sectors of 512 bytes. */
export interface BiosPlaces {
  readonly setup: number;
  readonly commandLine: number;
  /** The whole kernel, of which only what follows the setup is loaded. */
  readonly kernel: number;
  readonly initrd: number;
}

/** The first 440 bytes of the disk: the loader with its table. */
export function biosLoader(
  kernel: LinuxImage,
  { setup, initrdAddress }: BiosStart,
  initrdSize: number,
  places: BiosPlaces,
): Uint8Array {
  const code = BIOS_LOADER.slice();
  const sectors = (bytes: number) => Math.ceil(bytes / SECTOR);
  const loads = [
    { lba: places.setup, sectors: sectors(setup.length), address: SETUP_ADDRESS },
    { lba: places.commandLine, sectors: sectors(COMMAND_LINE_BYTES), address: COMMAND_LINE_ADDRESS },
    {
      lba: places.kernel + sectors(kernel.setupBytes),
      sectors: sectors(kernel.bytes.length - kernel.setupBytes),
      address: KERNEL_ADDRESS,
    },
    { lba: places.initrd, sectors: sectors(initrdSize), address: initrdAddress },
  ];
  for (const [index, { lba, sectors, address }] of loads.entries()) {
    const load = new Load(code, index);
    load.lba = lba;
    load.sectors = sectors;
    load.address = address;
  }
  return code;
}
