import { createHash } from "node:crypto";
import { CorruptError, UnsupportedError } from "../errors.ts";

/** `algorithm:hex`, as the OCI image specification spells content digests. */
export type Digest = `${string}:${string}`;

const LENGTHS: ReadonlyMap<string, number> = new Map([
  ["sha256", 64],
  ["sha512", 128],
]);

export function sha256(bytes: Uint8Array): Digest {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** Checks the form of a digest and that its algorithm is one we can compute; the parts are safe as file names. */
export function parseDigest(text: string): {
  readonly digest: Digest;
  readonly algorithm: string;
  readonly hex: string;
} {
  const [, algorithm = "", hex = ""] = /^([a-z0-9]+(?:[+._-][a-z0-9]+)*):([a-zA-Z0-9=_-]+)$/.exec(text) ?? [];
  if (algorithm === "") throw new CorruptError("DIGEST_FORM", `${JSON.stringify(text)} is not a digest`);
  const length = LENGTHS.get(algorithm);
  if (length === undefined)
    throw new UnsupportedError("DIGEST_ALGORITHM", `digest algorithm ${JSON.stringify(algorithm)}`);
  if (!/^[0-9a-f]+$/.test(hex) || hex.length !== length) {
    throw new CorruptError("DIGEST_FORM", `${JSON.stringify(text)} is not ${length} lower-case hex digits`);
  }
  return { digest: `${algorithm}:${hex}`, algorithm, hex };
}
