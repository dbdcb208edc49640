import type { Digest } from "../../bytes/digest.ts";
import { checkSize, type Expected } from "../../bytes/verify.ts";
import type { Context } from "../../context.ts";
import { blobMissing } from "../errors.ts";
import type { RegistryClient } from "./client.ts";
import { answerWrong } from "./errors.ts";
import type { Answer } from "./exchange.ts";
import { networkError } from "./http.ts";
import { Retries } from "./retry.ts";

/** The size of a blob that the registry has, in bytes; undefined if it has none, -1 if it does not tell. */
export async function headBlob(client: RegistryClient, digest: Digest): Promise<number | undefined> {
  const answer = await client.request(client.url(`blobs/${digest}`), { method: "HEAD" });
  if (answer.status === 404) return void answer.discard();
  if (answer.status !== 200) throw await client.refusal(answer);
  answer.discard();
  const length = answer.header("content-length");
  return length === undefined ? -1 : Number(length);
}

/** A connection that brings this much before it breaks is worth its attempt. */
const PROGRESS = 1 << 20;

/**
 * A blob as it comes, size and digest not checked. A connection that breaks is taken up again where it broke, by Range.
 * Throws CorruptError TRANSPORT_BLOB_MISSING, DIGEST_SIZE, REGISTRY_ANSWER and what requests throw.
 */
export async function* downloadBlob(
  client: RegistryClient,
  expected: Expected,
  ctx: Context,
): AsyncGenerator<Uint8Array, void> {
  const url = client.url(`blobs/${expected.digest}`);
  let done = 0;
  let retries = new Retries(ctx);
  for (let began = 0; ; ) {
    const headers: Record<string, string> = done > 0 ? { Range: `bytes=${done}-` } : {};
    const answer = await client.request(url, { method: "GET", headers });
    if (answer.status !== 200 && answer.status !== 206) throw await notThere(client, answer, expected);
    try {
      let skip = skipOf(answer, done, expected);
      for await (const bytes of answer.body()) {
        ctx.signal.throwIfAborted();
        const rest = bytes.subarray(Math.min(skip, bytes.length));
        skip -= bytes.length - rest.length;
        if (rest.length === 0) continue;
        done += rest.length;
        yield rest;
      }
      return;
    } catch (cause) {
      const error = networkError(cause, answer.url, ctx.signal);
      if (error.code !== "REGISTRY_CONNECTION") throw error;
      if (done - began >= PROGRESS) retries = new Retries(ctx);
      began = done;
      if (!(await retries.again())) throw error;
    } finally {
      answer.discard();
    }
  }
}

async function notThere(client: RegistryClient, answer: Answer, { digest }: Expected): Promise<Error> {
  if (answer.status !== 404) return await client.refusal(answer);
  answer.discard();
  const { host, repository } = client.endpoint;
  return blobMissing(`${host}/${repository}`, digest);
}

/** How many of the bytes that come are known already, since not every server can begin in the middle. */
function skipOf(answer: Answer, done: number, expected: Expected): number {
  const length = answer.header("content-length");
  if (answer.status === 200) {
    if (length !== undefined) checkSize(Number(length), expected, answer.url.host);
    return done;
  }
  const [, first, last, size] = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(answer.header("content-range") ?? "") ?? [];
  if (Number(first) !== done || Number(last) >= expected.size || (size !== "*" && Number(size) !== expected.size)) {
    throw answerWrong(answer.url, `the registry gives another range than the bytes from ${done} of ${expected.size}`);
  }
  return 0;
}
