import { type Digest, parseDigest, sha256 } from "../../bytes/digest.ts";
import { checkDigest, verifyBytes } from "../../bytes/verify.ts";
import { ConverterError } from "../../errors.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import { DOCUMENT_LIMIT } from "../../oci/json.ts";
import { parseManifest } from "../../oci/manifest.ts";
import { MEDIA_TYPES } from "../../oci/media-types.ts";
import type { ManifestBytes } from "../image-transport.ts";
import type { RegistryClient } from "./client.ts";

const { manifest, index, dockerManifest, dockerManifestList } = MEDIA_TYPES;
/** Without it registries convert, or say that there is nothing. */
const ACCEPT = { Accept: [manifest, index, dockerManifest, dockerManifestList].join(", ") };

/** The manifest or index under a tag or digest, its digest checked; undefined if there is none. Throws CorruptError, what requests throw. */
export async function getManifest(client: RegistryClient, name: string): Promise<ManifestBytes | undefined> {
  const url = client.url(`manifests/${name}`);
  const answer = await client.request(url, { method: "GET", headers: ACCEPT });
  if (answer.status === 404) return void answer.discard();
  if (answer.status !== 200) throw await client.refusal(answer);
  const bytes = await answer.bytes(DOCUMENT_LIMIT);
  const file = `${client.endpoint.host}/${client.endpoint.repository}`;
  const claimed = name.includes(":") ? name : digestHeader(answer.header("docker-content-digest"));
  const digest = claimed === undefined ? sha256(bytes) : parseDigest(claimed).digest;
  verifyBytes(bytes, { digest, size: bytes.length }, file);
  const [type = ""] = (answer.header("content-type") ?? "").split(";");
  const known = Object.values<string>(MEDIA_TYPES).includes(type.trim()) ? type.trim() : undefined;
  const { mediaType } = parseManifest(bytes, known, file);
  return { descriptor: { mediaType, digest, size: bytes.length }, bytes };
}

/** What a registry calls a digest; one that we cannot compute tells nothing. */
function digestHeader(text: string | undefined): Digest | undefined {
  try {
    return text === undefined ? undefined : parseDigest(text).digest;
  } catch (cause) {
    if (!(cause instanceof ConverterError)) throw cause;
    return undefined;
  }
}

/** The digest of what a tag or digest names; undefined if there is nothing. */
export async function headManifest(client: RegistryClient, name: string): Promise<string | undefined> {
  const answer = await client.request(client.url(`manifests/${name}`), { method: "HEAD", headers: ACCEPT });
  if (answer.status === 404) return void answer.discard();
  if (answer.status !== 200) throw await client.refusal(answer);
  answer.discard();
  return answer.header("docker-content-digest") ?? (await getManifest(client, name))?.descriptor.digest;
}

/**
 * Puts a manifest under a tag, or under its digest. The answer tells whether the registry keeps what refers to what
 * (distribution-spec "Pushing Manifests with Subject").
 */
export async function putManifest(
  client: RegistryClient,
  name: string,
  bytes: Uint8Array,
  { mediaType, digest, size }: Descriptor,
): Promise<{ readonly knowsSubject: boolean }> {
  const headers = { "Content-Type": mediaType };
  const answer = await client.request(client.url(`manifests/${name}`), { method: "PUT", headers, body: bytes });
  if (answer.status !== 201 && answer.status !== 202 && answer.status !== 200) throw await client.refusal(answer);
  answer.discard();
  const kept = digestHeader(answer.header("docker-content-digest"));
  if (kept !== undefined) checkDigest(kept, { digest, size }, client.endpoint.host);
  return { knowsSubject: answer.header("oci-subject") !== undefined };
}
