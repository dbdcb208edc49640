import type { BootOptions } from "../../../converters/oci-to-ovf/machine-plan.ts";
import { byteSize } from "../options.ts";

const BOOT = "Boot:";

/** Options of an image that is made to boot. */
export const bootOptions = {
  kernel: {
    type: "string",
    group: BOOT,
    describe: "Kernel for an image without one: FILE.deb, FILE.rpm, a vmlinuz, or a folder with boot and lib/modules",
  },
  "kernel-image": { type: "string", group: BOOT, describe: "Image whose kernel and modules are used: oci:DIR:TAG..." },
  "kernel-args": { type: "string", group: BOOT, describe: "Words added to the kernel's command line" },
  init: {
    type: "string",
    group: BOOT,
    describe: "Process 1: auto, none (the image's command), or a path in the image [default: auto]",
  },
  restart: {
    type: "string",
    group: BOOT,
    describe: "When the command is started again: no, always, on-failure[:COUNT] [default: no, the machine goes off]",
  },
  hostname: {
    type: "string",
    group: BOOT,
    describe: "Host name [default: as in the image, else the appliance's name]",
  },
  "disk-size": {
    type: "string",
    coerce: byteSize("disk-size"),
    group: BOOT,
    describe: "Size of the disk: 20G [default: what the files need, and some room]",
  },
} as const;

/** Those options by the names of the library. */
export const BOOT_OPTION_NAMES = [
  "kernel",
  "kernelImage",
  "kernelArgs",
  "init",
  "restart",
  "hostname",
  "diskSize",
] as const satisfies readonly (keyof BootOptions)[];
