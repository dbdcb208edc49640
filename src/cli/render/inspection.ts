import type {
  DiskInspection,
  GuestInspection,
  ImageInspection,
  Inspection,
  MachineInspection,
  PackageInspection,
  PlaceInspection,
} from "../../../converters/inspect.ts";
import type { PackageFacts } from "../../../converters/package-form/facts.ts";
import { platformText } from "../../oci/platform.ts";
import { bytes } from "../reporter.ts";

/** An inspection for people: what somebody wants to see of a strange appliance, at a glance. */
export function renderInspection(inspection: Inspection): string {
  const lines = inspection.kind === "image" ? image(inspection) : pkg(inspection);
  return `${lines.join("\n")}\n`;
}

function pkg({ package: info, machines }: PackageInspection): string[] {
  const descriptor =
    info.ovfVersion === undefined ? "" : `, OVF ${info.ovfVersion} by ${info.producer ?? "an unknown producer"}`;
  const { signature } = info;
  const signed = signature && `signed by ${signature.subject}${signature.selfSigned ? " (by themselves)" : ""}`;
  const vouched = [info.manifest ? "manifest" : "no manifest", signed].filter((part) => part !== undefined).join(", ");
  return [
    `${info.name}: ${info.kind}, ${bytes(info.size)}${descriptor}, ${vouched}`,
    ...info.members.map(({ name, role, size }) => `  ${role.padEnd(14)} ${bytes(size).padStart(9)}  ${name}`),
    ...info.configurations.map(({ id, label }) => `  configuration  ${id}${label === undefined ? "" : `: ${label}`}`),
    ...machines.flatMap((each) => ["", ...machine(each)]),
  ];
}

function machine(info: MachineInspection): string[] {
  return [
    ...described(info),
    ...row("properties", info.properties.map(({ key, value }) => `${key}=${value ?? ""}`).join(", ")),
    ...info.disks.flatMap(disk),
    ...info.groups.flatMap((group) => [`  ${group.device}  ${group.holds}`, ...branches(group.volumes, "  ")]),
    ...(info.guest === undefined ? [] : guest(info.guest)),
    ...(info.problem === undefined
      ? []
      : [`  problem        ${info.problem.message}`, ...row("", info.problem.advice)]),
  ];
}

/** What the descriptor says. */
function described(info: Omit<MachineInspection, "properties" | "disks" | "groups" | "guest" | "problem">): string[] {
  const { hardware } = info;
  const firmware = hardware.firmware === undefined ? [] : [hardware.firmware.toUpperCase()];
  const size = [
    ...(hardware.cpus === undefined ? [] : [`${hardware.cpus} CPU`]),
    ...(hardware.memory === undefined ? [] : [`${bytes(hardware.memory)} memory`]),
    ...firmware,
  ];
  return [
    `machine ${info.name}`,
    ...row("product", info.product),
    ...row("system", info.operatingSystem),
    ...row("hardware", size.join(", ")),
    ...row("controllers", hardware.controllers.join(", ")),
    ...row("network", hardware.networkAdapters.join("; ")),
    ...row("media", hardware.media.join(", ")),
    ...row("licences", info.eulas === 0 ? undefined : `${info.eulas} to agree to`),
  ];
}

function row(name: string, text: string | undefined): string[] {
  return text === undefined || text === "" ? [] : [`  ${name.padEnd(14)} ${text}`];
}

function disk(info: DiskInspection): string[] {
  const stored = info.stored === undefined ? "" : `, ${bytes(info.stored)} stored`;
  const file = info.file === undefined ? "" : ` ${info.file}`;
  const holds = info.volumes.length > 0 ? info.holds : contents(info);
  return [
    `  ${info.device}  ${bytes(info.capacity)} ${info.format}${stored}${file}: ${holds}`,
    ...branches(info.volumes, "  "),
  ];
}

function branches(volumes: readonly PlaceInspection[], indent: string): string[] {
  return volumes.flatMap((volume, index) => {
    const last = index === volumes.length - 1;
    const name = [volume.type, volume.label && JSON.stringify(volume.label), volume.bootable ? "bootable" : undefined];
    const words = name.filter((word) => word !== undefined && word !== "").join(" ");
    const line = `${indent}${last ? "└─" : "├─"} ${volume.device}  ${bytes(volume.size)} ${words}: ${contents(volume)}`;
    return [line, ...branches(volume.volumes, `${indent}${last ? "   " : "│  "}`)];
  });
}

function contents({ holds, fileSystem, mountPoint }: PlaceInspection): string {
  const used = fileSystem?.used === undefined ? "" : `, ${bytes(fileSystem.used)} used`;
  const uuid = fileSystem?.uuid === undefined ? "" : `, UUID ${fileSystem.uuid}`;
  return `${holds}${used}${uuid}${mountPoint === undefined ? "" : `, mounted on ${mountPoint}`}`;
}

function guest(info: GuestInspection): string[] {
  const services = info.services.map(({ name, user }) => (user === undefined ? name : `${name} (as ${user})`));
  return [
    ...row(
      "guest",
      [info.os.name ?? info.os.id, platformText(info.platform), info.init]
        .filter((part) => part !== undefined)
        .join(", "),
    ),
    ...row("services", [...services, `${info.stockServices} of the distribution`].join(", ")),
    ...row("ports", info.ports.join(", ")),
    ...row("data", info.suggestedVolumes.join(", ")),
    ...row("image starts", info.starts.join(" ")),
  ];
}

/** A package as an artifact, of which nothing but the manifest was read. */
function carried({ kind, name, ovfVersion, producer, members, machines }: PackageFacts): string[] {
  const descriptor = ovfVersion === undefined ? "" : `, OVF ${ovfVersion} by ${producer ?? "an unknown producer"}`;
  return [
    ...row("package", `${kind} ${name}${descriptor}`),
    ...members.map((member) => `  ${member.role.padEnd(14)} ${bytes(member.size).padStart(9)}  ${member.name}`),
    ...machines.flatMap((each) => [
      "",
      ...described(each),
      ...each.disks.flatMap(({ file, capacity, format }) =>
        row("disk", [capacity === undefined ? "" : bytes(capacity), file, format].filter(Boolean).join(" ")),
      ),
    ]),
  ];
}

function image({
  reference,
  descriptor,
  manifest,
  config,
  package: facts,
  files,
  referrers,
}: ImageInspection): string[] {
  if (facts !== undefined) return [`${reference}: ${descriptor.digest}`, ...carried(facts).map(shown)];
  const execution = config?.execution;
  return [
    `${reference}: ${descriptor.digest}`,
    ...row("platform", config && platformText(config.platform)),
    ...row("type", manifest.artifactType),
    ...row("created", config?.created),
    ...row("system", files?.os.name),
    ...row("files", files && `${files.entries}, ${bytes(files.bytes)}`),
    ...row("entrypoint", execution?.entrypoint && JSON.stringify(execution.entrypoint)),
    ...row("cmd", execution?.cmd && JSON.stringify(execution.cmd)),
    ...row("user", execution?.user),
    ...row("env", execution?.env?.join(", ")),
    ...row("ports", execution?.exposedPorts?.join(", ")),
    ...row("stop signal", execution?.stopSignal),
    ...Object.entries(execution?.labels ?? {}).map(([name, value]) => `  label          ${name}=${value}`),
    ...Object.entries(manifest.annotations ?? {}).map(([name, value]) => `  annotation     ${name}=${value}`),
    ...manifest.layers.map(
      ({ digest, size, mediaType }) => `  layer          ${bytes(size).padStart(9)}  ${digest}  ${mediaType}`,
    ),
    ...referrers.map(({ digest, mediaType, artifactType }) =>
      shown(`  referred by    ${digest}  ${artifactType ?? mediaType}`),
    ),
  ];
}

/** Claims of strangers: nothing in them moves the cursor. */
function shown(line: string): string {
  return line.replace(/\p{Cc}/gu, "\ufffd");
}
