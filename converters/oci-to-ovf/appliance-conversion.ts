import { basename } from "node:path";
import type { Context } from "../../src/context.ts";
import { platformText } from "../../src/oci/platform.ts";
import type { ConvertRequest, ImageConversion, Places, SourceImage } from "../conversion.ts";
import { LABEL_PREFIX } from "../guest/labels.ts";
import { type ApplianceSystem, applianceForm, writeAppliance } from "./appliance.ts";
import { formUnwritable } from "./errors.ts";
import { planMachine } from "./machine-plan.ts";

/** An image as an appliance that boots. */
export const conversion: ImageConversion = {
  async plan(from, request, places, ctx) {
    formOf(places);
    const { uses } = await withClosing((closing) => planMachine(from, nameOf(from, places), request, closing, ctx));
    return { form: "container", uses, omissions: [], secrets: [], tempBytes: 0 };
  },

  async run(from, request, places, ctx) {
    const form = formOf(places);
    const name = nameOf(from, places);
    const { descriptor, config } = from.image;
    return await withClosing(async (closing) => {
      const system = await machineOf(from, name, request, closing, ctx);
      const { force = false } = request;
      const { size } = await writeAppliance({ systems: [system], ...form, force, options: request }, ctx);
      return {
        source: { size: descriptor.size, kind: "image" },
        target: {
          mode: "container",
          size,
          ...(config === undefined ? {} : { platform: platformText(config.platform) }),
        },
        ...(config === undefined ? {} : { config: config.execution }),
        bytesWritten: size,
        bytesReused: 0,
        tempBytes: 0,
      };
    });
  },

  machine: (from, name, request, closing, ctx) => machineOf(from, recordedName(from) ?? name, request, closing, ctx),
};

async function machineOf(
  from: SourceImage,
  name: string,
  request: ConvertRequest,
  closing: AsyncDisposable[],
  ctx: Context,
): Promise<ApplianceSystem> {
  const { descriptor, config } = from.image;
  const { disk, os } = await planMachine(from, name, request, closing, ctx);
  const labels = config?.execution.labels;
  return { name, os, disks: [disk], identity: descriptor.digest, ...(labels === undefined ? {} : { labels }) };
}

/** Gives back what was added to the list when `work` is done, the last first. */
export async function withClosing<T>(work: (closing: AsyncDisposable[]) => Promise<T>): Promise<T> {
  const closing: AsyncDisposable[] = [];
  try {
    return await work(closing);
  } finally {
    for (const each of closing.reverse()) await each[Symbol.asyncDispose]();
  }
}

function formOf({ to }: Places) {
  const form = applianceForm(to);
  if (form === undefined) throw formUnwritable(to.transport);
  return form;
}

/** The machine's name: as it was recorded, else that of the file, else that of the image. */
function nameOf(source: SourceImage, { to, from }: Places): string {
  const recorded = recordedName(source);
  const file = to.details === "-" ? "" : basename(to.details).replace(/\.(ova|ovf|box)$/i, "");
  const reference = basename(from.details).replace(/[:@].*$/, "");
  return [recorded, file, reference].find((each) => each !== undefined && each !== "" && each !== "-") ?? "appliance";
}

function recordedName({ image }: SourceImage): string | undefined {
  return image.config?.execution.labels?.[`${LABEL_PREFIX}vm.name`] || undefined;
}
