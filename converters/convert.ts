import type { Context, Diagnostic } from "../src/context.ts";
import type { Conversion, ConversionPlan, ConvertRequest, Places } from "./conversion.ts";
import { copyNeedsImages, directionUnsupported, formUnsupported } from "./errors.ts";
import { withImage } from "./image-kinds.ts";
import { findMade, type Made, provenanceOf, withProvenance } from "./provenance.ts";
import { parseReference } from "./reference.ts";
import type { ConversionResult, ResultWarning, TargetFacts } from "./result.ts";

export type { ConversionPlan, ConvertRequest } from "./conversion.ts";

/** What becomes of a machine: each form of image, loaded when it is asked for. */
const IMAGE_FORMS: Readonly<Record<string, () => Promise<Conversion>>> = {
  container: () => import("./ovf-to-oci/container-conversion.ts").then((module) => module.conversion),
  package: () => import("./ovf-to-oci/package-conversion.ts").then((module) => module.conversion),
  disk: () => import("./ovf-to-oci/disk-conversion.ts").then((module) => module.conversion),
};

/** Converts what stands at the source. Nothing is visible at the destination unless this returns. */
export async function convert(request: ConvertRequest, ctx: Context): Promise<ConversionResult> {
  const started = Date.now();
  const noted = withNotes(ctx);
  const { conversion, places } = await route(request, noted.ctx);
  const provenance = request.skipExisting === true ? await provenanceOf(request, places, noted.ctx) : undefined;
  const made = provenance && (await findMade(provenance, places, noted.ctx));
  if (made !== undefined) return skipped(request, made, Date.now() - started);
  const marked = provenance === undefined ? request : withProvenance(request, provenance);
  const outcome = await conversion.run(marked, places, noted.ctx);
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

/** Copies an image as it is. Throws UsageError CONVERT_NOT_AN_IMAGE where one end is a machine. */
export async function copy(request: ConvertRequest, ctx: Context): Promise<ConversionResult> {
  for (const text of [request.source, request.destination]) {
    if ((await parseReference(text, ctx)).side === "machine") throw copyNeedsImages(text);
  }
  return await convert(request, ctx);
}

function skipped({ source, destination, as }: ConvertRequest, made: Made, wallMs: number): ConversionResult {
  return {
    schema: "transload.result/v1",
    status: "skipped",
    source: { ref: source },
    target: { ref: destination, mode: (as ?? "container") as TargetFacts["mode"], ...made },
    warnings: [],
    stats: { wallMs, bytesWritten: 0, bytesReused: 0, tempBytes: 0 },
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
  const { source, destination, as = "container", more = [] } = request;
  const load = Object.hasOwn(IMAGE_FORMS, as) ? IMAGE_FORMS[as] : undefined;
  if (load === undefined) throw formUnsupported(as, Object.keys(IMAGE_FORMS));
  const places = { from: await parseReference(source, ctx), to: await parseReference(destination, ctx) };
  if (more.length > 0) return { conversion: (await import("./oci-to-ovf/fleet.ts")).conversion, places };
  if (places.from.side === "image" && places.to.side === "image") {
    return { conversion: (await import("./copy.ts")).conversion, places };
  }
  if (places.from.side === places.to.side) throw directionUnsupported(source, destination);
  return { conversion: places.from.side === "machine" ? await load() : FROM_IMAGE, places };
}

/** What an image is tells only its manifest, so the way is chosen once it is open. */
const FROM_IMAGE: Conversion = {
  plan: (request, places, ctx) =>
    withImage(request.source, places.from, request, ctx, (conversion, from) =>
      conversion.plan(from, request, places, ctx),
    ),
  run: (request, places, ctx) =>
    withImage(request.source, places.from, request, ctx, (conversion, from) =>
      conversion.run(from, request, places, ctx),
    ),
};

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
