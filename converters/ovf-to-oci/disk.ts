import { bytePath } from "../../src/bytes/byte-path.ts";
import type { ByteSource } from "../../src/bytes/byte-source.ts";
import { contentOf } from "../../src/bytes/content.ts";
import type { Digest } from "../../src/bytes/digest.ts";
import { type Entry, NO_XATTRS } from "../../src/bytes/entry.ts";
import { spoolWriting } from "../../src/bytes/spool.ts";
import type { Context } from "../../src/context.ts";
import type { DiskWriter } from "../../src/disk/disk-writer.ts";
import { diskWriters } from "../../src/disk/writers.ts";
import type { Descriptor } from "../../src/oci/descriptor.ts";
import { type LayerCompression, type LayerEntry, LayerWriter } from "../../src/oci/layer-writer.ts";
import { platformText } from "../../src/oci/platform.ts";
import type { ManifestReport } from "../../src/ovf/manifest.ts";
import type { ImageDestination } from "../../src/transport/image-transport.ts";
import type { Converter, Plan } from "../converter.ts";
import { hardwareLabel } from "../guest/labels.ts";
import { diskNumber } from "../machine/errors.ts";
import type { Machine, MachineDisk } from "../machine/machine.ts";
import { fileStem } from "./destination.ts";
import { diskAmbiguous, diskFormatUnknown, layerLarge } from "./disk-errors.ts";
import { type DiskGuest, diskGuest, diskLabels } from "./disk-facts.ts";
import { guestFacts } from "./facts.ts";
import { putImage } from "./put-image.ts";
import { whileVerifying } from "./verification.ts";

/** What KubeVirt runs as. */
const QEMU_USER = 107;

/** Largest layers, in bytes, by the registries' own pages. */
const LAYER_LIMITS: readonly (readonly [registry: string, bytes: number])[] = [
  ["ghcr.io (10 GB)", 10e9],
  ["Amazon ECR (52,000 MiB)", 52_000 * 2 ** 20],
];

const DISK_IMAGE_FORMATS = ["qcow2", "raw"] as const;
type DiskImageFormat = (typeof DISK_IMAGE_FORMATS)[number];

/** QCOW2 is compressed already: measured, gzip takes less than 1 % off it. */
const DEFAULT_COMPRESSION: Readonly<Record<DiskImageFormat, LayerCompression>> = {
  qcow2: { kind: "none", level: 0 },
  raw: { kind: "gzip", level: 2 },
};

export interface DiskOptions {
  /** From 1; needed where the machine has several. */
  readonly disk?: number;
  readonly diskFormat?: string;
  /** Of the layer. */
  readonly compression?: LayerCompression;
  /** False skips the manifest's digests and the certificate. */
  readonly verify?: boolean;
  readonly platform?: string;
  /** `name=value`. */
  readonly labels?: readonly string[];
  readonly annotations?: readonly string[];
}

export interface DiskPlan extends Plan {
  readonly machine: Machine;
  readonly disk: MachineDisk;
  readonly format: DiskImageFormat;
  readonly guest: DiskGuest;
  /** Of the disk's file in the layer: `disk/web01.qcow2`. */
  readonly path: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly compression: LayerCompression;
  readonly verify: boolean;
}

export interface DiskResult {
  readonly manifest: Descriptor;
  readonly layer: Descriptor;
  readonly diffId: Digest;
  readonly config: Descriptor;
  readonly verified: ManifestReport | undefined;
  /** Bytes of the layer whose compression was taken over from the source. */
  readonly layerReused: number;
  /** Bytes of the disk file that were spooled. */
  readonly spooled: number;
}

/**
 * One disk of a machine as a KubeVirt containerDisk: an image from scratch that holds exactly one file, in /disk, of the user
 * that QEMU runs as. What else is known of the machine stands in labels. Throws UsageError DISK_AMBIGUOUS, DISK_FORMAT and
 * MACHINE_DISK_NUMBER.
 */
export const disk: Converter<Machine, DiskOptions, DiskPlan, ImageDestination, DiskResult> = {
  name: "disk",

  async plan(machine, options, ctx) {
    const chosen = chooseDisk(machine, options.disk);
    const format = DISK_IMAGE_FORMATS.find((each) => each === (options.diskFormat ?? "qcow2"));
    if (format === undefined) throw diskFormatUnknown(options.diskFormat ?? "");
    const facts = guestFacts(machine, ctx);
    const guest = await diskGuest(machine, facts, options.platform, ctx);
    const path = `disk/${fileStem(machine.name) ?? "disk"}.${format}`;
    const labels = (asked: readonly string[] = []) => diskLabels(machine, chosen, facts, guest.os, asked, ctx);
    return {
      source: machine.package.name,
      uses: [
        `disk ${machine.disks.indexOf(chosen) + 1} of ${machine.disks.length}, ${describeDisk(chosen)}, as /${path}`,
        `platform ${platformText(guest.platform)}`,
      ],
      omissions: [],
      machine,
      disk: chosen,
      format,
      guest,
      path,
      labels: labels([...hardwareLabel(facts), ...(options.labels ?? [])]),
      annotations: labels(options.annotations),
      compression: options.compression ?? DEFAULT_COMPRESSION[format],
      verify: options.verify ?? true,
    };
  },

  async run(plan, destination, ctx) {
    const { result, verified } = await whileVerifying(plan.machine.package, plan.verify, ctx, (running) =>
      writeImage(plan, destination, running),
    );
    await destination.commit();
    return { ...result, verified };
  },
};

function chooseDisk({ disks }: Machine, wanted: number | undefined): MachineDisk {
  const [only, ...others] = disks;
  if (wanted === undefined && others.length > 0) throw diskAmbiguous(disks.map(describeDisk));
  const chosen = wanted === undefined ? only : disks[wanted - 1];
  if (chosen === undefined)
    throw diskNumber(
      wanted ?? 1,
      disks.map(({ device }) => device),
    );
  return chosen;
}

function describeDisk({ disk: { format, size }, member, device }: MachineDisk): string {
  return `${member?.name ?? `blank ${device}`}: ${format}, ${size} bytes`;
}

async function writeImage(plan: DiskPlan, destination: ImageDestination, ctx: Context) {
  const { disk, machine, compression, guest, labels, annotations } = plan;
  await using file = await diskFile(plan, ctx);
  const entries = layerEntries(plan.path, file.content, ctx);
  let layer = new LayerWriter(entries, compression, ctx);
  const { content } = file;
  // A registry whose connection broke asks for the layer again.
  const bytes = () => {
    layer = new LayerWriter(entries, compression, ctx);
    return withProgress(layer, machine.name, content.size, ctx);
  };
  const blob = await destination.putBlob(bytes, { mediaType: layer.mediaType });
  reportSize(disk, blob.size, ctx);
  const image = {
    layers: [{ layer: blob, diffId: layer.diffIdOf(blob.digest) }],
    platform: guest.platform,
    execution: { labels },
    annotations,
    comment: `disk of ${machine.name}`,
  };
  const { manifest, config } = await putImage(destination, image, ctx);
  const { reused } = layer.totals;
  return {
    manifest,
    layer: blob,
    diffId: layer.diffIdOf(blob.digest),
    config,
    layerReused: reused,
    spooled: file.spooled,
  };
}

function reportSize({ member, device }: MachineDisk, size: number, ctx: Context): void {
  const refusing = LAYER_LIMITS.filter(([, most]) => size > most).map(([registry]) => registry);
  if (refusing.length > 0) ctx.diagnostic(layerLarge(member?.name ?? device, size, refusing));
}

/** The disk's file as a source, since its size stands in front of it in the layer. A raw one is the disk as it is read. */
async function diskFile({ disk: { disk }, format }: DiskPlan, ctx: Context) {
  if (format === "raw") return { content: disk as ByteSource, spooled: 0, [Symbol.asyncDispose]: async () => {} };
  const entry = diskWriters.byName(format);
  if (entry === undefined) throw diskFormatUnknown(format);
  const writer: DiskWriter = await entry.load();
  const content = await spoolWriting(writer.write(contentOf(disk), {}, ctx), disk.name, ctx);
  return { content, spooled: content.size, [Symbol.asyncDispose]: () => content[Symbol.asyncDispose]() };
}

/** CDI takes the first file whose name begins with `disk` or `./disk`; KubeVirt wants no other in the folder. */
function layerEntries(path: string, content: ByteSource, ctx: Context): readonly LayerEntry[] {
  const common = {
    links: 1,
    uid: QEMU_USER,
    gid: QEMU_USER,
    mtime: { seconds: ctx.epoch ?? 0, nanoseconds: 0 },
    xattrs: NO_XATTRS,
  };
  const folder: Entry = { ...common, type: "directory", path: bytePath("disk"), inode: 1, mode: 0o755 };
  const file: Entry = { ...common, type: "file", path: bytePath(path), inode: 2, mode: 0o444, size: content.size };
  return [{ entry: folder }, { entry: file, content }];
}

async function* withProgress(layer: LayerWriter, item: string, total: number, ctx: Context): AsyncIterable<Uint8Array> {
  for await (const chunk of layer.bytes()) {
    ctx.progress({ stage: "layer", item, done: layer.totals.plain, total: Math.max(total, layer.totals.plain) });
    yield chunk;
  }
}
