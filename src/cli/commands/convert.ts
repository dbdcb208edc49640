import { readFileSync, writeFileSync } from "node:fs";
import type { ArgumentsCamelCase, Argv, CommandModule } from "yargs";
import type { ConvertRequest } from "../../../converters/convert.ts";
import { type Filter, parseFilters } from "../../../converters/guest/options.ts";
import type { ConversionResult } from "../../../converters/result.ts";
import { fileError } from "../../bytes/file-source.ts";
import type { Context } from "../../context.ts";
import type { LayerCompression } from "../../oci/layer-writer.ts";
import { describeFailure, optionValue } from "../errors.ts";
import { byteSize, type Environment, isStandardOutput, type RunArguments, withContext } from "../options.ts";
import { registryOptions } from "../registry-options.ts";
import { renderPlan } from "../render/plan.ts";
import { applianceOptions, applianceRequest } from "./appliance-options.ts";
import { BOOT_OPTION_NAMES, bootOptions } from "./boot-options.ts";
import { inputOptions, machineOptions } from "./input-options.ts";

const IMAGE = "Image:";
const FILTER = "Files:";
const OUTPUT = "Output:";

/** Those of `convert`; a batch hands them on. */
export const convertOptions = {
  ...inputOptions,
  ...applianceOptions,
  ...registryOptions,
  ...bootOptions,
  as: {
    type: "string",
    default: "container",
    group: IMAGE,
    describe: "Form of the image: container, disk (for KubeVirt), or package (the package's own files)",
  },
  entrypoint: { type: "string", group: IMAGE, describe: "What a container starts: words, or a JSON array" },
  cmd: { type: "string", group: IMAGE, describe: "Arguments of the entrypoint, or the command itself" },
  service: {
    type: "string",
    group: IMAGE,
    describe: "Start this service of the machine instead of its init; auto for the only one",
  },
  env: { type: "string", array: true, nargs: 1, group: IMAGE, describe: "NAME=value" },
  user: { type: "string", group: IMAGE, describe: "User, or user:group, that the container runs as" },
  workdir: { type: "string", group: IMAGE, describe: "Working directory" },
  port: {
    type: "string",
    array: true,
    nargs: 1,
    group: IMAGE,
    describe: "Exposed port: 80, 53/udp; replaces those that are found",
  },
  volume: { type: "string", array: true, nargs: 1, group: IMAGE, describe: "Directory for a volume" },
  "stop-signal": { type: "string", group: IMAGE, describe: "Signal that stops the container" },
  label: { type: "string", array: true, nargs: 1, group: IMAGE, describe: "Label, NAME=value" },
  annotation: {
    type: "string",
    array: true,
    nargs: 1,
    group: IMAGE,
    describe: "Annotation of the manifest, NAME=value",
  },
  platform: { type: "string", group: IMAGE, describe: "linux/amd64 [default: from the machine's own programs]" },
  profile: {
    choices: ["container", "minimal", "full"],
    default: "container",
    group: FILTER,
    describe: "What is left out: what a container cannot use, also documentation, nothing",
  },
  include: {
    type: "string",
    array: true,
    nargs: 1,
    group: FILTER,
    describe: "Keep these paths; the first pattern that fits decides",
  },
  exclude: { type: "string", array: true, nargs: 1, group: FILTER, describe: "Leave these paths out" },
  "exclude-from": { type: "string", group: FILTER, describe: "Patterns from a file, after those of the command line" },
  "keep-boot": { type: "boolean", default: false, group: FILTER, describe: "Keep kernel, modules and boot loader" },
  "keep-secrets": { type: "boolean", default: false, group: FILTER, describe: "Keep keys, histories and credentials" },
  "keep-selinux": { type: "boolean", default: false, group: FILTER, describe: "Keep security.selinux" },
  "keep-xattrs": {
    type: "boolean",
    default: false,
    group: FILTER,
    describe: "Keep security.ima, security.evm, trusted.overlay.*",
  },
  "lock-passwords": { type: "boolean", default: false, group: FILTER, describe: "Lock every password of the machine" },
  "disk-format": {
    choices: ["qcow2", "raw"],
    group: OUTPUT,
    describe: "Of the file in a disk image [default: qcow2, compressed]",
  },
  emit: {
    choices: ["kubevirt-yaml"],
    group: OUTPUT,
    describe: "Print a VirtualMachine that runs the disk image, instead of the digest",
  },
  tag: {
    type: "string",
    group: OUTPUT,
    describe: "Full name of the image, repository:tag [default: the machine's name]",
  },
  compression: {
    type: "string",
    default: "gzip",
    group: OUTPUT,
    describe: "gzip[:LEVEL], 1 fast to 9 small, or none; gzip for disks means none where the disk is compressed",
  },
  "max-layer-size": {
    type: "string",
    coerce: byteSize("max-layer-size"),
    group: OUTPUT,
    describe: "Divide a container's files among layers that are no larger before compression: 5G",
  },
  force: { type: "boolean", default: false, group: OUTPUT, describe: "Replace an image of the same name" },
  "skip-existing": {
    type: "boolean",
    default: false,
    group: OUTPUT,
    describe: "Do nothing where the image of this very source stands already, made with these options",
  },
  digestfile: { type: "string", group: OUTPUT, describe: "Write the manifest's digest into this file" },
  "dry-run": {
    type: "boolean",
    default: false,
    group: OUTPUT,
    describe: "Print what would be done, and what is left out and why",
  },
} as const;

function builder(yargs: Argv) {
  return yargs
    .positional("source", {
      type: "string",
      demandOption: true,
      describe: "The machine: FILE.ova, FOLDER, ova:-, vmdk:FILE...; or an image: oci:DIR:TAG...",
    })
    .positional("destination", {
      type: "string",
      demandOption: true,
      describe:
        "The image: oci:DIR:TAG, docker://HOST/NAME:TAG...; or FILE.ova, FILE.box, ovf:FOLDER; {system} stands for each machine of a package",
    })
    .positional("more", {
      type: "string",
      array: true,
      describe: "With several images, each a machine of one appliance, the last place is the destination",
    })
    .options(convertOptions)
    .example("$0 convert web01.ova oci:images:web01", "prints the digest of the image")
    .example("curl -s URL/web01.ova | $0 convert ova:- docker-archive:- --tag web01 | docker load", "through pipes")
    .example("$0 convert web01.ova oci:store:web01 --as package", "the untouched package as an artifact")
    .example("$0 convert oci:store:web01 back.ova", "the same bytes again")
    .example("$0 convert docker://H/web:1 docker://H/db:1 fleet.ova", "two machines in one appliance")
    .example("$0 convert fleet.ova oci:images:{system}", "an image of each of its machines")
    .example("$0 convert oci:images:nginx nginx.ova --kernel linux-image.deb", "an appliance that boots");
}

type Arguments = ArgumentsCamelCase<Awaited<ReturnType<typeof builder>["argv"]>> & RunArguments;

/** `transload convert SOURCE DESTINATION` */
export function convertCommand(environment: Environment): CommandModule<object, Arguments> {
  return {
    command: "convert <source> <destination> [more..]",
    describe: "Convert a virtual machine into an image, or back",
    builder: builder as never,
    handler: async (args) => {
      const asked = requestOf(args, environment);
      await withContext(args, environment, async (ctx) => {
        const { eachSystem } = await import("../../../converters/each-system.ts");
        const digests: string[] = [];
        for (const request of await eachSystem(asked, ctx)) {
          const digest = await convertOne(request, args, ctx);
          if (digest !== undefined) digests.push(digest);
        }
        if (args.digestfile !== undefined && digests.length > 0) writeFile(args.digestfile, `${digests.join("\n")}\n`);
      });
    },
  };
}

/** Prints what became of one request, or would; answers the digest of the image. */
async function convertOne(request: ConvertRequest, args: Arguments, ctx: Context): Promise<string | undefined> {
  const { convert, planConversion } = await import("../../../converters/convert.ts");
  if (args.dryRun) {
    const plan = await planConversion(request, ctx);
    process.stdout.write(args.json ? `${JSON.stringify(plan)}\n` : renderPlan(plan));
    return undefined;
  }
  const silent = isStandardOutput(request.destination);
  try {
    const result = await convert(request, ctx);
    if (!silent) process.stdout.write(`${args.json ? JSON.stringify(result) : shown(result)}\n`);
    return result.target?.digest;
  } catch (cause) {
    if (args.json && !silent) process.stdout.write(`${JSON.stringify(failed(request, cause))}\n`);
    throw cause;
  }
}

/** The result for people and pipelines. */
function shown({ emitted, target }: ConversionResult): string | undefined {
  return emitted?.trimEnd() ?? target?.digest ?? target?.ref;
}

function failed({ source }: ConvertRequest, cause: unknown): object {
  return {
    schema: "transload.result/v1",
    status: "failed",
    source: { ref: source },
    warnings: [],
    error: describeFailure(cause),
  };
}

/** Options that the library calls by the same name. */
const SAME_NAMES = [
  ...(["source", "as", "profile", "entrypoint", "cmd", "service", "env", "user", "workdir", "platform"] as const),
  ...([
    "tag",
    "force",
    "skipExisting",
    "maxLayerSize",
    "diskFormat",
    "emit",
    "stopSignal",
    "keepBoot",
    "keepSecrets",
    "keepSelinux",
    "keepXattrs",
    "lockPasswords",
  ] as const),
  ...BOOT_OPTION_NAMES,
];

function requestOf(args: Arguments, environment: Environment): ConvertRequest {
  for (const name of ["disk-format", "emit"] as const) {
    if (args[name] !== undefined && args.as !== "disk") throw optionValue(name, args[name], "--as disk with it");
  }
  if (args.emit !== undefined && isStandardOutput(args.destination))
    throw optionValue("emit", args.emit, "a destination that is not standard output");
  if (args.maxLayerSize !== undefined && args.as !== "container") {
    throw optionValue("max-layer-size", args.maxLayerSize, "--as container with it");
  }
  const places = [args.source, args.destination, ...(args.more ?? [])];
  const request = {
    ...Object.fromEntries(SAME_NAMES.map((name) => [name, args[name]])),
    destination: places.at(-1),
    more: places.length > 2 ? places.slice(1, -1) : undefined,
    ...machineOptions(args),
    ...applianceRequest(args),
    ports: args.port,
    volumes: args.volume,
    labels: args.label,
    annotations: args.annotation,
    verify: args.verify,
    compression: compressionOf(args.compression),
    filters: filtersOf(args, environment.argv),
  };
  return Object.fromEntries(
    Object.entries(request).filter(([, value]) => value !== undefined),
  ) as unknown as ConvertRequest;
}

/** Undefined leaves the level to the library. */
function compressionOf(text: string): LayerCompression | undefined {
  if (text === "gzip") return undefined;
  const [, kind, level] = /^(gzip|none)(?::([1-9]))?$/.exec(text) ?? [];
  if (kind === undefined || (kind === "none" && level !== undefined))
    throw optionValue("compression", text, "gzip, gzip:1 to gzip:9, or none");
  return { kind: kind as LayerCompression["kind"], level: Number(level ?? 0) };
}

/** `--include` and `--exclude` count in the order in which they were typed, which yargs does not keep; then those of the file. */
function filtersOf(args: Arguments, argv: readonly string[]): readonly Filter[] {
  const typed: Filter[] = [];
  for (const [index, word] of argv.entries()) {
    const [, action, pattern] = /^--(include|exclude)(?:=(.*))?$/s.exec(word) ?? [];
    if (action === undefined) continue;
    typed.push({ action: action as Filter["action"], pattern: pattern ?? argv[index + 1] ?? "" });
  }
  // From the configuration file or the environment they come without an order among each other.
  const { include = [], exclude = [] } = args;
  const configured: Filter[] = [
    ...include.map((pattern) => ({ action: "include", pattern }) as const),
    ...exclude.map((pattern) => ({ action: "exclude", pattern }) as const),
  ];
  return [
    ...(typed.length > 0 ? typed : configured),
    ...(args.excludeFrom === undefined ? [] : parseFilters(readText(args.excludeFrom))),
  ];
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw fileError(cause, path);
  }
}

function writeFile(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (cause) {
    throw fileError(cause, path);
  }
}
