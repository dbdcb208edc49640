import type { Diagnostic } from "../../src/context.ts";

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
