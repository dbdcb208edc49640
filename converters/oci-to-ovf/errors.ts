import type { Diagnostic } from "../../src/context.ts";
import { UnsupportedError } from "../../src/errors.ts";

/** APPLIANCE_HARDWARE_REPLACED: the machine had something that the hypervisors of the dialect lack. */
export function hardwareReplaced(recorded: string, standIn: string, dialect: string, file: string): Diagnostic {
  return {
    code: "APPLIANCE_HARDWARE_REPLACED",
    severity: "info",
    message: `the machine had ${recorded}, which a ${dialect} descriptor cannot say; it gets ${standIn}`,
    where: { file },
  };
}

/** APPLIANCE_SIZE_ROUNDED: VMware has disks of whole MiB only. */
export function sizeRounded(size: number, rounded: number, file: string): Diagnostic {
  return {
    code: "APPLIANCE_SIZE_ROUNDED",
    severity: "info",
    message: `the disk has ${size} bytes and gets ${rounded}, whole MiB, with zeros at its end`,
    where: { file },
  };
}

/** DISK_IMAGE_FILES: KubeVirt refuses it too. */
export function diskImageFiles(file: string, count: number): UnsupportedError {
  return new UnsupportedError("DISK_IMAGE_FILES", `the image has ${count} files in /disk, where a disk image has one`, {
    where: { file },
  });
}

/** DISK_TARGET: a disk becomes an appliance or a disk image. */
export function diskTarget(transport: string, known: readonly string[]): UnsupportedError {
  return new UnsupportedError("DISK_TARGET", `a disk image cannot be written as ${transport}: yet`, {
    advice: `there are ova:, ovf: and ${known.map((name) => `${name}:`).join(", ")}`,
  });
}
