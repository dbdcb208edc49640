import type { Diagnostic } from "../../src/context.ts";
import { UsageError } from "../../src/errors.ts";

export function diskAmbiguous(disks: readonly string[]): UsageError {
  return new UsageError("DISK_AMBIGUOUS", `the machine has ${disks.length} disks, and an image holds one`, {
    advice: `convert each into an image of its own: ${disks.map((disk, n) => `--disk ${n + 1} (${disk})`).join(", ")}`,
  });
}

export function diskFormatUnknown(format: string): UsageError {
  return new UsageError("DISK_FORMAT", `KubeVirt runs qcow2 and raw disks, not ${JSON.stringify(format)}`);
}

export function emitUnknown(what: string): UsageError {
  return new UsageError("DISK_EMIT", `nothing is known that is called ${JSON.stringify(what)}`, {
    advice: "--emit kubevirt-yaml prints a VirtualMachine of KubeVirt",
  });
}

/** DISK_LAYER_LARGE: registries that would refuse the layer. */
export function layerLarge(file: string, size: number, refusing: readonly string[]): Diagnostic {
  return {
    code: "DISK_LAYER_LARGE",
    severity: "warning",
    message: `the image's layer has ${size} bytes, which is more than these registries take: ${refusing.join(", ")}`,
    where: { file },
    advice: "a disk cannot be split over layers: push it to a registry of your own",
  };
}
