import { displayPath } from "../src/bytes/byte-path.ts";
import type { Context } from "../src/context.ts";
import { ConverterError } from "../src/errors.ts";
import type { Descriptor } from "../src/oci/descriptor.ts";
import type { ImageConfig } from "../src/oci/image-config.ts";
import type { ImageManifest } from "../src/oci/manifest.ts";
import { verifyCertificate } from "../src/ovf/certificate.ts";
import type { Package } from "../src/ovf/package.ts";
import { openImageFiles } from "../src/transport/image-files.ts";
import type { ImageSource } from "../src/transport/image-transport.ts";
import type { OpenImage } from "../src/transport/open-image.ts";
import { type FilesOptions, guestTreeOf, openImageAt } from "./files.ts";
import { readOsRelease } from "./guest/os-release.ts";
import { compileGuestPolicy } from "./guest/policy.ts";
import { describeMachine, type MachineDescription } from "./machine/description.ts";
import { type Machine, type MachineOptions, openGuest, openMachine } from "./machine/machine.ts";
import type { RootOptions } from "./machine/root.ts";
import { type Content, describeContent, type Place } from "./machine/stack.ts";
import { openPackageAt } from "./open.ts";
import { guestFacts } from "./ovf-to-oci/facts.ts";
import { type PackageFacts, readPackageFacts } from "./package-form/facts.ts";
import { parseReference, type Reference } from "./reference.ts";

export type Inspection = PackageInspection | ImageInspection;

export interface ImageInspection {
  readonly kind: "image";
  readonly reference: string;
  readonly descriptor: Descriptor;
  readonly manifest: ImageManifest;
  readonly config: ImageConfig | undefined;
  /** What the manifest claims of the package in it; undefined for every other image. */
  readonly package: PackageFacts | undefined;
  /** What the layers hold together, where that was asked for. */
  readonly files: { readonly os: GuestInspection["os"]; readonly entries: number; readonly bytes: number } | undefined;
  /** What names this image as its subject: signatures, bills of material, descriptors. */
  readonly referrers: readonly Descriptor[];
}

/** Sizes are bytes everywhere. */
export interface PackageInspection {
  readonly kind: "package";
  readonly reference: string;
  readonly package: {
    readonly kind: Package["kind"];
    readonly name: string;
    readonly size: number;
    readonly ovfVersion: string | undefined;
    readonly producer: string | undefined;
    readonly members: readonly { readonly name: string; readonly role: string; readonly size: number }[];
    readonly manifest: boolean;
    /** Whose signature the manifest has, which holds; whether to trust it is for the reader to judge. */
    readonly signature:
      | { readonly subject: string; readonly selfSigned: boolean; readonly validTo: string }
      | undefined;
    readonly configurations: readonly { readonly id: string; readonly label: string | undefined }[];
  };
  readonly machines: readonly MachineInspection[];
}

export interface MachineInspection extends MachineDescription {
  readonly disks: readonly DiskInspection[];
  /** Volume groups and arrays that take their bytes from several places. */
  readonly groups: readonly PlaceInspection[];
  readonly guest: GuestInspection | undefined;
  /** Why there is no `guest`, or no machine at all. */
  readonly problem:
    | { readonly code: string; readonly message: string; readonly advice: string | undefined }
    | undefined;
}

export interface DiskInspection extends PlaceInspection {
  readonly file: string | undefined;
  readonly format: string;
  readonly capacity: number;
  readonly stored: number | undefined;
}

/** A disk, partition or volume, and what is on it. */
export interface PlaceInspection {
  readonly device: string;
  readonly size: number;
  readonly type: string | undefined;
  readonly label: string | undefined;
  readonly bootable: boolean;
  readonly start: number | undefined;
  /** What it holds, in a few words. */
  readonly holds: string;
  readonly fileSystem:
    | {
        readonly type: string;
        readonly uuid: string | undefined;
        readonly label: string | undefined;
        readonly used: number | undefined;
      }
    | undefined;
  readonly mountPoint: string | undefined;
  readonly volumes: readonly PlaceInspection[];
}

export interface GuestInspection {
  readonly os: {
    readonly id: string | undefined;
    readonly name: string | undefined;
    readonly version: string | undefined;
  };
  readonly platform: { readonly os: string; readonly architecture: string; readonly variant?: string };
  readonly init: string;
  readonly root: string;
  readonly mounts: readonly { readonly path: string; readonly device: string }[];
  /** Those that an image may be about. */
  readonly services: readonly {
    readonly name: string;
    readonly command: readonly string[] | undefined;
    readonly user: string | undefined;
  }[];
  readonly stockServices: number;
  readonly ports: readonly string[];
  readonly suggestedVolumes: readonly string[];
  readonly starts: readonly string[];
}

export interface InspectOptions extends FilesOptions {
  /** Reads the layers of an image as well, for `files` of what is told of it. */
  readonly files?: boolean;
}

/** Everything that a person wants to see of a strange machine or image; reads metadata only, unless `files` asks for more. */
export async function inspect(source: string, options: InspectOptions, ctx: Context): Promise<Inspection> {
  const reference = await parseReference(source, ctx);
  if (reference.side === "image") return await inspectImage(source, reference, options, ctx);
  await using pkg = await openPackageAt(reference, ctx);
  const { envelope } = pkg;
  const names = options.system === undefined ? envelope?.systems.map(({ id, name }) => id ?? name) : [options.system];
  const machines: MachineInspection[] = [];
  for (const system of names ?? [undefined]) {
    machines.push(await inspectMachine(pkg, { ...options, ...(system === undefined ? {} : { system }) }, ctx));
  }
  return {
    kind: "package",
    reference: source,
    package: {
      kind: pkg.kind,
      name: pkg.name,
      size: pkg.size,
      ovfVersion: envelope?.version,
      producer:
        envelope && [envelope.producer.kind, envelope.producer.detail].filter((part) => part !== undefined).join(", "),
      members: pkg.members.map(({ name, role, size }) => ({ name: displayPath(name), role, size })),
      manifest: pkg.manifest !== undefined,
      signature: await signatureOf(pkg, ctx),
      configurations: envelope?.configurations.map(({ id, label }) => ({ id, label: label?.value })) ?? [],
    },
    machines,
  };
}

async function signatureOf(pkg: Package, ctx: Context): Promise<PackageInspection["package"]["signature"]> {
  const report = await verifyCertificate(pkg, ctx);
  if (report === undefined) return undefined;
  const { subject, selfSigned, validTo } = report;
  return { subject: subject.split("\n").join(", "), selfSigned, validTo: validTo.toISOString() };
}

async function inspectImage(
  text: string,
  reference: Reference,
  { platform, files = false }: InspectOptions,
  ctx: Context,
): Promise<ImageInspection> {
  const { source, image } = await openImageAt(reference, platform, ctx);
  try {
    const { descriptor, manifest, config } = image;
    return {
      kind: "image",
      reference: text,
      descriptor,
      manifest,
      config,
      package: readPackageFacts(manifest),
      referrers: (await source.referrers?.(descriptor.digest)) ?? [],
      files: files ? await filesOf(source, image, ctx) : undefined,
    };
  } finally {
    await source[Symbol.asyncDispose]();
  }
}

/** Small files that tell what system it is. */
const TELLING = /^(?:etc|usr\/lib)\/[^/]*(?:release|version)$/;
const MOST_TELLING = 64 << 10;

async function filesOf(source: ImageSource, image: OpenImage, ctx: Context): Promise<ImageInspection["files"]> {
  const keep = (path: string, size: number) => size <= MOST_TELLING && TELLING.test(path);
  const tree = await openImageFiles(source, image, { keep }, ctx);
  const { id, version, prettyName } = await readOsRelease(guestTreeOf(tree), ctx);
  return { os: { id, name: prettyName, version }, entries: tree.count, bytes: tree.size };
}

async function inspectMachine(
  pkg: Package,
  options: MachineOptions & RootOptions,
  ctx: Context,
): Promise<MachineInspection> {
  let machine: Machine;
  try {
    machine = await openMachine(pkg, options, ctx);
  } catch (cause) {
    const system = pkg.envelope?.systems.find(({ id, name }) => (id ?? name) === options.system);
    return {
      ...describeMachine({ system }, options.system ?? pkg.name),
      disks: [],
      groups: [],
      guest: undefined,
      problem: problem(cause),
    };
  }
  try {
    const found = await inspectGuest(machine, options, ctx);
    const mounts = new Map("mounts" in found ? found.mounts.map(({ path, device }) => [device, path]) : []);
    const files = new Map(machine.disks.map(({ device, member }) => [device, member && displayPath(member.name)]));
    return {
      ...describeMachine(machine, machine.name),
      disks: machine.stack.disks.map((place) => ({
        ...inspectPlace(place, mounts),
        file: files.get(place.device),
        format: [place.source.format, place.source.variant].filter((part) => part !== undefined).join(" "),
        capacity: place.source.size,
        stored: place.source.storedBytes,
      })),
      groups: machine.stack.groups.map(({ system, volumes }) => ({
        ...NOTHING_MORE,
        device: system.label ?? system.scheme,
        size: volumes.reduce((sum, { source }) => sum + source.size, 0),
        holds: system.scheme,
        volumes: volumes.map((volume) => inspectPlace(volume, mounts)),
      })),
      ...("problem" in found ? { guest: undefined, problem: found.problem } : { guest: found, problem: undefined }),
    };
  } finally {
    await machine[Symbol.asyncDispose]();
  }
}

const NOTHING_MORE = {
  type: undefined,
  label: undefined,
  bootable: false,
  start: undefined,
  fileSystem: undefined,
  mountPoint: undefined,
};
function inspectPlace(place: Place, mounts: ReadonlyMap<string, string>): PlaceInspection {
  const { device, source, volume, content } = place;
  return {
    device,
    size: source.size,
    type: volume?.typeName,
    label: volume?.label,
    bootable: volume?.bootable ?? false,
    start: volume?.start,
    holds: describeContent(content),
    fileSystem: fileSystemOf(content),
    mountPoint: mounts.get(device),
    volumes: content.kind === "volumes" ? content.volumes.map((inner) => inspectPlace(inner, mounts)) : [],
  };
}

function fileSystemOf(content: Content): PlaceInspection["fileSystem"] {
  if (content.kind !== "file-system") return undefined;
  const { type, uuid, label, fileSystem } = content;
  return { type, uuid, label, used: fileSystem.used };
}

async function inspectGuest(
  machine: Machine,
  options: RootOptions,
  ctx: Context,
): Promise<GuestInspection | { readonly problem: MachineInspection["problem"] }> {
  try {
    const guest = await openGuest(machine, options, ctx);
    const policy = await compileGuestPolicy(guest.tree, guestFacts(machine, ctx), {}, ctx);
    const { id, prettyName, version } = policy.osRelease;
    return {
      os: { id, name: prettyName, version },
      platform: policy.platform,
      init: policy.init,
      root: guest.root.place.device,
      mounts: guest.mounts.map(({ path, place }) => ({ path: `/${displayPath(path)}`, device: place.device })),
      services: policy.candidates.map(({ name, command, user }) => ({ name, command, user })),
      stockServices: policy.services.length - policy.candidates.length,
      ports: policy.ports,
      suggestedVolumes: policy.suggestedVolumes,
      starts: [...(policy.command.entrypoint ?? []), ...(policy.command.cmd ?? [])],
    };
  } catch (cause) {
    return { problem: problem(cause) };
  }
}

function problem(cause: unknown): NonNullable<MachineInspection["problem"]> {
  if (!(cause instanceof ConverterError)) throw cause;
  return { code: cause.code, message: cause.message, advice: cause.advice };
}
