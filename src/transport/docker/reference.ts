import { type Digest, parseDigest } from "../../bytes/digest.ts";
import { ConverterError } from "../../errors.ts";
import { referenceForm } from "../errors.ts";
import { parseImageName } from "../reference.ts";

/** Docker's own registry, as references name it. */
export const DOCKER_IO = "docker.io";

/** What `docker://` names: `host[:port]/repository[:tag][@digest]`. */
export interface RegistryReference {
  /** With its port where one is given: `registry.example:5000`. */
  readonly host: string;
  readonly repository: string;
  readonly tag: string;
  /** Goes before the tag. */
  readonly digest: Digest | undefined;
  /** The full name, for messages. */
  readonly text: string;
}

/**
 * Without a registry Docker's own is meant, without a tag `latest`, as every client reads it. Throws UsageError
 * TRANSPORT_REFERENCE.
 */
export function parseRegistryReference(details: string): RegistryReference {
  const at = details.indexOf("@");
  const name = parseImageName(at < 0 ? details : details.slice(0, at));
  const digest = at < 0 ? undefined : digestOf(details.slice(at + 1), details);
  const slash = name.full.indexOf("/");
  const host = name.full.slice(0, slash).toLowerCase();
  const repository = name.full.slice(slash + 1, -name.tag.length - 1);
  const text = digest === undefined ? name.full : `${host}/${repository}@${digest}`;
  return { host, repository, tag: name.tag, digest, text };
}

function digestOf(text: string, details: string): Digest {
  try {
    return parseDigest(text).digest;
  } catch (cause) {
    if (!(cause instanceof ConverterError)) throw cause;
    throw referenceForm(details, `ends in something that is no digest: ${cause.message}`);
  }
}
