import type { Diagnostic } from "../../src/context.ts";
import { UnsupportedError, UsageError } from "../../src/errors.ts";

/** APPLIANCE_DRIVERS_MISSING: only a kernel with all drivers built in starts without modules. */
export function driversMissing(release: string, file: string): Diagnostic {
  return {
    code: "APPLIANCE_DRIVERS_MISSING",
    severity: "warning",
    message: `there are no modules for the kernel ${release}, which must have all drivers built in`,
    where: { file },
    advice: "Give the kernel as a package: --kernel FILE.deb or FILE.rpm.",
  };
}

/** APPLIANCE_FSTAB_DROPPED: a line of fstab names a disk or a partition that the machine does not have any more. */
export function fstabDropped(device: string, path: string, line: number): Diagnostic {
  return {
    code: "APPLIANCE_FSTAB_DROPPED",
    severity: "warning",
    message: `line ${line} of fstab is taken out, since ${device} (${path}) is not on the disk`,
    where: { path: "etc/fstab" },
  };
}

/** APPLIANCE_FSTAB_ROOT: the root is mounted by another name than before. */
export function fstabRoot(device: string, uuid: string): Diagnostic {
  return {
    code: "APPLIANCE_FSTAB_ROOT",
    severity: "info",
    message: `the root in fstab was ${device} and is UUID=${uuid} now`,
    where: { path: "etc/fstab" },
  };
}

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

/** APPLIANCE_INIT: an init was asked for that the image does not have. */
export function initMissing(init: string, file: string): UsageError {
  return new UsageError("APPLIANCE_INIT", `the image has no ${init}`, {
    where: { file },
    advice: "--init is auto, none or a path in the image.",
  });
}

/** APPLIANCE_KERNEL_FILE: what was given as a kernel holds none. */
export function kernelFileWithout(file: string): UsageError {
  return new UsageError(
    "APPLIANCE_KERNEL_FILE",
    "there is no kernel in it, neither boot/vmlinuz* nor lib/modules/*/vmlinuz",
    {
      where: { file },
    },
  );
}

/** APPLIANCE_KERNEL_MISSING: nothing to start. */
export function kernelMissing(file: string): UnsupportedError {
  return new UnsupportedError("APPLIANCE_KERNEL_MISSING", "a machine needs a kernel, and the image has none", {
    where: { file },
    advice:
      "Give one of these: an image with /boot/vmlinuz* or /usr/lib/modules/*/vmlinuz in it, --kernel-image REF for the kernel of another image, or --kernel FILE, which is a vmlinuz, a .deb, a .rpm or a folder.",
  });
}

/** APPLIANCE_NO_COMMAND: an image that starts nothing. */
export function nothingToStart(file: string): UnsupportedError {
  return new UnsupportedError("APPLIANCE_NO_COMMAND", "the image has neither a command nor an init", {
    where: { file },
    advice: "Name a program of the image with --init PATH.",
  });
}

/** APPLIANCE_PLATFORM: our loaders and our init are for x86-64. */
export function platformForeign(platform: string, file: string): UnsupportedError {
  return new UnsupportedError(
    "APPLIANCE_PLATFORM",
    `only linux/amd64 becomes an appliance, and the image is for ${platform}`,
    {
      where: { file },
      advice: "Choose another image of the index with --platform linux/amd64.",
    },
  );
}

/** APPLIANCE_RESTART: an unknown policy. */
export function restartWrong(policy: string): UsageError {
  return new UsageError(
    "APPLIANCE_RESTART",
    `--restart is no, always or on-failure[:COUNT], and not ${JSON.stringify(policy)}`,
  );
}

/** APPLIANCE_SIGNAL: a StopSignal that Linux does not have. */
export function signalUnknown(signal: string): UnsupportedError {
  return new UnsupportedError(
    "APPLIANCE_SIGNAL",
    `the image's StopSignal ${JSON.stringify(signal)} is no signal of Linux`,
  );
}

/** APPLIANCE_SIZE_TOO_SMALL: a disk that has no room for what starts it. Bytes. */
export function diskTooSmall(size: number, needed: number): UsageError {
  return new UsageError(
    "APPLIANCE_SIZE_TOO_SMALL",
    `--disk-size is ${size} bytes, and kernel and loaders alone take ${needed}`,
  );
}

/** APPLIANCE_USER: a user that neither the image's files know nor is a number. */
export function userUnknown(user: string, path: string): UnsupportedError {
  return new UnsupportedError("APPLIANCE_USER", `the image runs as ${JSON.stringify(user)}, who is not in its files`, {
    where: { path },
  });
}

/** APPLIANCE_FORM: a machine's place that is no package. */
export function formUnwritable(transport: string): UnsupportedError {
  return new UnsupportedError("APPLIANCE_FORM", `an image becomes an OVA or an OVF folder, and not ${transport}:`, {
    advice: "Write ova:FILE or ovf:FOLDER.",
  });
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
