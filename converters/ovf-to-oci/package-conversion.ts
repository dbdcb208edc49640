import type { Context } from "../../src/context.ts";
import { notLoadable } from "../../src/transport/errors.ts";
import type { Conversion, ConvertRequest, Places } from "../conversion.ts";
import { notAMachine } from "../errors.ts";
import { openImageDestination } from "./destination.ts";
import { type PackagePlan, packageForm } from "./package.ts";
import { type OriginalPackage, openOriginal } from "./package-parts.ts";

/** `--as package`: the package's files as an artifact, from which the same bytes come back. */
export const conversion: Conversion = {
  async plan(request, places, ctx) {
    await using original = await opened(places, ctx);
    const { uses, omissions } = await planned(original, request, places, ctx);
    return { form: "package", uses, omissions, secrets: [], tempBytes: original.tempBytes };
  },

  async run(request, places, ctx) {
    await using original = await opened(places, ctx);
    const plan = await planned(original, request, places, ctx);
    const { package: pkg } = original;
    await using output = await openImageDestination(places.to, pkg.name, request, ctx);
    const { manifest, layers, size } = await packageForm.run(plan, output, ctx);
    const name = pkg.envelope?.systems[0]?.name ?? pkg.envelope?.systems[0]?.id ?? pkg.name;
    return {
      source: { size: plan.parts.size, kind: pkg.kind, vm: name },
      target: {
        mode: "package",
        digest: manifest.digest,
        mediaType: manifest.mediaType,
        size,
        layers: layers.map((layer) => ({ digest: layer.digest, size: layer.size, kind: layer.role })),
      },
      bytesWritten: size,
      bytesReused: 0,
      tempBytes: original.tempBytes,
    };
  },
};

async function opened({ from, to }: Places, ctx: Context): Promise<OriginalPackage> {
  if (from.side !== "machine") throw notAMachine(`${from.transport}:${from.details}`);
  // What docker cannot load should not be found out after the last byte.
  if (to.transport === "docker-archive") throw notLoadable(to.details, "an artifact");
  return await openOriginal(from, ctx);
}

async function planned(
  original: OriginalPackage,
  { verify = true, annotations = [] }: ConvertRequest,
  { from, to }: Places,
  ctx: Context,
): Promise<PackagePlan> {
  const options = { transport: from.transport, verify, annotations, remote: to.transport === "docker" };
  return await packageForm.plan(original, options, ctx);
}
