import { displayPath } from "../../src/bytes/byte-path.ts";
import { CorruptError } from "../../src/errors.ts";

/** KERNEL_FILE: a file of a kernel's package that is not what its name says. */
export function kernelFileDamaged(file: string, path: string, reason: string): CorruptError {
  const where = path === "" ? { file } : { file, path: displayPath(path) };
  return new CorruptError("KERNEL_FILE", `a file of the kernel cannot be used: ${reason}`, { where });
}
