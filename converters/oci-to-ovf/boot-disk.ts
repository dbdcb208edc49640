import { biosLoader, COMMAND_LINE_BYTES, prepareBiosStart } from "../../src/boot/bios-loader.ts";
import { efiLoader } from "../../src/boot/efi-application.ts";
import { commandLineTooLong } from "../../src/boot/errors.ts";
import { asksForInitrd, type LinuxImage } from "../../src/boot/linux-image.ts";
import { type Content, contentOf, joinContents } from "../../src/bytes/content.ts";
import { compose, type Region } from "../../src/bytes/regions.ts";
import { uuidOf } from "../../src/bytes/uuid.ts";
import { type FatFile, LEAST_FAT32_BYTES, writeFat32 } from "../../src/filesystem/fat/writer.ts";
import { BACKUP_SECTORS, PARTITION_TYPE, writeGpt } from "../../src/volume/gpt-writer.ts";

const SECTOR = 512;
const MIB = 1 << 20;
/** In front of the first whole MiB, so that whoever installs another loader in the guest finds the partition for it. */
const SETUP_SECTOR = 64;
const ESP_SECTOR = MIB / SECTOR;
/** Room on the EFI partition besides kernel and initrd: for its tables, and for what a guest adds. */
const ESP_SPARE = 4 * MIB;

/** What an appliance starts. */
export interface Boot {
  readonly kernel: LinuxImage;
  readonly initrd: Uint8Array | undefined;
  readonly commandLine: string;
}

/** Identifiers that differ between disks. */
export interface BootDiskIds {
  readonly disk: string;
  readonly bios: string;
  readonly esp: string;
  readonly root: string;
}

/** Identifiers made from a seed, so that the same input always gives the same disk. */
export function bootDiskIds(seed: string): BootDiskIds {
  const of = (what: string) =>
    uuidOf(`appliance
${what}
${seed}`);
  return { disk: of("disk"), bios: of("bios"), esp: of("esp"), root: of("root") };
}

/** Bytes of a disk besides its root, which must be a multiple of 4096 bytes. */
export function bootBytes(boot: Boot): number {
  return ESP_SECTOR * SECTOR + espBytes(boot) + MIB;
}

function espBytes({ kernel, initrd }: Boot): number {
  const needed = kernel.bytes.length + (initrd?.length ?? 0) + ESP_SPARE;
  return Math.max(LEAST_FAT32_BYTES, Math.ceil(needed / MIB) * MIB);
}

/**
 * A disk that boots on BIOS and UEFI: GUID partition table, the BIOS loader's copy of the kernel's setup in a BIOS boot
 * partition, an EFI partition with kernel and initrd in one piece each, which both loaders read, and the root.
 * Throws UnsupportedError BOOT_COMMAND_LINE, BOOT_KERNEL_MEMORY.
 */
export function bootDisk(boot: Boot, root: Content, ids: BootDiskIds, date: Date, name: string): Content {
  const { kernel, initrd } = boot;
  const initrdSize = initrd?.length ?? 0;
  const espSize = espBytes(boot);
  const start = prepareBiosStart(kernel, initrdSize);
  const files: FatFile[] = [
    { path: "EFI/BOOT/BOOTX64.EFI", bytes: efiLoader() },
    { path: "CMDLINE", bytes: commandLineFile(boot) },
    { path: "LINUX", bytes: kernel.bytes },
    ...(initrd === undefined ? [] : [{ path: "INITRD.IMG", bytes: initrd }]),
  ];
  const serial = Number.parseInt(ids.esp.slice(0, 8), 16);
  const esp = writeFat32({ size: espSize, hiddenSectors: ESP_SECTOR, label: "EFI", serial, date, files });
  const sectorOf = (path: string) => ESP_SECTOR + (esp.offsets.get(path) ?? 0) / SECTOR;
  const bootCode = biosLoader(kernel, start, initrdSize, {
    setup: SETUP_SECTOR,
    commandLine: sectorOf("CMDLINE"),
    kernel: sectorOf("LINUX"),
    initrd: sectorOf("INITRD.IMG"),
  });
  const rootSector = ESP_SECTOR + espSize / SECTOR;
  const rootEnd = rootSector + root.size / SECTOR;
  const size = Math.ceil((rootEnd + BACKUP_SECTORS) / ESP_SECTOR) * MIB;
  const table = writeGpt({
    diskUuid: ids.disk,
    size,
    bootCode,
    partitions: [
      { type: PARTITION_TYPE.BIOS_BOOT, uuid: ids.bios, label: "BIOS boot", first: SETUP_SECTOR, last: ESP_SECTOR - 1 },
      { type: PARTITION_TYPE.EFI_SYSTEM, uuid: ids.esp, label: "EFI system", first: ESP_SECTOR, last: rootSector - 1 },
      { type: PARTITION_TYPE.LINUX_ROOT_X86_64, uuid: ids.root, label: "root", first: rootSector, last: rootEnd - 1 },
    ],
  });
  const head: Region[] = [
    { offset: 0, length: table.head.length, content: table.head },
    { offset: SETUP_SECTOR * SECTOR, length: start.setup.length, content: start.setup },
    ...esp.regions.map((region) => ({ ...region, offset: region.offset + MIB })),
  ];
  const tailSize = size - rootEnd * SECTOR;
  const tail: Region = { offset: tailSize - table.tail.length, length: table.tail.length, content: table.tail };
  return joinContents(name, [
    contentOf(compose(`start of ${name}`, rootSector * SECTOR, head)),
    root,
    contentOf(compose(`end of ${name}`, tailSize, [tail])),
  ]);
}

/** One line, then zeros: the BIOS loader takes it by its sectors, the other one up to the end of the line. */
function commandLineFile({ kernel, commandLine, initrd }: Boot): Uint8Array {
  const old = initrd !== undefined && !asksForInitrd(kernel) ? " initrd=\\INITRD.IMG" : "";
  const text = Buffer.from(`${commandLine}${old}`);
  const most = Math.min(COMMAND_LINE_BYTES - 1, kernel.commandLineMax);
  if (text.length > most) throw commandLineTooLong(text.length, most);
  const file = new Uint8Array(COMMAND_LINE_BYTES);
  file.set(text);
  return file;
}
