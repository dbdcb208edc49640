import type { Context, Diagnostic } from "../src/context.ts";
import { platformText } from "../src/oci/platform.ts";
import type { DestinationOptions } from "../src/transport/image-transport.ts";
import { directionUnsupported, formUnsupported } from "./errors.ts";
import type { Machine, MachineOptions } from "./machine/machine.ts";
import { openMachineAt, transportOf } from "./open.ts";
import { type ContainerOptions, type ContainerPlan, type ContainerResult, container } from "./ovf-to-oci/container.ts";
import { parseReference, type Reference } from "./reference.ts";
import type { ConversionResult, ResultWarning, SourceFacts } from "./result.ts";

/** One conversion, in the words of the command line. */
export interface ConvertRequest extends MachineOptions, ContainerOptions {
  /** `[transport:]details`, a machine. */
  readonly source: string;
  /** `[transport:]details`, an image. */
  readonly destination: string;
  /** The form of the image; `container` if absent. */
  readonly as?: string;
  /** The image's full name, `repository:tag`, where the destination can carry one; the machine's name if absent. */
  readonly tag?: string;
  /** Replaces an image of the same name. */
  readonly force?: boolean;
}

/** What `transload convert` would do: reads metadata only. */
export interface ConversionPlan {
  readonly source: string;
  readonly destination: string;
  readonly form: "container";
  readonly uses: ContainerPlan["uses"];
  readonly omissions: ContainerPlan["omissions"];
  readonly secrets: ContainerPlan["report"]["secrets"];
  /** Bytes that had to be written to the temporary directory. */
  readonly tempBytes: number;
  readonly warnings: readonly ResultWarning[];
}

/** Converts a machine into an image. Nothing is visible at the destination unless this returns. */
export async function convert(request: ConvertRequest, ctx: Context): Promise<ConversionResult> {
  const started = Date.now();
  const noted = withNotes(ctx);
  const destination = await imageReference(request, noted.ctx);
  const transport = await transportOf(destination);
  await using opened = await openMachineAt(request.source, request, noted.ctx);
  const { machine } = opened;
  const plan = await container.plan(machine, request, noted.ctx);
  const name = request.tag ?? imageName(machine.name);
  const options: DestinationOptions = { force: request.force ?? false, ...(name === undefined ? {} : { name }) };
  await using output = await transport.openDestination(destination.details, options, noted.ctx);
  const result = await container.run(plan, output, noted.ctx);
  return {
    schema: "transload.result/v1",
    status: "ok",
    source: sourceFacts(request.source, machine, plan),
    target: targetFacts(request.destination, plan, result),
    config: plan.policy.config,
    excluded: result.report.excluded,
    secrets: result.report.secrets,
    replaced: result.report.replaced,
    warnings: noted.warnings,
    stats: {
      wallMs: Date.now() - started,
      bytesWritten: result.layer.size + result.config.size + result.manifest.size,
      bytesReused: result.layerReused,
      tempBytes: machine.package.spooled,
    },
  };
}

/** The plan of a conversion, for `--dry-run`. */
export async function planConversion(request: ConvertRequest, ctx: Context): Promise<ConversionPlan> {
  const noted = withNotes(ctx);
  await transportOf(await imageReference(request, noted.ctx));
  await using opened = await openMachineAt(request.source, request, noted.ctx);
  const { machine } = opened;
  const plan = await container.plan(machine, { ...request, survey: true }, noted.ctx);
  return {
    source: request.source,
    destination: request.destination,
    form: "container",
    uses: plan.uses,
    omissions: plan.omissions,
    secrets: plan.report.secrets,
    tempBytes: machine.package.spooled,
    warnings: noted.warnings,
  };
}

async function imageReference({ source, destination, as }: ConvertRequest, ctx: Context): Promise<Reference> {
  if (as !== undefined && as !== "container") throw formUnsupported(as);
  const [from, to] = [await parseReference(source, ctx), await parseReference(destination, ctx)];
  if (from.side !== "machine" || to.side !== "image") throw directionUnsupported(source, destination);
  return to;
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

/** A repository name (distribution-spec grammar) made of the machine's name; undefined where nothing of it is left. */
function imageName(machineName: string): string | undefined {
  const name = machineName
    .replace(/\.(ova|ovf|box|vmdk|raw|img)$/i, "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "");
  return name === "" ? undefined : `${name}:latest`;
}

function sourceFacts(ref: string, machine: Machine, { policy }: ContainerPlan): SourceFacts {
  const { id, version } = policy.osRelease;
  const { firmware } = machine.hardware ?? {};
  return {
    ref,
    size: machine.package.size,
    kind: machine.package.kind,
    vm: machine.name,
    ...(id === undefined ? {} : { os: { id, ...(version === undefined ? {} : { version }) } }),
    ...(firmware === undefined ? {} : { firmware }),
    disks: machine.disks.map(({ disk, device, member }) => ({
      file: member?.name ?? device,
      format: disk.format,
      capacity: disk.size,
      ...(disk.storedBytes === undefined ? {} : { used: disk.storedBytes }),
    })),
  };
}

function targetFacts(ref: string, { policy }: ContainerPlan, { manifest, layer, config }: ContainerResult) {
  return {
    ref,
    mode: "container",
    digest: manifest.digest,
    mediaType: manifest.mediaType,
    size: manifest.size + config.size + layer.size,
    layers: [{ digest: layer.digest, size: layer.size, kind: "local" }],
    platform: platformText(policy.platform),
  } as const;
}
