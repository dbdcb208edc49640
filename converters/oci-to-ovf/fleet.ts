import { basename } from "node:path";
import type { Context } from "../../src/context.ts";
import type { Conversion, ConvertRequest, Places } from "../conversion.ts";
import { severalUnsupported } from "../errors.ts";
import { withImage } from "../image-kinds.ts";
import { parseReference, type Reference } from "../reference.ts";
import { type ApplianceSystem, applianceForm, writeAppliance } from "./appliance.ts";
import { withClosing } from "./appliance-conversion.ts";

/** Several images as the machines of one appliance. Throws UsageError CONVERT_SEVERAL. */
export const conversion: Conversion = {
  async plan(request, places, ctx) {
    formOf(places);
    const uses = await withMachines(request, places, ctx, async (machines) =>
      machines.map(({ system: { name, disks } }) => {
        const sizes = disks.map(({ size }) => size);
        return `machine ${name} with ${sizes.length} disk(s) of ${sizes.join(" and ")} bytes`;
      }),
    );
    return { form: "container", uses, omissions: [], secrets: [], tempBytes: 0 };
  },

  async run(request, places, ctx) {
    const form = formOf(places);
    return await withMachines(request, places, ctx, async (machines) => {
      const systems = machines.map(({ system }) => system);
      const { size } = await writeAppliance({ systems, ...form, force: request.force ?? false, options: request }, ctx);
      const source = machines.reduce((sum, machine) => sum + machine.size, 0);
      return {
        source: { size: source, kind: "images" },
        target: { mode: "container", size },
        bytesWritten: size,
        bytesReused: 0,
        tempBytes: 0,
      };
    });
  },
};

function formOf({ to }: Places) {
  const form = applianceForm(to);
  if (form !== undefined && form.form !== "box") return form;
  throw severalUnsupported("several images do not fit into one destination of this kind", "name an .ova or ovf:FOLDER");
}

interface FleetMachine {
  readonly system: ApplianceSystem;
  /** Bytes of its image's layers. */
  readonly size: number;
}

/** Opens all images, which stay open while `work` writes them. */
async function withMachines<T>(
  request: ConvertRequest,
  { from }: Places,
  ctx: Context,
  work: (machines: readonly FleetMachine[]) => Promise<T>,
): Promise<T> {
  const texts = [request.source, ...(request.more ?? [])];
  const references = [from, ...(await Promise.all((request.more ?? []).map((text) => parseReference(text, ctx))))];
  return await withClosing(async (closing) => {
    const next = async (machines: readonly FleetMachine[]): Promise<T> => {
      const reference = references[machines.length];
      const text = texts[machines.length];
      if (reference === undefined || text === undefined) return await work(machines);
      if (reference.side !== "image") {
        throw severalUnsupported(`${JSON.stringify(text)} is no image`, "make an image of each machine first");
      }
      return await withImage(text, reference, request, ctx, async (conversion, opened) => {
        const { machine } = conversion;
        if (machine === undefined) {
          throw severalUnsupported(`${JSON.stringify(text)} is a whole package`, "convert it by itself");
        }
        const system = await machine(opened, nameOf(reference), request, closing, ctx);
        const size = opened.image.manifest.layers.reduce((sum, layer) => sum + layer.size, 0);
        return await next([...machines, { system, size }]);
      });
    };
    return await next([]);
  });
}

/** A machine's name after its image's: the tag of a layout or an archive says which one it is, the path of a registry too. */
function nameOf({ transport, details }: Reference): string {
  const [, path = "", tag = ""] = /^(.*?)(?::([^:/@]+))?(?:@.*)?$/s.exec(details) ?? [];
  const own = transport === "docker" || tag === "" || tag === "latest" ? basename(path).replace(/\.tar$/i, "") : tag;
  return own === "" || own === "-" ? "machine" : own;
}
