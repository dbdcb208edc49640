import { basename } from "node:path";
import { contentOf } from "../../src/bytes/content.ts";
import { writeOutput } from "../../src/bytes/output-file.ts";
import type { Context } from "../../src/context.ts";
import { writer as rawWriter } from "../../src/disk/raw/writer.ts";
import { diskWriters } from "../../src/disk/writers.ts";
import type { OpenImage } from "../../src/transport/open-image.ts";
import type { ConvertRequest, ImageConversion } from "../conversion.ts";
import { LABEL_PREFIX } from "../guest/labels.ts";
import type { Reference } from "../reference.ts";
import { type ApplianceSystem, applianceForm, writeAppliance } from "./appliance.ts";
import { type ImageDisk, openImageDisk } from "./disk-image.ts";
import { diskTarget } from "./errors.ts";

/** The disk of a KubeVirt containerDisk: as the file that it is, as a disk image of another format, or as an appliance. */
export const conversion: ImageConversion = {
  async plan({ image }, _request, { to }) {
    checkTarget(to);
    const layers = image.manifest.layers.reduce((sum, { size }) => sum + size, 0);
    const uses = [`the file in /disk, of ${layers} bytes of layers`];
    return { form: "disk", uses, omissions: [], secrets: [], tempBytes: 0 };
  },

  async run(from, request, { to }, ctx) {
    checkTarget(to);
    const { image } = from;
    await using opened = await openImageDisk(from, ctx);
    const size = await write(opened, image, request, to, ctx);
    const { disk, file, name } = opened;
    return {
      source: {
        size: image.descriptor.size,
        kind: "disk",
        vm: machineName(image, name),
        disks: [{ file: name, format: disk.format, capacity: disk.size }],
      },
      target: { mode: "disk", size },
      bytesWritten: size,
      bytesReused: 0,
      tempBytes: file.size,
    };
  },

  async machine(from, _name, _request, closing, ctx) {
    const opened = await openImageDisk(from, ctx);
    closing.push(opened);
    return machineOf(opened, from.image);
  },
};

function machineOf({ disk, name }: ImageDisk, image: OpenImage): ApplianceSystem {
  const { labels = {} } = image.config?.execution ?? {};
  return { name: machineName(image, name), labels, identity: image.descriptor.digest, disks: [contentOf(disk)] };
}

/** Throws UnsupportedError DISK_TARGET. */
function checkTarget(to: Reference): void {
  if (applianceForm(to) === undefined && diskWriters.byName(to.transport) === undefined) {
    throw diskTarget(
      to.transport,
      diskWriters.entries.map(({ name }) => name),
    );
  }
}

async function write(
  opened: ImageDisk,
  image: OpenImage,
  request: ConvertRequest,
  to: Reference,
  ctx: Context,
): Promise<number> {
  const { force = false } = request;
  const { disk, file } = opened;
  const form = applianceForm(to);
  if (form !== undefined) {
    return (await writeAppliance({ systems: [machineOf(opened, image)], ...form, force, options: request }, ctx)).size;
  }
  // What is asked for may be the very file: then its bytes go out as they are, holes included.
  const isSame = disk.format === to.transport;
  const writer = isSame ? rawWriter : await diskWriters.byName(to.transport)?.load();
  if (writer === undefined) throw new Error("a target that was not checked");
  return await writeOutput(
    writer.write(isSame ? contentOf(file) : contentOf(disk), {}, ctx),
    to.details,
    { force },
    ctx,
  );
}

/** As the image remembers it, else after the disk's file. */
function machineName({ config }: OpenImage, file: string): string {
  return config?.execution.labels?.[`${LABEL_PREFIX}vm.name`] ?? basename(file).replace(/\.[^.]*$/, "");
}
