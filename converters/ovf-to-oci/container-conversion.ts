import { platformText } from "../../src/oci/platform.ts";
import type { Conversion } from "../conversion.ts";
import { openMachineAt } from "../open.ts";
import { container } from "./container.ts";
import { openImageDestination } from "./destination.ts";
import { machineFacts } from "./machine-facts.ts";

/** `--as container`: the guest's files as an image that runs. */
export const conversion: Conversion = {
  async plan(request, _places, ctx) {
    await using opened = await openMachineAt(request.source, request, ctx);
    const { uses, omissions, report } = await container.plan(opened.machine, { ...request, survey: true }, ctx);
    const tempBytes = opened.machine.package.spooled;
    return { form: "container", uses, omissions, secrets: report.secrets, tempBytes };
  },

  async run(request, { to }, ctx) {
    await using opened = await openMachineAt(request.source, request, ctx);
    const { machine } = opened;
    const plan = await container.plan(machine, request, ctx);
    await using output = await openImageDestination(to, machine.name, request, ctx);
    const { manifest, layers, layerReused, config, report } = await container.run(plan, output, ctx);
    const { policy } = plan;
    const { id, version } = policy.osRelease;
    const os = id === undefined ? {} : { os: { id, ...(version === undefined ? {} : { version }) } };
    const size = layers.reduce((sum, { layer }) => sum + layer.size, manifest.size + config.size);
    return {
      source: { ...machineFacts(machine), ...os },
      target: {
        mode: "container",
        digest: manifest.digest,
        mediaType: manifest.mediaType,
        size,
        layers: layers.map(({ layer: { digest, size } }) => ({ digest, size, kind: "local" })),
        platform: platformText(policy.platform),
      },
      config: policy.config,
      excluded: report.excluded,
      secrets: report.secrets,
      replaced: report.replaced,
      bytesWritten: size,
      bytesReused: layerReused,
      tempBytes: machine.package.spooled,
    };
  },
};
