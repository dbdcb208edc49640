import type { ApplianceOptions } from "../../../converters/oci-to-ovf/appliance.ts";
import { DIALECTS, DISK_BUSES, NIC_MODELS, type NicDescription } from "../../ovf/appliance.ts";
import { MANIFESTS } from "../../ovf/package-writer.ts";
import { optionValue } from "../errors.ts";
import { byteSize, wholeNumber } from "../options.ts";

const MACHINE = "Machine:";

/** Options of a machine that is made of an image; what is not given comes from the image's labels. */
export const applianceOptions = {
  for: {
    choices: DIALECTS,
    group: MACHINE,
    describe: "Whose descriptor is written [default: portable, which both take]",
  },
  cpus: {
    type: "string",
    coerce: wholeNumber("cpus", 1),
    group: MACHINE,
    describe: "Processors [default: as recorded in the image, else 1]",
  },
  memory: {
    type: "string",
    coerce: byteSize("memory"),
    group: MACHINE,
    describe: "Memory: 512M, 2G [default: as recorded in the image, else 1G]",
  },
  firmware: {
    choices: ["bios", "uefi"],
    group: MACHINE,
    describe: "Firmware [default: as recorded in the image, else bios]",
  },
  "disk-bus": {
    choices: DISK_BUSES,
    group: MACHINE,
    describe: "What disks hang on [default: as recorded in the image, else sata]",
  },
  nic: {
    type: "string",
    array: true,
    nargs: 1,
    group: MACHINE,
    describe: `Network adapter, MODEL[:NETWORK], again for each, or none: ${NIC_MODELS.join(", ")}`,
  },
  manifest: {
    choices: MANIFESTS,
    default: "sha256",
    group: MACHINE,
    describe: "Digests in the appliance's manifest",
  },
} as const;

export interface ApplianceArguments {
  readonly for: ApplianceOptions["for"];
  readonly cpus: number | undefined;
  readonly memory: number | undefined;
  readonly firmware: ApplianceOptions["firmware"];
  readonly diskBus: ApplianceOptions["diskBus"];
  readonly nic: readonly string[] | undefined;
  readonly manifest: ApplianceOptions["manifest"];
}

/** The options that were given, as the library takes them. */
export function applianceRequest({ nic, ...same }: ApplianceArguments): { [K in keyof ApplianceOptions]?: unknown } {
  const { cpus, memory, firmware, diskBus, manifest } = same;
  return { for: same.for, cpus, memory, firmware, diskBus, manifest, nics: nic && adapters(nic) };
}

function adapters(texts: readonly string[]): readonly NicDescription[] {
  if (texts.length === 1 && texts[0] === "none") return [];
  return texts.map((text) => {
    const [, name, network = "NAT"] = /^([^:]+)(?::(.+))?$/.exec(text) ?? [];
    const model = NIC_MODELS.find((each) => each === name);
    if (model === undefined) throw optionValue("nic", text, `${NIC_MODELS.join(", ")}, with :NETWORK behind it or not`);
    return { model, network };
  });
}
