import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createSecureContext, rootCertificates, type SecureContext, type SecureContextOptions } from "node:tls";
import type { Registries } from "../../context.ts";
import { configWrong } from "./errors.ts";

/** Where distributions keep the authorities that their administrators trust; the first that is there counts. */
const SYSTEM_BUNDLES = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/ssl/cert.pem",
];

/**
 * Whom a connection to `host` trusts, and what it shows of itself: the authorities of Node and of the system, and what stands
 * in certs.d for this host (containers-certs.d.5: `*.crt` are authorities, `*.cert` with `*.key` a client's certificate).
 * Throws UsageError REGISTRY_CONFIG.
 */
export function tlsContext(host: string, environment: Registries["environment"]): SecureContext {
  const { HOME: home, SSL_CERT_FILE: own } = environment;
  const bundle = own ?? SYSTEM_BUNDLES.find((path) => existsSync(path));
  const folders = [
    ...(home === undefined ? [] : [join(home, ".config/containers/certs.d")]),
    "/etc/containers/certs.d",
    "/etc/docker/certs.d",
  ];
  const folder = folders.map((path) => join(path, host)).find((path) => existsSync(path));
  const known = folder === undefined ? publicContexts.get(bundle) : undefined;
  if (known !== undefined) return known;
  const ca = [...rootCertificates, ...(bundle === undefined ? [] : [read(bundle)])];
  const client = folder === undefined ? {} : clientOptions(folder, ca);
  try {
    const context = createSecureContext({ ca, ...client });
    if (folder === undefined) publicContexts.set(bundle, context);
    return context;
  } catch (cause) {
    throw configWrong(folder ?? bundle ?? host, "a certificate or key cannot be read", cause);
  }
}

/** Measured: 130 ms to read some 280 authorities. Those of one host are read each time. */
const publicContexts = new Map<string | undefined, SecureContext>();

function clientOptions(folder: string, ca: string[]): SecureContextOptions {
  const names = readdirSync(folder);
  for (const name of names.filter((each) => each.endsWith(".crt"))) ca.push(read(join(folder, name)));
  const certificate = names.find((each) => each.endsWith(".cert"));
  if (certificate === undefined) return {};
  const key = certificate.replace(/\.cert$/, ".key");
  if (!names.includes(key)) throw configWrong(join(folder, certificate), `the certificate has no key ${key} beside it`);
  return { cert: read(join(folder, certificate)), key: read(join(folder, key)) };
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw configWrong(path, "the file cannot be read", cause);
  }
}
