import type { Context, RegistryAccess } from "../../context.ts";
import { imageMissing, referenceForm } from "../errors.ts";
import type { ImageTransport } from "../image-transport.ts";
import { type Endpoint, RegistryClient } from "./client.ts";
import { RegistryDestination } from "./destination.ts";
import { getManifest } from "./manifests.ts";
import { parseRegistryReference, type RegistryReference } from "./reference.ts";
import { RegistrySource } from "./source.ts";

/** `docker://HOST/REPOSITORY[:TAG][@DIGEST]`: a registry (distribution-spec 1.1). */
export const transport: ImageTransport = {
  name: "docker",

  async openSource(details, ctx) {
    const reference = parseRegistryReference(details);
    const client = await openClient(reference, ctx.registries.source, "pull", ctx);
    try {
      const root = await getManifest(client, reference.digest ?? reference.tag);
      if (root === undefined) throw imageMissing(reference.text);
      return new RegistrySource(client, root, ctx);
    } catch (cause) {
      client[Symbol.dispose]();
      throw cause;
    }
  },

  async openDestination(details, { force, mountFrom }, ctx) {
    const reference = parseRegistryReference(details);
    if (reference.digest !== undefined) throw referenceForm(details, "names a digest, but a new image gets its own");
    const other = mountFrom === undefined ? undefined : parseRegistryReference(mountFrom);
    const from = other?.host === reference.host && other.repository !== reference.repository ? other : undefined;
    const client = await openClient(reference, ctx.registries.destination, "pull,push", ctx, from);
    return new RegistryDestination(client, { reference, force, mountFrom: from?.repository }, ctx);
  },
};

async function openClient(
  { host, repository }: RegistryReference,
  access: RegistryAccess | undefined,
  actions: "pull" | "pull,push",
  ctx: Context,
  from?: RegistryReference,
): Promise<RegistryClient> {
  const { tlsVerify, credentials } = access ?? {};
  const endpoint: Endpoint = {
    host,
    repository,
    insecure: tlsVerify === false,
    secure: tlsVerify === true,
    credentials,
  };
  const scopes = [
    `repository:${repository}:${actions}`,
    ...(from === undefined ? [] : [`repository:${from.repository}:pull`]),
  ];
  return await RegistryClient.open(endpoint, scopes, ctx);
}
