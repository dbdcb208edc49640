import { displayPath } from "../../src/bytes/byte-path.ts";
import { sha256 } from "../../src/bytes/digest.ts";
import { Slice } from "../../src/bytes/slice.ts";
import { hashed } from "../../src/bytes/verify.ts";
import type { Context } from "../../src/context.ts";
import type { Descriptor } from "../../src/oci/descriptor.ts";
import { DOCUMENT_LIMIT } from "../../src/oci/json.ts";
import { imageManifest } from "../../src/oci/manifest.ts";
import { MEDIA_TYPES } from "../../src/oci/media-types.ts";
import { verifyCertificate } from "../../src/ovf/certificate.ts";
import { verifyManifest } from "../../src/ovf/manifest.ts";
import type { MemberRole, Package } from "../../src/ovf/package.ts";
import type { BlobContent, ImageDestination } from "../../src/transport/image-transport.ts";
import { contentOf } from "../../src/transport/layout-files.ts";
import type { Converter, Plan } from "../converter.ts";
import { pairOf } from "../guest/labels.ts";
import {
  FILLER_TYPE,
  LAYOUT_TYPE,
  memberType,
  PACKAGE_TYPE,
  PIECE_BYTES,
  pieceName,
  TITLE,
  Titles,
  titleOf,
  WHOLE_FILE,
} from "../package-form/artifact.ts";
import { membersTooMany } from "../package-form/errors.ts";
import { packageAnnotations } from "../package-form/facts.ts";
import { type LayoutPart, layoutBytes, type PackageLayout } from "../package-form/layout.ts";
import { type OriginalPackage, type OriginalPart, type OriginalParts, partsOf } from "./package-parts.ts";

export interface PackageOptions {
  /** What names the package's kind on the way back: "ova", "ovf", "vmdk"... */
  readonly transport: string;
  /** False skips the manifest's digests and the certificate. */
  readonly verify?: boolean;
  /** `NAME=value`, beside what the descriptor says. */
  readonly annotations?: readonly string[];
  /** The other side is slow and may hold pieces already: each is hashed first, and several are sent side by side. */
  readonly remote?: boolean;
  /** Bytes of a piece of a large file; PIECE_BYTES if absent. */
  readonly pieceBytes?: number;
}

/** One blob to be written. */
interface Piece {
  readonly content: Slice;
  readonly mediaType: string;
  readonly annotations: Readonly<Record<string, string>> | undefined;
  readonly role: MemberRole | "filler";
}

export interface PackagePlan extends Plan {
  readonly package: Package;
  readonly parts: OriginalParts;
  readonly pieces: ReadonlyMap<OriginalPart, readonly Piece[]>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly options: PackageOptions;
}

export interface PackageResult {
  readonly manifest: Descriptor;
  readonly layers: readonly (Descriptor & { readonly role: string })[];
  /** Bytes of manifest, config and layers, each blob once. */
  readonly size: number;
}

const SIDE_BY_SIDE = 3;

/** Every file of a package as it is, and what else its archive is made of. */
export const packageForm: Converter<OriginalPackage, PackageOptions, PackagePlan, ImageDestination, PackageResult> = {
  name: "package",

  async plan(original, options, ctx) {
    const { package: pkg } = original;
    const parts = await partsOf(original);
    const pieces = piecesOf(parts, pkg.name, options.pieceBytes ?? PIECE_BYTES, ctx);
    checkRoom(parts, pieces, pkg.name);
    const asked = (options.annotations ?? []).map((text) => pairOf("--annotation", text));
    return {
      source: pkg.name,
      uses: [...pieces].map(
        ([part, list]) => `${partName(part)} (${list.reduce((sum, { content }) => sum + content.size, 0)} bytes)`,
      ),
      omissions: [],
      package: pkg,
      parts,
      pieces,
      annotations: { ...packageAnnotations(pkg, ctx), ...Object.fromEntries(asked) },
      options,
    };
  },

  async run(plan, destination, ctx) {
    const stop = new AbortController();
    const running = { ...ctx, signal: AbortSignal.any([ctx.signal, stop.signal]) };
    // The digests are computed beside the writing; a wrong one ends it at once, and nothing is committed before they are known.
    const verification = plan.options.verify === false ? Promise.resolve() : verifyPackage(plan.package, running);
    verification.catch((cause) => stop.abort(cause));
    try {
      const written = await writeArtifact(plan, destination, running, stop);
      await verification;
      await destination.commit();
      return written;
    } catch (cause) {
      stop.abort(cause);
      throw cause;
    } finally {
      await Promise.allSettled([verification]);
    }
  },
};

async function verifyPackage(pkg: Package, ctx: Context): Promise<void> {
  await verifyCertificate(pkg, ctx);
  await verifyManifest(pkg, ctx);
}

function partName(part: OriginalPart): string {
  return "name" in part && part.name !== undefined ? displayPath(part.name) : "bytes between the members";
}

/** Bytes of a layer in the manifest without its annotations, and of a blob or a name in the layout. */
const LAYER_BYTES = 220;
const BLOB_BYTES = 80;

/** What no manifest and no layout can hold should not be found out after the last byte. */
function checkRoom({ parts }: OriginalParts, pieces: PackagePlan["pieces"], file: string): void {
  let manifest = 0;
  let layout = 0;
  for (const part of parts) {
    if ("bytes" in part) layout += part.bytes.length * (4 / 3);
    for (const { annotations } of pieces.get(part) ?? []) {
      manifest += LAYER_BYTES + JSON.stringify(annotations ?? "").length;
      layout += BLOB_BYTES;
    }
  }
  if (Math.max(manifest, layout) > DOCUMENT_LIMIT) throw membersTooMany(file, DOCUMENT_LIMIT);
}

/** Cuts what is large, and gives everything its title. */
function piecesOf(
  { parts }: OriginalParts,
  file: string,
  pieceBytes: number,
  ctx: Context,
): ReadonlyMap<OriginalPart, readonly Piece[]> {
  const titles = new Titles();
  const pieces = new Map<OriginalPart, Piece[]>();
  // The whole files come first: a piece must not take the name of one of them.
  const counts = new Map(
    parts.map((part) => [part, "bytes" in part ? 0 : Math.max(1, Math.ceil(part.content.size / pieceBytes))]),
  );
  const uncutFirst = [...counts].sort(([, a], [, b]) => Number(a > 1) - Number(b > 1));
  const named = new Map(uncutFirst.map(([part, count]) => [part, namesOf(part, count, titles, file, ctx)]));
  for (const part of parts) {
    if ("bytes" in part) continue;
    const { content, role } = part;
    const mediaType = role === undefined ? FILLER_TYPE : memberType(role);
    const list: Piece[] = [];
    for (let at = 0; at < content.size || at === 0; at += pieceBytes) {
      const slice = new Slice(content, at, Math.min(pieceBytes, content.size - at));
      list.push({ content: slice, mediaType, annotations: named.get(part)?.[list.length], role: role ?? "filler" });
    }
    pieces.set(part, list);
  }
  return pieces;
}

/** The annotations of each piece; none where a title would not be safe, or is taken. */
function namesOf(
  part: OriginalPart,
  count: number,
  titles: Titles,
  file: string,
  ctx: Context,
): readonly Record<string, string>[] {
  if ("bytes" in part || part.name === undefined) return [];
  const title = titleOf(part.name);
  const all = Array.from({ length: count }, (_, i) => (count === 1 ? (title ?? "") : pieceName(title ?? "", i)));
  if (title === undefined || !all.every((each) => titles.take(each))) {
    ctx.diagnostic({
      code: "PACKAGE_UNTITLED",
      severity: "warning",
      message: `${JSON.stringify(displayPath(part.name))} gets no title, so that only transload gives it back`,
      where: { file },
    });
    return [];
  }
  const whole: Record<string, string> = count === 1 ? {} : { [WHOLE_FILE]: title };
  return all.map((each) => ({ ...whole, [TITLE]: each }));
}

async function writeArtifact(
  plan: PackagePlan,
  destination: ImageDestination,
  ctx: Context,
  stop: AbortController,
): Promise<PackageResult> {
  const { parts, options, package: pkg } = plan;
  const pieces = [...plan.pieces.values()].flat();
  const progress = progressOf(pkg.name, parts.size, ctx);
  const remote = options.remote === true;
  const written = await sideBySide(pieces, remote ? SIDE_BY_SIDE : 1, stop, async (piece) => {
    const { content, mediaType, annotations, role } = piece;
    const bytes: BlobContent = () => progress(contentOf(content));
    const expected = remote ? { mediaType, ...(await hashed(contentOf(content), ctx.signal)) } : { mediaType };
    const { digest, size } = await destination.putBlob(bytes, expected);
    return { piece, layer: { mediaType, digest, size, ...(annotations === undefined ? {} : { annotations }), role } };
  });
  const byPiece = new Map(written.map(({ piece, layer }) => [piece, layer.digest]));
  const layoutParts = parts.parts.map((part): LayoutPart => {
    if ("bytes" in part) return part;
    const blobs = (plan.pieces.get(part) ?? []).flatMap((piece) => byPiece.get(piece) ?? []);
    return { ...(part.name === undefined ? {} : { name: part.name }), size: part.content.size, blobs };
  });
  const { shape, size } = parts;
  const layout = { shape, size, transport: options.transport, name: pkg.name, parts: layoutParts };
  return await writeManifest(
    plan,
    layout,
    written.map(({ layer }) => layer),
    destination,
  );
}

async function writeManifest(
  { annotations }: PackagePlan,
  layout: PackageLayout,
  members: PackageResult["layers"],
  destination: ImageDestination,
): Promise<PackageResult> {
  const put = async (bytes: Uint8Array, mediaType: string): Promise<Descriptor> => {
    const expected = { mediaType, digest: sha256(bytes), size: bytes.length };
    const { digest, size } = await destination.putBlob(() => once(bytes), expected);
    return { mediaType, digest, size };
  };
  const layers = [...members, { ...(await put(layoutBytes(layout), LAYOUT_TYPE)), role: "layout" }];
  const config = await put(Buffer.from("{}"), MEDIA_TYPES.empty);
  const bytes = imageManifest({
    mediaType: MEDIA_TYPES.manifest,
    artifactType: PACKAGE_TYPE,
    config,
    layers,
    annotations,
  });
  const manifest = await destination.putManifest(bytes, MEDIA_TYPES.manifest);
  const sizes = new Map([manifest, config, ...layers].map(({ digest, size }) => [digest, size]));
  return { manifest, layers, size: [...sizes.values()].reduce((sum, size) => sum + size, 0) };
}

/** Counts over all pieces. */
function progressOf(item: string, total: number, ctx: Context) {
  let done = 0;
  return async function* (content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
    for await (const bytes of content) {
      ctx.signal.throwIfAborted();
      done += bytes.length;
      ctx.progress({ stage: "layer", item, done: Math.min(done, total), total });
      yield bytes;
    }
  };
}

/** `work` for each item, at most `limit` at a time; answers in the order of the items. The first failure stops the others. */
async function sideBySide<T, R>(
  items: readonly T[],
  limit: number,
  stop: AbortController,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const one = async (): Promise<void> => {
    for (let index = next++; index < items.length; index = next++) {
      results[index] = await work(items[index] as T);
    }
  };
  const running = Array.from({ length: Math.min(limit, items.length) }, one);
  for (const each of running) each.catch((cause) => stop.abort(cause));
  await Promise.allSettled(running);
  await Promise.all(running);
  return results;
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
  yield bytes;
}
