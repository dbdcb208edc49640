import { randomUUID } from "node:crypto";
import { basename, dirname } from "node:path";
import type { Content } from "../../src/bytes/content.ts";
import { writeOutput } from "../../src/bytes/output-file.ts";
import { uuidOf } from "../../src/bytes/uuid.ts";
import type { Context } from "../../src/context.ts";
import { writeStreamOptimized } from "../../src/disk/vmdk/writer.ts";
import type { LayerCompression } from "../../src/oci/layer-writer.ts";
import type { ApplianceDescription, Dialect, DiskDescription, SystemDescription } from "../../src/ovf/appliance.ts";
import { writeFolder } from "../../src/ovf/folder-writer.ts";
import { writeOva } from "../../src/ovf/ova-writer.ts";
import type { DiskFile, ManifestChoice, PackageContent } from "../../src/ovf/package-writer.ts";
import type { Reference } from "../reference.ts";
import { boxFiles } from "./box.ts";
import { sizeRounded } from "./errors.ts";
import { type DescribedMachine, describeMachine, type MachineTraits } from "./machine-description.ts";

/** How an appliance is to be written, by the names of the command line. */
export interface ApplianceOptions extends MachineTraits {
  /** The hypervisors that it is for; `portable` if absent. */
  readonly for?: Dialect;
  /** `sha256` if absent. */
  readonly manifest?: ManifestChoice;
  /** Its level is also that of the disks; 6 if absent. */
  readonly compression?: LayerCompression;
}

/** One machine of an appliance. */
export interface ApplianceSystem extends Omit<DescribedMachine, "id"> {
  /** In the order in which they hang; the first is started from. */
  readonly disks: readonly Content[];
  /** Changes when what is on the disks does, an image's digest for example: identifiers follow from it. */
  readonly identity?: string;
}

export interface ApplianceRequest {
  /** At least one; several become a collection. */
  readonly systems: readonly ApplianceSystem[];
  readonly form: "ova" | "ovf" | "box";
  /** The file, or `-`; of `ovf` the folder, or the descriptor in it. */
  readonly path: string;
  /** Replaces what stands there. */
  readonly force: boolean;
  readonly options: ApplianceOptions;
}

/** What an `ova:` or `ovf:` reference asks for: a Vagrant box is an OVA by another name. */
export function applianceForm({ transport, details }: Reference): Pick<ApplianceRequest, "form" | "path"> | undefined {
  if (transport === "ovf") return { form: "ovf", path: details };
  if (transport !== "ova") return undefined;
  return { form: /\.box$/i.test(details) ? "box" : "ova", path: details };
}

/**
 * Writes machines as an OVA, an OVF folder or a Vagrant box: a descriptor made of the options and the images' labels, and each
 * disk as a streamOptimized VMDK that is read once, in order. Answers the bytes written; what they are is seen only when all is
 * well.
 *
 *     const form = applianceForm(places.to);                       // undefined: not an appliance
 *     const { size } = await writeAppliance({
 *       systems: [{ name, description, labels: image.config.execution.labels, os: { id, version }, identity: digest, disks: [content] }],
 *       ...form, force, options: request,
 *     }, ctx);
 *
 * Throws OutputError OUTPUT_EXISTS, OVF_TEXT_UNWRITABLE; UnsupportedError OVF_BUS, OVF_NIC, OVF_DISKS_TOO_MANY,
 * VMDK_STREAM_TOO_LARGE; what the disks throw.
 */
export async function writeAppliance(request: ApplianceRequest, ctx: Context): Promise<{ readonly size: number }> {
  const { form, path, force, options } = request;
  const [first] = request.systems;
  if (first === undefined) throw new Error("an appliance without a machine");
  const standardOutput = path === "-";
  const named = standardOutput ? "" : basename(path).replace(/\.(ova|ovf|box)$/i, "");
  const name = request.systems.length > 1 && named !== "" ? named : first.name;
  const baseName = form === "box" ? "box" : memberName(named === "" ? name : named);
  const dialect = form === "box" ? "virtualbox" : (options.for ?? "portable");
  const ids = new Set<string>();
  const hrefOf = (number: number) =>
    form === "box" ? `box-disk${`${number}`.padStart(3, "0")}.vmdk` : `${baseName}-disk${number}.vmdk`;
  const disks: DiskFile[] = [];
  const systems: SystemDescription[] = [];
  for (const system of request.systems) {
    const id = uniqueId(system.name, ids);
    const laid = await layOut({ ...system, id }, (index) => hrefOf(disks.length + index + 1), options, dialect, ctx);
    disks.push(...laid.files);
    systems.push(laid.description);
  }
  const appliance: ApplianceDescription = { name, dialect, systems };
  const content: PackageContent = {
    baseName,
    appliance,
    disks,
    manifest: form === "box" ? "none" : (options.manifest ?? "sha256"),
    extras: form === "box" ? boxFiles(first.identity ?? first.name) : [],
    mtime: ctx.epoch ?? 0,
  };
  if (form !== "ovf") return { size: await writeOutput(writeOva(content), path, { force }, ctx) };
  const folder = /\.ovf$/i.test(path) ? dirname(path) : path;
  return { size: await writeFolder(content, folder, { force }, ctx) };
}

/** One machine in the descriptor, and the files of its disks. */
async function layOut(
  system: ApplianceSystem & { readonly id: string },
  hrefOf: (index: number) => string,
  options: ApplianceOptions,
  dialect: Dialect,
  ctx: Context,
): Promise<{ readonly description: SystemDescription; readonly files: readonly DiskFile[] }> {
  const contents = system.disks.map((content) => wholeMebibytes(content, ctx));
  const disks: DiskDescription[] = [];
  for (const [index, content] of contents.entries()) {
    const uuid = diskUuid(system, index, ctx);
    disks.push({ href: hrefOf(index), capacity: content.size, populated: await dataBytes(content), uuid });
  }
  const description = describeMachine(system, disks, options, dialect, ctx);
  const { compression } = options;
  const level = compression?.kind === "gzip" && compression.level > 0 ? { level: compression.level } : {};
  const adapterType = description.diskBus === "ide" ? "ide" : "lsilogic";
  const files = disks.map(({ href, uuid }, index) => ({
    href,
    write: () => writeStreamOptimized(contents[index] as Content, { ...level, adapterType, uuid, fileName: href }, ctx),
  }));
  return { description, files };
}

/** A file name of a machine's name that every reader and every system takes; it leaves room for the numbers behind it. */
function memberName(name: string): string {
  const plain = name
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .replace(/[^A-Za-z0-9._-]+/g, "-")
    .replace(/^[-.]+|[-.]+$/g, "")
    .slice(0, 60);
  return plain === "" ? "appliance" : plain;
}

function uniqueId(name: string, taken: Set<string>): string {
  let id = name;
  for (let number = 2; taken.has(id); number++) id = `${name}-${number}`;
  taken.add(id);
  return id;
}

function diskUuid({ identity, id }: ApplianceSystem & { readonly id: string }, index: number, ctx: Context): string {
  if (identity === undefined && ctx.epoch === undefined) return randomUUID();
  return uuidOf(["disk", identity ?? "", id, index].join("\n"));
}

const MIB = 1 << 20;

/** VMware has disks of whole MiB only. */
function wholeMebibytes(content: Content, ctx: Context): Content {
  const size = Math.ceil(content.size / MIB) * MIB;
  const missing = size - content.size;
  if (missing === 0) return content;
  ctx.diagnostic(sizeRounded(content.size, size, content.name));
  return {
    name: content.name,
    size,
    async *runs() {
      yield* content.runs();
      yield { length: missing, kind: "zero" };
    },
    async *pieces() {
      yield* content.pieces();
      yield { zeros: missing };
    },
  };
}

async function dataBytes(content: Content): Promise<number> {
  let bytes = 0;
  for await (const { kind, length } of content.runs()) if (kind === "data") bytes += length;
  return bytes;
}
