import { gzipSync } from "node:zlib";
import { type CpioFile, writeCpio } from "../../src/archive/cpio.ts";
import { INIT } from "../../src/boot/programs.ts";
import type { KernelModule } from "./modules.ts";

const DIRECTORY = 0o040755;
const PROGRAM = 0o100755;
const PLAIN = 0o100600;
const CHARACTER_DEVICE = 0o020600;

/** What our init is told, as the records of its file /config. A key may stand more than once. */
export type InitRecords = readonly (readonly [key: string, value: string])[];

/** An initramfs of our own: our init, the drivers in the order in which it loads them, and what it is told. */
export function writeInitramfs(modules: readonly KernelModule[], records: InitRecords): Uint8Array {
  const places = modules.map(({ name }, index) => `modules/${String(index).padStart(3, "0")}-${name}.ko`);
  const all: InitRecords = [...places.map((place) => ["module", `/${place}`] as const), ...records];
  const config = all.map(([key, value]) => `${key}=${value}\0`).join("");
  const files: CpioFile[] = [
    { path: "dev", mode: DIRECTORY },
    // The kernel opens it for /init before there is a devtmpfs.
    { path: "dev/console", mode: CHARACTER_DEVICE, device: [5, 1] },
    ...["proc", "sys", "root", "modules"].map((path) => ({ path, mode: DIRECTORY })),
    { path: "init", mode: PROGRAM, bytes: INIT },
    // Values are byte strings of a guest: latin1 gives the bytes back.
    { path: "config", mode: PLAIN, bytes: Buffer.from(config, "latin1") },
    ...modules.map(({ bytes }, index) => ({ path: places[index] ?? "", mode: PLAIN, bytes })),
  ];
  // A BIOS reads slowly; every kernel of a distribution unpacks gzip.
  return gzipSync(writeCpio(files), { level: 9 });
}
