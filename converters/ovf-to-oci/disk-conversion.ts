import { platformText } from "../../src/oci/platform.ts";
import type { Conversion, ConvertRequest } from "../conversion.ts";
import { openMachineAt } from "../open.ts";
import type { Reference } from "../reference.ts";
import { imageName, openImageDestination } from "./destination.ts";
import { type DiskPlan, disk } from "./disk.ts";
import { emitUnknown } from "./disk-errors.ts";
import { kubeVirtManifest } from "./kubevirt.ts";
import { machineFacts } from "./machine-facts.ts";

/** `--as disk`: one disk of the machine as an image that KubeVirt runs. */
export const conversion: Conversion = {
  async plan(request, _places, ctx) {
    checkEmit(request);
    await using opened = await openMachineAt(request.source, request, ctx);
    const { uses, omissions } = await disk.plan(opened.machine, request, ctx);
    const tempBytes = opened.machine.package.spooled;
    return { form: "disk", uses, omissions, secrets: [], tempBytes };
  },

  async run(request, { to }, ctx) {
    checkEmit(request);
    await using opened = await openMachineAt(request.source, request, ctx);
    const { machine } = opened;
    const plan = await disk.plan(machine, request, ctx);
    await using output = await openImageDestination(to, machine.name, request, ctx);
    const { manifest, layer, layerReused, config, spooled } = await disk.run(plan, output, ctx);
    const { os } = plan.guest;
    const size = manifest.size + config.size + layer.size;
    return {
      source: {
        ...machineFacts(machine),
        ...(os === undefined
          ? {}
          : { os: { id: os.id, ...(os.version === undefined ? {} : { version: os.version }) } }),
      },
      target: {
        mode: "disk",
        digest: manifest.digest,
        mediaType: manifest.mediaType,
        size,
        layers: [{ digest: layer.digest, size: layer.size, kind: "disk" }],
        platform: platformText(plan.guest.platform),
      },
      config: { labels: plan.labels },
      ...(request.emit === undefined ? {} : { emitted: manifestFor(plan, request, to) }),
      bytesWritten: size,
      bytesReused: layerReused,
      tempBytes: machine.package.spooled + spooled,
    };
  },
};

function checkEmit({ emit }: ConvertRequest): void {
  if (emit !== undefined && emit !== "kubevirt-yaml") throw emitUnknown(emit);
}

function manifestFor({ machine, disk: chosen, guest, path }: DiskPlan, { tag }: ConvertRequest, to: Reference): string {
  const { disks, hardware, name } = machine;
  const number = disks.indexOf(chosen) + 1;
  const pushed = to.transport === "docker";
  const image = pushed ? to.details : (tag ?? imageName(name) ?? "machine:latest");
  return kubeVirtManifest({
    name,
    hardware,
    platform: guest.platform,
    bus: chosen.drive?.controller?.kind === "virtio-scsi" ? "scsi" : "sata",
    image,
    path: `/${path}`,
    notes: [
      ...(pushed ? [] : ["push the image to a registry, and name it so under containerDisk"]),
      ...(disks.length > 1 ? [`this is disk ${number} of ${disks.length}: convert the others too, and add them`] : []),
    ],
  });
}
