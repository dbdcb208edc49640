import type { Diagnostic } from "../../src/context.ts";
import { UnsupportedError, UsageError } from "../../src/errors.ts";

const OTHER_FORMS = "a machine that cannot be read can still be carried as it is, with --as disk or --as package";

const quote = (text: string): string => JSON.stringify(text);

const list = (lines: readonly string[]): string => lines.join("; ");

/** `line` counts from 1. */
export function fstabDeviceMissing(device: string, path: string, line: number, optional: boolean): Diagnostic {
  return {
    code: "FSTAB_DEVICE_MISSING",
    severity: optional ? "info" : "warning",
    message: `nothing is mounted on /${path}: no disk of the machine has ${quote(device)} (line ${line})`,
    where: { path: "etc/fstab" },
  };
}

export function fstabLine(line: number, text: string): Diagnostic {
  return {
    code: "FSTAB_LINE",
    severity: "warning",
    message: `line ${line} names no mount point: ${quote(text)}`,
    where: { path: "etc/fstab" },
  };
}

export function diskBlank(device: string, id: string): Diagnostic {
  return {
    code: "MACHINE_DISK_BLANK",
    severity: "info",
    message: `the disk ${quote(id)} (${device}) starts blank and has nothing to read`,
    where: {},
  };
}

export function diskNumber(wanted: number, devices: readonly string[]): UsageError {
  const found = devices.length === 0 ? "none" : list(devices);
  return new UsageError("MACHINE_DISK_NUMBER", `the machine has no disk ${wanted}; its disks are: ${found}`);
}

export function hibernated(device: string, file: string): Diagnostic {
  return {
    code: "MACHINE_HIBERNATED",
    severity: "warning",
    message: `the machine is hibernated (its memory is saved on ${device}), so its files may be older than what it was working on`,
    where: { file },
    advice: "start the machine, shut it down and export it again",
  };
}

export function mountPointMissing(path: string, device: string): Diagnostic {
  return {
    code: "MACHINE_MOUNT_POINT",
    severity: "warning",
    message: `${device} is left out: there is no directory to mount it on`,
    where: { path },
  };
}

/** For what the machine can do without. */
export function mountSkipped(path: string, device: string, found: string): Diagnostic {
  return {
    code: "MACHINE_MOUNT_UNREADABLE",
    severity: "warning",
    message: `${device} is left out, since it cannot be read (${found})`,
    where: { path },
  };
}

export function mountUnreadable(path: string, device: string, found: string): UnsupportedError {
  return new UnsupportedError(
    "MACHINE_MOUNT_UNREADABLE",
    `${device} cannot be read, and the machine keeps files on it (${found})`,
    { where: { path }, advice: OTHER_FORMS },
  );
}

/** `candidates` are one line each. */
export function rootAmbiguous(candidates: readonly string[], example: string): UsageError {
  return new UsageError(
    "MACHINE_ROOT_AMBIGUOUS",
    `${candidates.length} volumes look like the root of a system: ${list(candidates)}`,
    { advice: `choose one, for example with --root ${example}` },
  );
}

export function rootEncrypted(devices: readonly string[], found: readonly string[]): UnsupportedError {
  return new UnsupportedError(
    "MACHINE_ROOT_ENCRYPTED",
    `the files of the machine are encrypted (${devices.join(", ")}); found are: ${list(found)}`,
    { advice: OTHER_FORMS },
  );
}

export function rootMissing(found: readonly string[]): UnsupportedError {
  const all = found.length === 0 ? "the machine has no disk with content" : `found are: ${list(found)}`;
  return new UnsupportedError("MACHINE_ROOT_MISSING", `no volume looks like the root of a Linux system; ${all}`, {
    advice: OTHER_FORMS,
  });
}

export function rootUnknown(spec: string, found: readonly string[]): UsageError {
  return new UsageError(
    "MACHINE_ROOT_UNKNOWN",
    `--root ${quote(spec)} is not a volume of the machine; found are: ${list(found)}`,
    {
      advice: 'write it as disk and partition ("1:2"), as a device ("/dev/sda2"), or as UUID=... or LABEL=...',
    },
  );
}

export function rootUnreadable(device: string, found: string): UnsupportedError {
  return new UnsupportedError("MACHINE_ROOT_UNREADABLE", `${device} cannot be the root (${found})`, {
    advice: OTHER_FORMS,
  });
}

export function rootWindows(found: readonly string[]): UnsupportedError {
  return new UnsupportedError(
    "MACHINE_ROOT_WINDOWS",
    `this is a Windows machine, which cannot become a container; found are: ${list(found)}`,
    { advice: OTHER_FORMS },
  );
}

export function systemAmbiguous(names: readonly string[]): UsageError {
  return new UsageError(
    "MACHINE_SYSTEM_AMBIGUOUS",
    `the package holds ${names.length} machines: ${names.map(quote).join(", ")}`,
    {
      advice: "choose one with --system",
    },
  );
}

export function systemMissing(file: string): UnsupportedError {
  return new UnsupportedError("MACHINE_SYSTEM_MISSING", "the descriptor describes no machine", { where: { file } });
}

export function systemUnknown(wanted: string, names: readonly string[]): UsageError {
  return new UsageError(
    "MACHINE_SYSTEM_UNKNOWN",
    `the package holds no machine ${quote(wanted)}, only ${names.map(quote).join(", ")}`,
  );
}
