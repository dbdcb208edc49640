import type { Context, RegistryAccess } from "../../context.ts";
import { ConverterError } from "../../errors.ts";
import { imageMissing, referenceForm } from "../errors.ts";
import type { ImageSource, ImageTransport } from "../image-transport.ts";
import { type Endpoint, RegistryClient } from "./client.ts";
import { RegistryDestination } from "./destination.ts";
import { getManifest } from "./manifests.ts";
import { parseRegistryReference, type RegistryReference } from "./reference.ts";
import { type Location, pullLocations, pushLocation } from "./registries-conf.ts";
import { RegistrySource } from "./source.ts";

/** `docker://HOST/REPOSITORY[:TAG][@DIGEST]`: a registry (distribution-spec 1.1), or a mirror of it for reading. */
export const transport: ImageTransport = {
  name: "docker",

  async openSource(details, ctx) {
    const reference = parseRegistryReference(details);
    const locations = pullLocations(reference, ctx.registries.environment);
    for (const mirror of locations.slice(0, -1)) {
      try {
        return await openAt(mirror, reference, ctx);
      } catch (cause) {
        ctx.signal.throwIfAborted();
        if (!(cause instanceof ConverterError)) throw cause;
        const message = `the mirror ${mirror.host}/${mirror.repository} is passed over: ${cause.message}`;
        ctx.diagnostic({ code: "REGISTRY_MIRROR", severity: "info", message, where: { file: reference.text } });
      }
    }
    return await openAt(locations.at(-1) as Location, reference, ctx);
  },

  async openDestination(details, { force, mountFrom }, ctx) {
    const reference = parseRegistryReference(details);
    const { host, repository, digest } = reference;
    if (digest !== undefined) throw referenceForm(details, "names a digest, but a new image gets its own");
    const other = mountFrom === undefined ? undefined : parseRegistryReference(mountFrom);
    const from = other?.host === host && other.repository !== repository ? other : undefined;
    const location = pushLocation(reference, ctx.registries.environment);
    const scopes = [scope(repository, "pull,push"), ...(from === undefined ? [] : [scope(from.repository, "pull")])];
    const endpoint = endpointAt(location, reference, ctx.registries.destination);
    const client = await RegistryClient.open(endpoint, scopes, ctx);
    return new RegistryDestination(client, { reference, force, mountFrom: from?.repository }, ctx);
  },
};

async function openAt(location: Location, reference: RegistryReference, ctx: Context): Promise<ImageSource> {
  const endpoint = endpointAt(location, reference, ctx.registries.source);
  const client = await RegistryClient.open(endpoint, [scope(location.repository, "pull")], ctx);
  try {
    const root = await getManifest(client, reference.digest ?? reference.tag);
    if (root === undefined) throw imageMissing(reference.text);
    return new RegistrySource(client, root, ctx);
  } catch (cause) {
    client[Symbol.dispose]();
    throw cause;
  }
}

/** What the user says of TLS goes before registries.conf; credentials are for the registry that the user names. */
function endpointAt(location: Location, reference: RegistryReference, access: RegistryAccess = {}): Endpoint {
  const { tlsVerify, credentials } = access;
  return {
    ...location,
    insecure: tlsVerify === undefined ? location.insecure : !tlsVerify,
    secure: tlsVerify === true,
    credentials: location.host === reference.host ? credentials : undefined,
  };
}

function scope(repository: string, actions: "pull" | "pull,push"): string {
  return `repository:${repository}:${actions}`;
}
