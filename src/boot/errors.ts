import { UnsupportedError } from "../errors.ts";

/** BOOT_COMMAND_LINE: more than the kernel or our loaders take. Bytes. */
export function commandLineTooLong(size: number, most: number): UnsupportedError {
  return new UnsupportedError("BOOT_COMMAND_LINE", `the kernel's command line has ${size} bytes and may have ${most}`);
}

/** BOOT_KERNEL_FORMAT: no kernel for x86 in the form that boot loaders take. */
export function kernelFormat(file: string, reason: string): UnsupportedError {
  return new UnsupportedError("BOOT_KERNEL_FORMAT", `this is no bzImage of Linux for x86-64: ${reason}`, {
    where: { file },
    advice: "Give the file that distributions call vmlinuz.",
  });
}

/** BOOT_KERNEL_MEMORY: kernel and initrd do not fit below 4 GiB, where the BIOS loader puts them. */
export function kernelMemory(file: string, end: number): UnsupportedError {
  return new UnsupportedError("BOOT_KERNEL_MEMORY", `kernel and initrd need memory up to 0x${end.toString(16)}`, {
    where: { file },
  });
}
