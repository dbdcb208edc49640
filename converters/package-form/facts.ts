import { createHash } from "node:crypto";
import type { Context } from "../../src/context.ts";
import { ConverterError } from "../../src/errors.ts";
import type { Descriptor } from "../../src/oci/descriptor.ts";
import { Fields, parseJson } from "../../src/oci/json.ts";
import type { ImageManifest } from "../../src/oci/manifest.ts";
import { hardwareFor } from "../../src/ovf/effective-hardware.ts";
import type { Envelope, VirtualSystem } from "../../src/ovf/model.ts";
import type { MemberRole, Package } from "../../src/ovf/package.ts";
import { LABEL_PREFIX } from "../guest/labels.ts";
import { describeMachine, type MachineDescription } from "../machine/description.ts";
import { isPackageArtifact, roleOf, TITLE, WHOLE_FILE } from "./artifact.ts";

/** What the manifest of an artifact tells of the package in it. */
export interface PackageFacts {
  /** "ova", "ovf", "box", "disk". */
  readonly kind: string;
  readonly name: string;
  readonly ovfVersion: string | undefined;
  readonly producer: string | undefined;
  readonly members: readonly { readonly name: string; readonly role: MemberRole; readonly size: number }[];
  readonly machines: readonly MachineFacts[];
}

/** Without properties, whose values may be secrets. */
export interface MachineFacts extends Omit<MachineDescription, "properties"> {
  readonly disks: readonly DiskFacts[];
}

interface DiskFacts {
  readonly file: string | undefined;
  /** Bytes. */
  readonly capacity: number | undefined;
  /** The URI that names it. */
  readonly format: string | undefined;
}

const KIND = `${LABEL_PREFIX}package.kind`;
const NAME = `${LABEL_PREFIX}package.name`;
const OVF_VERSION = `${LABEL_PREFIX}ovf.version`;
const PRODUCER = `${LABEL_PREFIX}ovf.producer`;
const MACHINES = `${LABEL_PREFIX}machines`;
const EULA = `${LABEL_PREFIX}eula.digest`;

/** Characters of one text. */
const LONGEST_TEXT = 1024;
/** Bytes of all machines: manifests are to stay small. */
const MOST_MACHINES = 64 << 10;

/** Annotations for what the descriptor says; no disk is opened. */
export function packageAnnotations(pkg: Package, ctx: Context): Readonly<Record<string, string>> {
  const { envelope } = pkg;
  const machines = envelope?.systems.map((system) => machineFacts(pkg, envelope, system, ctx)) ?? [];
  const product = [...(envelope?.systems ?? []), ...(envelope === undefined ? [] : [envelope])]
    .flatMap(({ products }) => products)
    .find((each) => each.product !== undefined || each.version !== undefined);
  const eulas = [...(envelope?.eulas ?? []), ...(envelope?.systems ?? []).flatMap((system) => system.eulas)];
  const producer = envelope && [envelope.producer.kind, envelope.producer.detail].filter(Boolean).join(", ");
  const known: Readonly<Record<string, string | undefined>> = {
    "org.opencontainers.image.created":
      ctx.epoch === undefined ? undefined : new Date(ctx.epoch * 1000).toISOString().replace(".000Z", "Z"),
    "org.opencontainers.image.description": machines[0]?.annotation,
    "org.opencontainers.image.title": product?.product?.value || machines[0]?.name || pkg.name,
    "org.opencontainers.image.url": product?.productUrl,
    "org.opencontainers.image.vendor": product?.vendor?.value,
    "org.opencontainers.image.version": product?.fullVersion ?? product?.version,
    [EULA]: eulas.length === 0 ? undefined : digestOf(eulas.map(({ value }) => value).join("\n")),
    [KIND]: pkg.kind,
    [MACHINES]: machines.length === 0 ? undefined : fitting(machines),
    [NAME]: pkg.name,
    [OVF_VERSION]: envelope?.version,
    [PRODUCER]: producer,
  };
  return Object.fromEntries(
    Object.entries(known).flatMap(([name, text]) => (text ? [[name, name === MACHINES ? text : cut(text)]] : [])),
  );
}

function digestOf(text: string): string {
  return `sha256:${createHash("sha256").update(text).digest("hex")}`;
}

function cut(text: string): string {
  return text.length <= LONGEST_TEXT
    ? text
    : `${[...text.slice(0, 2 * LONGEST_TEXT)].slice(0, LONGEST_TEXT).join("")}…`;
}

function fitting(machines: readonly MachineFacts[]): string {
  for (let count = machines.length; ; count--) {
    const text = JSON.stringify(machines.slice(0, count));
    if (count === 0 || Buffer.byteLength(text) <= MOST_MACHINES) return text;
  }
}

function machineFacts(pkg: Package, envelope: Envelope, system: VirtualSystem, ctx: Context): MachineFacts {
  const hardware = attempt(() => hardwareFor(envelope, system, undefined, ctx));
  const holding = hardware?.drives.filter(({ disk, file }) => disk !== undefined || file !== undefined) ?? [];
  const media = holding
    .filter(({ kind }) => kind !== "disk")
    .map((drive) => ({ drive, member: drive.file && pkg.membersOf(drive.file)[0] }));
  const name = system.name ?? system.id ?? pkg.name;
  const { properties: _, annotation, ...described } = describeMachine({ system, hardware, media }, name);
  const disks = holding
    .filter(({ kind }) => kind === "disk")
    .map(({ file, capacity, disk }) => ({ file: file?.href, capacity, format: disk?.format }));
  return { ...described, annotation: annotation && cut(annotation), disks };
}

/** What the descriptor says wrong is no reason not to keep the package. */
function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (cause) {
    if (cause instanceof ConverterError) return undefined;
    throw cause;
  }
}

/** What an artifact's manifest says of its package: claims, whoever made it. Undefined for what is no package. */
export function readPackageFacts(manifest: ImageManifest): PackageFacts | undefined {
  if (!isPackageArtifact(manifest)) return undefined;
  const { annotations = {} } = manifest;
  return {
    kind: annotations[KIND] ?? "package",
    name: annotations[NAME] ?? "",
    ovfVersion: annotations[OVF_VERSION],
    producer: annotations[PRODUCER],
    members: membersOf(manifest.layers),
    machines: attempt(() => parseMachines(annotations[MACHINES])) ?? [],
  };
}

/** Pieces of one file stand behind each other. */
function membersOf(layers: readonly Descriptor[]): PackageFacts["members"] {
  const members = new Map<string, { name: string; role: MemberRole; size: number }>();
  for (const { mediaType, size, annotations } of layers) {
    const role = roleOf(mediaType);
    if (role === undefined) continue;
    const name = annotations?.[WHOLE_FILE] ?? annotations?.[TITLE] ?? "";
    const known = members.get(name);
    if (known === undefined) members.set(name, { name, role, size });
    else known.size += size;
  }
  return [...members.values()];
}

function parseMachines(text: string | undefined): readonly MachineFacts[] {
  if (text === undefined) return [];
  const list = parseJson(Buffer.from(`{"machines":${text}}`), MACHINES);
  return new Fields(list, "", MACHINES).objects("machines").map(parseMachine);
}

function parseMachine(fields: Fields): MachineFacts {
  const hardware = fields.object("hardware") ?? new Fields({}, "hardware", MACHINES);
  return {
    name: fields.text("name"),
    product: fields.optionalText("product"),
    operatingSystem: fields.optionalText("operatingSystem"),
    hardware: {
      cpus: optionalCount(hardware, "cpus"),
      memory: optionalCount(hardware, "memory"),
      firmware: hardware.optionalText("firmware"),
      controllers: hardware.texts("controllers"),
      networkAdapters: hardware.texts("networkAdapters"),
      media: hardware.texts("media"),
    },
    eulas: optionalCount(fields, "eulas") ?? 0,
    annotation: fields.optionalText("annotation"),
    disks: fields.objects("disks").map((disk) => ({
      file: disk.optionalText("file"),
      capacity: optionalCount(disk, "capacity"),
      format: disk.optionalText("format"),
    })),
  };
}

function optionalCount(fields: Fields, key: string): number | undefined {
  return fields.has(key) ? fields.count(key) : undefined;
}
