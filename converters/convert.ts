import type { Context, Diagnostic } from "../src/context.ts";
import type { Conversion, ConversionPlan, ConvertRequest, Places } from "./conversion.ts";
import { directionUnsupported, formUnsupported } from "./errors.ts";
import { parseReference } from "./reference.ts";
import type { ConversionResult, ResultWarning } from "./result.ts";

export type { ConversionPlan, ConvertRequest } from "./conversion.ts";

/** What becomes of a machine: each form of image, loaded when it is asked for. */
const IMAGE_FORMS: Readonly<Record<string, () => Promise<Conversion>>> = {
  container: () => import("./ovf-to-oci/container-conversion.ts").then((module) => module.conversion),
};

/** Converts what stands at the source. Nothing is visible at the destination unless this returns. */
export async function convert(request: ConvertRequest, ctx: Context): Promise<ConversionResult> {
  const started = Date.now();
  const noted = withNotes(ctx);
  const { conversion, places } = await route(request, noted.ctx);
  const outcome = await conversion.run(request, places, noted.ctx);
  const { source, target, bytesWritten, bytesReused, tempBytes, ...facts } = outcome;
  return {
    schema: "transload.result/v1",
    status: "ok",
    source: { ref: request.source, ...source },
    target: { ref: request.destination, ...target },
    ...facts,
    warnings: noted.warnings,
    stats: { wallMs: Date.now() - started, bytesWritten, bytesReused, tempBytes },
  };
}

/** The plan of a conversion, for `--dry-run`. */
export async function planConversion(request: ConvertRequest, ctx: Context): Promise<ConversionPlan> {
  const noted = withNotes(ctx);
  const { conversion, places } = await route(request, noted.ctx);
  const plan = await conversion.plan(request, places, noted.ctx);
  return { source: request.source, destination: request.destination, ...plan, warnings: noted.warnings };
}

async function route(request: ConvertRequest, ctx: Context): Promise<{ conversion: Conversion; places: Places }> {
  const { source, destination, as = "container" } = request;
  const load = Object.hasOwn(IMAGE_FORMS, as) ? IMAGE_FORMS[as] : undefined;
  if (load === undefined) throw formUnsupported(as);
  const places = { from: await parseReference(source, ctx), to: await parseReference(destination, ctx) };
  if (places.from.side !== "machine" || places.to.side !== "image") throw directionUnsupported(source, destination);
  return { conversion: await load(), places };
}

/** Keeps what is reported, besides passing it on: warnings belong into the result. */
function withNotes(ctx: Context): { readonly ctx: Context; readonly warnings: readonly ResultWarning[] } {
  const warnings: ResultWarning[] = [];
  const diagnostic = (diagnostic: Diagnostic) => {
    ctx.diagnostic(diagnostic);
    if (diagnostic.severity === "warning") warnings.push(asWarning(diagnostic));
  };
  return { ctx: { ...ctx, diagnostic }, warnings };
}

function asWarning({ code, message, where, advice }: Diagnostic): ResultWarning {
  const path = where.path ?? where.file;
  return { code, message, ...(path === undefined ? {} : { path }), ...(advice === undefined ? {} : { fix: advice }) };
}
