import { ZeroPadded } from "../../bytes/slice.ts";
import { asDisk } from "../as-disk.ts";
import type { DiskFormat } from "../virtual-disk.ts";

const SECTOR = 512;

/** The bytes of the disk and nothing else; a file that ends inside a sector is filled up with zeros. */
export const format: DiskFormat = {
  name: "raw",
  async open(source) {
    const size = Math.ceil(source.size / SECTOR) * SECTOR;
    return asDisk(new ZeroPadded(source, size), {
      format: "raw",
      variant: undefined,
      sectorSize: SECTOR,
      storedBytes: source.size,
    });
  },
};
