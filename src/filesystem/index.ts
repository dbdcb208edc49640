import { Catalog } from "../catalog.ts";
import { isFat } from "./fat/boot-sector.ts";
import type { FileSystemFormat } from "./file-system.ts";

/** The file systems of guests, in the order in which they are tried. */
export const fileSystemFormats: Catalog<FileSystemFormat> = new Catalog<FileSystemFormat>([
  {
    name: "ext4",
    magic: [{ offset: 0x438, bytes: Uint8Array.of(0x53, 0xef) }],
    suffixes: [".ext2", ".ext3", ".ext4"],
    load: () => import("./ext4/reader.ts").then((module) => module.format),
  },
  {
    name: "xfs",
    magic: [{ offset: 0, bytes: "XFSB" }],
    suffixes: [".xfs"],
    load: () => import("./xfs/reader.ts").then((module) => module.format),
  },
  {
    name: "ntfs",
    magic: [{ offset: 3, bytes: "NTFS    " }],
    suffixes: [".ntfs"],
    load: () => import("./ntfs/reader.ts").then((module) => module.format),
  },
  {
    name: "exfat",
    magic: [{ offset: 3, bytes: "EXFAT   " }],
    suffixes: [".exfat"],
    load: () => import("./exfat/reader.ts").then((module) => module.format),
  },
  {
    name: "btrfs",
    magic: [{ offset: 0x10040, bytes: "_BHRfS_M" }],
    suffixes: [".btrfs"],
    load: () => import("./btrfs/reader.ts").then((module) => module.format),
  },
  {
    name: "iso9660",
    magic: [{ offset: 0x8001, bytes: "CD001" }],
    suffixes: [".iso"],
    load: () => import("./iso9660/reader.ts").then((module) => module.format),
  },
  {
    name: "squashfs",
    magic: [
      { offset: 0, bytes: "hsqs" },
      { offset: 0, bytes: "sqsh" },
    ],
    suffixes: [".squashfs", ".sfs"],
    load: () => import("./squashfs/reader.ts").then((module) => module.format),
  },
  {
    name: "vfat",
    magic: [],
    detect: isFat,
    suffixes: [".fat", ".vfat"],
    load: () => import("./fat/reader.ts").then((module) => module.format),
  },
]);
