import { createHash } from "node:crypto";
import { readAll } from "../src/bytes/byte-source.ts";
import type { Digest } from "../src/bytes/digest.ts";
import type { Context } from "../src/context.ts";
import { NotFoundError } from "../src/errors.ts";
import { parseManifest } from "../src/oci/manifest.ts";
import { openPackage } from "../src/ovf/open-package.ts";
import type { Member, Package } from "../src/ovf/package.ts";
import type { ConvertRequest, Places } from "./conversion.ts";
import { LABEL_PREFIX } from "./guest/labels.ts";
import { asDestination, transportOf } from "./open.ts";
import type { TargetFacts } from "./result.ts";

const SOURCE_DIGEST = `${LABEL_PREFIX}source.digest`;
const OPTIONS_DIGEST = `${LABEL_PREFIX}options.digest`;
/** From each end of a member without a digest in the package's manifest: headers, tables and footers change with the content. */
const SAMPLE_BYTES = 64 << 10;

/** Small members, which are read whole. */
const TELLING: ReadonlySet<Member["role"]> = new Set(["descriptor", "manifest", "certificate"]);

/** What a manifest says of its making, so that the same conversion is not made twice. */
export interface Provenance {
  readonly source: Digest;
  readonly options: Digest;
}

/**
 * Where a machine comes from and how it is asked for, in two digests. Reads what is small: names, sizes, the descriptor, the
 * manifest and certificate, and both ends of every member. Undefined for what has to be read whole to be looked into: pipes
 * and compressed packages.
 */
export async function provenanceOf(
  request: ConvertRequest,
  { from }: Places,
  ctx: Context,
): Promise<Provenance | undefined> {
  if (from.side !== "machine" || from.details === "-" || from.details.endsWith(".gz")) return undefined;
  // What there is to say of the package is said by the conversion.
  await using pkg = await openPackage({ kind: "path", path: from.details }, { ...ctx, diagnostic() {} });
  return { source: await packageDigest(pkg, ctx), options: optionsDigest(request, ctx) };
}

async function packageDigest(pkg: Package, ctx: Context): Promise<Digest> {
  const hash = createHash("sha256").update(pkg.kind);
  for (const member of pkg.members) {
    ctx.signal.throwIfAborted();
    hash.update(`\0${member.name}\0${member.size}\0`);
    const source = await pkg.openMember(member);
    if (TELLING.has(member.role)) hash.update(await readAll(source, ctx.limits.descriptorBytes));
    const sample = Math.min(SAMPLE_BYTES, source.size);
    hash.update(await source.read(0, sample)).update(await source.read(source.size - sample, sample));
  }
  return `sha256:${hash.digest("hex")}`;
}

/** Everything that is asked for, but for the places and what does not change the outcome. */
function optionsDigest(request: ConvertRequest, ctx: Context): Digest {
  const { source: _, destination: _d, force: _f, tag: _t, skipExisting: _s, verify: _v, ...asked } = request;
  const sorted = Object.entries(asked)
    .filter(([, value]) => value !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return `sha256:${createHash("sha256")
    .update(JSON.stringify([ctx.epoch ?? null, sorted]))
    .digest("hex")}`;
}

/** The request, with annotations that tell where its image came from. */
export function withProvenance(request: ConvertRequest, { source, options }: Provenance): ConvertRequest {
  const told = [`${SOURCE_DIGEST}=${source}`, `${OPTIONS_DIGEST}=${options}`];
  return { ...request, annotations: [...(request.annotations ?? []), ...told] };
}

/** An image that stands at its destination already. `size` is its manifest's. */
export type Made = Pick<TargetFacts, "digest" | "mediaType" | "size">;

/** The image at the destination, if it was made of the same source with the same options. */
export async function findMade(wanted: Provenance, { to }: Places, ctx: Context): Promise<Made | undefined> {
  try {
    await using source = await (await transportOf(to)).openSource(to.details, asDestination(ctx));
    const { descriptor, bytes } = await source.manifest();
    const { annotations } = parseManifest(bytes, descriptor.mediaType, descriptor.digest);
    const same = annotations?.[SOURCE_DIGEST] === wanted.source && annotations[OPTIONS_DIGEST] === wanted.options;
    return same ? { digest: descriptor.digest, mediaType: descriptor.mediaType, size: descriptor.size } : undefined;
  } catch (cause) {
    if (cause instanceof NotFoundError) return undefined;
    throw cause;
  }
}
