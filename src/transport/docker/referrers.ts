import { type Digest, parseDigest, sha256 } from "../../bytes/digest.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import { DOCUMENT_LIMIT } from "../../oci/json.ts";
import { type ImageIndex, type ImageManifest, imageIndex, parseManifest } from "../../oci/manifest.ts";
import { MEDIA_TYPES } from "../../oci/media-types.ts";
import type { RegistryClient } from "./client.ts";
import type { Answer } from "./exchange.ts";
import { getManifest, putManifest } from "./manifests.ts";

const MOST_PAGES = 100;

/** distribution-spec "Referrers Tag Schema". */
function fallbackTag(digest: Digest): string {
  const { algorithm, hex } = parseDigest(digest);
  return `${algorithm.slice(0, 32)}-${hex.slice(0, 64)}`;
}

/** What refers to a manifest: from the registry's own list, or from the tag that stands in for it. */
export async function listReferrers(client: RegistryClient, digest: Digest): Promise<readonly Descriptor[]> {
  const found: Descriptor[] = [];
  let url: URL | undefined = client.url(`referrers/${digest}`);
  for (let page = 0; url !== undefined && page < MOST_PAGES; page++) {
    const answer = await client.request(url, { method: "GET", headers: { Accept: MEDIA_TYPES.index } });
    // Registries that do not know it answer in many ways; 2xx with an index is the only one that counts.
    if (answer.status !== 200 || answer.header("content-type")?.split(";")[0] !== MEDIA_TYPES.index) {
      if (answer.status === 401 || answer.status === 403 || answer.status >= 500) throw await client.refusal(answer);
      answer.discard();
      return (await fallbackIndex(client, digest))?.manifests ?? [];
    }
    const file = answer.url.host;
    const index = parseManifest(await answer.bytes(DOCUMENT_LIMIT), MEDIA_TYPES.index, file);
    if (index.kind === "index") found.push(...index.manifests);
    url = nextPage(answer, client);
  }
  return found;
}

/** RFC 8288, within the registry. */
function nextPage(answer: Answer, { base }: RegistryClient): URL | undefined {
  const [, target] = /<([^>]+)>\s*;[^,]*\brel="?next"?/.exec(answer.header("link") ?? "") ?? [];
  if (target === undefined || !URL.canParse(target, answer.url.href)) return undefined;
  const url = new URL(target, answer.url);
  return url.origin === base.origin ? url : undefined;
}

async function fallbackIndex(client: RegistryClient, digest: Digest): Promise<ImageIndex | undefined> {
  const found = await getManifest(client, fallbackTag(digest));
  const index = found && parseManifest(found.bytes, found.descriptor.mediaType, client.endpoint.host);
  return index?.kind === "index" ? index : undefined;
}

/** Adds a manifest to the tag that stands in for the list of what refers to its subject. */
export async function addReferrer(
  client: RegistryClient,
  subject: Digest,
  manifest: ImageManifest | ImageIndex,
  { mediaType, digest, size }: Descriptor,
): Promise<void> {
  const manifests = (await fallbackIndex(client, subject))?.manifests ?? [];
  if (manifests.some((entry) => entry.digest === digest)) return;
  const artifactType = manifest.artifactType ?? (manifest.kind === "manifest" ? manifest.config.mediaType : undefined);
  const { annotations } = manifest;
  const entry: Descriptor = {
    mediaType,
    digest,
    size,
    ...(annotations === undefined ? {} : { annotations }),
    ...(artifactType === undefined ? {} : { artifactType }),
  };
  const bytes = imageIndex({ mediaType: MEDIA_TYPES.index, manifests: [...manifests, entry] });
  const index = { mediaType: MEDIA_TYPES.index, digest: sha256(bytes), size: bytes.length };
  await putManifest(client, fallbackTag(subject), bytes, index);
}
