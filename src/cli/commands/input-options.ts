import type { FilesOptions } from "../../../converters/files.ts";
import type { MachineOptions } from "../../../converters/machine/machine.ts";
import type { RootOptions } from "../../../converters/machine/root.ts";
import { wholeNumber } from "../options.ts";

const INPUT = "Input:";

/** Options that choose a part of a machine. */
export const inputOptions = {
  system: { type: "string", group: INPUT, describe: "Which machine of a package that holds several: its id or name" },
  configuration: {
    type: "string",
    group: INPUT,
    describe: "Deployment configuration [default: the package's default]",
  },
  disk: {
    type: "string",
    coerce: wholeNumber("disk", 1),
    group: INPUT,
    describe: "This disk, from 1: the one to look for the root on, or the one to convert",
  },
  root: {
    type: "string",
    group: INPUT,
    describe: "The root: 1:2 (disk and partition), /dev/sda2, UUID=..., LABEL=...",
  },
  verify: {
    type: "boolean",
    default: true,
    group: INPUT,
    describe: "Check the package's digests and signature; --no-verify skips",
  },
} as const;

/** For what reads one image of an index. */
export const platformOption = {
  platform: {
    type: "string",
    group: INPUT,
    describe: "Which image of an index: linux/arm64 [default: the first for Linux]",
  },
} as const;

export interface InputArguments {
  readonly system: string | undefined;
  readonly configuration: string | undefined;
  readonly disk: number | undefined;
  readonly root: string | undefined;
}

/** The options that were given, as the library takes them. */
export function machineOptions({ system, configuration, disk, root }: InputArguments): MachineOptions & RootOptions {
  return {
    ...(system === undefined ? {} : { system }),
    ...(configuration === undefined ? {} : { configuration }),
    ...(disk === undefined ? {} : { disk }),
    ...(root === undefined ? {} : { root }),
  };
}

export interface FilesArguments extends InputArguments {
  readonly platform: string | undefined;
}

export function filesOptions(args: FilesArguments): FilesOptions {
  return { ...machineOptions(args), ...(args.platform === undefined ? {} : { platform: args.platform }) };
}
