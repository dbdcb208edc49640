import { createHash } from "node:crypto";
import { parseDigest } from "../../bytes/digest.ts";
import { checkDigest, checkSize, type Expected } from "../../bytes/verify.ts";
import type { Context } from "../../context.ts";
import type { ConverterError } from "../../errors.ts";
import { type BlobContent, bytesOf } from "../image-transport.ts";
import { headBlob } from "./blobs.ts";
import type { RegistryClient } from "./client.ts";
import { uploadBroken } from "./errors.ts";
import { Answer, type Exchange } from "./exchange.ts";
import { networkError } from "./http.ts";
import { isPassing, Retries } from "./retry.ts";

/** A registry may copy a whole blob to its place before it answers. Milliseconds. */
const FINISH_TIME = 15 * 60_000;

/**
 * Sends a blob while it is made: one pass, nothing is kept (distribution-spec "Pushing a blob in chunks", with one chunk whose
 * length is not known before). Where the sending breaks, content that can be asked for again is, from its beginning: what a
 * registry has kept of a broken upload cannot be relied on. `from` is a repository of the same registry that may have the blob.
 * Throws CorruptError DIGEST_* where the content is not what was expected, TemporaryError REGISTRY_UPLOAD, what `content`
 * throws and what requests throw.
 */
export async function uploadBlob(
  client: RegistryClient,
  content: BlobContent,
  expected: Partial<Expected>,
  from: string | undefined,
  ctx: Context,
): Promise<Expected> {
  const retries = new Retries(ctx);
  for (;;) {
    const start = await begin(client, expected, from);
    if (start === "mounted") return expected as Expected;
    const outcome = await attempt(client, start, bytesOf(content), expected, ctx);
    if ("done" in outcome) return outcome.done;
    const { failure } = outcome;
    const answer = failure instanceof Answer ? failure : undefined;
    if (typeof content === "function" && (await retries.again(answer))) continue;
    const cause = failure instanceof Answer ? await client.refusal(failure) : failure;
    throw cause.code === "REGISTRY_CONNECTION" ? uploadBroken(start, cause) : cause;
  }
}

/** Where the upload goes to. */
async function begin(
  client: RegistryClient,
  { digest, size }: Partial<Expected>,
  from: string | undefined,
): Promise<URL | "mounted"> {
  const uploads = client.url("blobs/uploads/");
  if (digest !== undefined && size !== undefined && from !== undefined) {
    const mount = new URL(uploads);
    mount.searchParams.set("mount", digest);
    mount.searchParams.set("from", from);
    const answer = await client.request(mount, { method: "POST" });
    answer.discard();
    if (answer.status === 201) return "mounted";
    if (answer.status === 202) return client.next(answer);
    // Registries refuse mounts in many ways; none of them says anything about an upload.
  }
  const answer = await client.request(uploads, { method: "POST" });
  if (answer.status !== 202) throw await client.refusal(answer);
  answer.discard();
  return client.next(answer);
}

/** Either the blob is there, or this upload is lost: for an answer that says so, or for an error of the network. */
type Outcome = { readonly done: Expected } | { readonly failure: Answer | ConverterError };

async function attempt(
  client: RegistryClient,
  start: URL,
  content: AsyncIterable<Uint8Array>,
  expected: Partial<Expected>,
  ctx: Context,
): Promise<Outcome> {
  const headers = { "Content-Type": "application/octet-stream", "Transfer-Encoding": "chunked" };
  const exchange = await client.stream(start, { method: "PATCH", headers });
  const sent = await send(exchange, content, expected, ctx);
  let answer: Answer;
  try {
    answer = await exchange.answer();
  } catch (cause) {
    return lost(cause, start, ctx);
  }
  if (sent === undefined || answer.status < 200 || answer.status > 299) {
    if (await client.challenged(answer)) return { failure: answer };
    if (isPassing(answer.status) || isForgotten(answer.status)) return { failure: answer };
    throw await client.refusal(answer);
  }
  answer.discard();
  const wanted: Expected = { digest: expected.digest ?? sent.digest, size: expected.size ?? sent.size };
  checkSize(sent.size, wanted, client.endpoint.host);
  checkDigest(sent.digest, wanted, client.endpoint.host);
  return await finish(client, answer.header("location") === undefined ? start : client.next(answer), sent, ctx);
}

/** What has been sent, or undefined where the other side did not want all of it. */
async function send(
  exchange: Exchange,
  content: AsyncIterable<Uint8Array>,
  { digest }: Partial<Expected>,
  { signal }: Context,
): Promise<Expected | undefined> {
  const algorithm = digest === undefined ? "sha256" : parseDigest(digest).algorithm;
  const hash = createHash(algorithm);
  let size = 0;
  try {
    for await (const bytes of content) {
      signal.throwIfAborted();
      if (bytes.length === 0) continue;
      // Each chunk is on its way while it is hashed.
      const writing = exchange.write(bytes);
      hash.update(bytes);
      size += bytes.length;
      if (!(await writing)) return undefined;
    }
  } catch (cause) {
    exchange.destroy();
    throw cause;
  }
  return { digest: `${algorithm}:${hash.digest("hex")}`, size };
}

/** Closes the upload. Where its end is not known, the blob itself is looked for. */
async function finish(client: RegistryClient, upload: URL, sent: Expected, ctx: Context): Promise<Outcome> {
  const url = new URL(upload);
  url.searchParams.set("digest", sent.digest);
  let answer: Answer;
  try {
    answer = await client.request(url, { method: "PUT", stall: Math.max(FINISH_TIME, ctx.registries.stall) });
  } catch (cause) {
    return lost(cause, url, ctx);
  }
  const claimed = answer.header("docker-content-digest");
  if (answer.status === 201 || answer.status === 204) {
    answer.discard();
    // It has kept something else than we sent.
    if (claimed !== undefined && claimed !== sent.digest) checkDigest(claimed as Expected["digest"], sent, url.host);
    return { done: sent };
  }
  if (!isForgotten(answer.status) && !isPassing(answer.status)) throw await client.refusal(answer);
  if ((await headBlob(client, sent.digest)) === sent.size) {
    answer.discard();
    return { done: sent };
  }
  return { failure: answer };
}

/** The upload is not known any more, or not with these bytes: 400 DIGEST_INVALID, 404 BLOB_UPLOAD_UNKNOWN, 416 out of order. */
function isForgotten(status: number): boolean {
  return status === 400 || status === 404 || status === 416;
}

function lost(cause: unknown, url: URL, ctx: Context): Outcome {
  const error = networkError(cause, url, ctx.signal);
  if (error.exitCode !== 75) throw error;
  return { failure: error };
}
