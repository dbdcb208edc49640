import type { Descriptor, Platform } from "./descriptor.ts";
import { isIndexType, isManifestType } from "./media-types.ts";

const DEFAULT_VARIANTS: ReadonlyMap<string, string> = new Map([
  ["arm64", "v8"],
  ["arm", "v7"],
  ["amd64", "v1"],
]);

/** `linux/arm64/v8`, without a variant that goes without saying. */
export function platformText({ os, architecture, variant }: Platform): string {
  const said = variant !== undefined && variant !== DEFAULT_VARIANTS.get(architecture);
  return said ? `${os}/${architecture}/${variant}` : `${os}/${architecture}`;
}

/** Build records that sit in an index beside the images they are about. */
export function isAttestation(descriptor: Descriptor): boolean {
  return (
    descriptor.annotations?.["vnd.docker.reference.type"] === "attestation-manifest" ||
    (descriptor.platform?.os === "unknown" && descriptor.platform.architecture === "unknown")
  );
}

/** The images (and nested indexes) among the entries of an index, without attestations and what is no manifest at all. */
export function imagesAmong(manifests: readonly Descriptor[]): readonly Descriptor[] {
  return manifests.filter(
    (entry) => (isManifestType(entry.mediaType) || isIndexType(entry.mediaType)) && !isAttestation(entry),
  );
}

/** Variants that run on `wanted`, best first: a later ARM runs the code of the earlier ones. */
function variants(wanted: Platform): readonly string[] {
  const variant = wanted.variant ?? DEFAULT_VARIANTS.get(wanted.architecture) ?? "";
  const level = /^v(\d)$/.exec(variant)?.[1];
  if (level === undefined || !DEFAULT_VARIANTS.has(wanted.architecture)) return [variant];
  const lowest = wanted.architecture === "arm" ? 5 : wanted.architecture === "arm64" ? 8 : 1;
  const levels: string[] = [];
  for (let at = Number(level); at >= lowest; at--) levels.push(`v${at}`);
  return levels;
}

/** The best entry for a platform, the first among equals; entries without a platform fit where nothing else does. */
export function choosePlatform(manifests: readonly Descriptor[], wanted: Platform): Descriptor | undefined {
  const images = imagesAmong(manifests);
  for (const variant of variants(wanted)) {
    const found = images.find(
      ({ platform }) =>
        platform !== undefined &&
        platform.os === wanted.os &&
        platform.architecture === wanted.architecture &&
        (platform.variant ?? DEFAULT_VARIANTS.get(platform.architecture) ?? "") === variant,
    );
    if (found !== undefined) return found;
  }
  return images.find(({ platform }) => platform === undefined || platform.os === "");
}
