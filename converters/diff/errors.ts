import type { ByteSource } from "../../src/bytes/byte-source.ts";
import type { Diagnostic } from "../../src/context.ts";
import { UsageError } from "../../src/errors.ts";

/** DIFF_NO_DISK: `reference` is an image of files. */
export function disksMissing(reference: string): UsageError {
  const sentence = `${JSON.stringify(reference)} is an image of neither a disk nor a package, and the bytes of disks are compared`;
  return new UsageError("DIFF_NO_DISK", sentence, { advice: "leave --bytes away to compare files" });
}

/** DIFF_SPOOLED: layers can be read from their beginning only. */
export function diskSpooled({ name, size }: ByteSource): Diagnostic {
  return {
    code: "DIFF_SPOOLED",
    severity: "info",
    message: `the disk in the image was copied once into a temporary file of ${size} bytes`,
    where: { path: name },
  };
}
