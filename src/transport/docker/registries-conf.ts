import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "smol-toml";
import type { Registries } from "../../context.ts";
import { ConverterError } from "../../errors.ts";
import { Fields } from "../../oci/json.ts";
import { blocked, configWrong } from "./errors.ts";
import type { RegistryReference } from "./reference.ts";

/** Where an image can be had: `host[:port]/repository`. */
export interface Location {
  readonly host: string;
  readonly repository: string;
  /** Any certificate, and plain http, will do. */
  readonly insecure: boolean;
}

interface Mirror {
  readonly location: string;
  readonly insecure: boolean;
  readonly pull: "all" | "digest-only" | "tag-only";
}

interface Entry {
  readonly prefix: string;
  /** What the prefix is replaced by. */
  readonly location: string;
  readonly insecure: boolean;
  readonly blocked: boolean;
  readonly mirrors: readonly Mirror[];
}

/**
 * Where to ask for an image, in order: the mirrors that registries.conf has for it, then the place itself or what stands for
 * it (containers-registries.conf.5, version 2). Throws UsageError REGISTRY_BLOCKED, REGISTRY_CONFIG.
 */
export function pullLocations(
  reference: RegistryReference,
  environment: Registries["environment"],
): readonly Location[] {
  const { host, repository, digest, text } = reference;
  const name = `${host}/${repository}`;
  const entry = entryFor(name, environment);
  if (entry === undefined) return [{ host, repository, insecure: false }];
  if (entry.blocked) throw blocked(text);
  const kept = digest === undefined ? "tag-only" : "digest-only";
  const mirrors = entry.mirrors.filter(({ pull }) => pull === "all" || pull === kept);
  return [...mirrors, entry].map(({ location, insecure }) => moved(name, entry.prefix, location, insecure));
}

/** Where an image is pushed to: never a mirror. Throws as `pullLocations` does. */
export function pushLocation(reference: RegistryReference, environment: Registries["environment"]): Location {
  const { host, repository, text } = reference;
  const entry = entryFor(`${host}/${repository}`, environment);
  if (entry?.blocked === true) throw blocked(text);
  return { host, repository, insecure: entry?.insecure ?? false };
}

/** The entry with the longest prefix that the name lies under. */
function entryFor(name: string, environment: Registries["environment"]): Entry | undefined {
  const fitting = readEntries(environment).filter(({ prefix }) => lengthOf(prefix, name) > 0);
  return fitting.sort((a, b) => lengthOf(b.prefix, name) - lengthOf(a.prefix, name))[0];
}

/** How much of the name a prefix covers: 0 if it does not fit. `*.example.com` covers every host below that domain. */
function lengthOf(prefix: string, name: string): number {
  if (prefix.startsWith("*.")) {
    const [domain = "", ...path] = prefix.slice(1).split("/");
    const host = name.slice(0, name.indexOf("/"));
    return host.endsWith(domain) ? lengthOf([host, ...path].join("/"), name) : 0;
  }
  return name === prefix || name.startsWith(`${prefix}/`) ? prefix.length : 0;
}

function moved(name: string, prefix: string, location: string, insecure: boolean): Location {
  const isKept = location === "" || location === prefix;
  const place = isKept ? name : `${location}${name.slice(lengthOf(prefix, name))}`;
  const slash = place.indexOf("/");
  if (slash <= 0)
    throw configWrong("registries.conf", `the location ${JSON.stringify(location)} leads to no repository`);
  return { host: place.slice(0, slash), repository: place.slice(slash + 1), insecure };
}

/** Of one file and its drop-ins; what comes later goes before what is there for the same prefix. */
function readEntries({ HOME: home, CONTAINERS_REGISTRIES_CONF: named }: Registries["environment"]): readonly Entry[] {
  const folders = ["/etc/containers", ...(home === undefined ? [] : [join(home, ".config/containers")])];
  const main = named ?? folders.map((folder) => join(folder, "registries.conf")).findLast((path) => existsSync(path));
  const dropIns = folders.map((folder) => join(folder, "registries.conf.d")).flatMap(configsIn);
  const entries = new Map<string, Entry>();
  for (const path of [...(main === undefined ? [] : [main]), ...dropIns]) {
    for (const entry of entriesIn(path)) entries.set(entry.prefix, entry);
  }
  return [...entries.values()];
}

function configsIn(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).filter((name) => name.endsWith(".conf"));
  return names.sort().map((name) => join(folder, name));
}

function entriesIn(path: string): readonly Entry[] {
  try {
    // Through JSON, since TOML has dates besides.
    const document = JSON.parse(JSON.stringify(parse(readFileSync(path, "utf8"))));
    return new Fields(document, "", path).objects("registry").map(entryOf);
  } catch (cause) {
    if (!(cause instanceof Error)) throw cause;
    const why = cause instanceof ConverterError ? cause.message : (cause.message.split("\n")[0] ?? "");
    throw configWrong(path, `registries.conf cannot be understood: ${why}`, cause);
  }
}

function entryOf(fields: Fields): Entry {
  const location = fields.optionalText("location") ?? "";
  const prefix = fields.optionalText("prefix") ?? "";
  const digestOnly = fields.flag("mirror-by-digest-only");
  const mirrors = fields.objects("mirror").map((mirror): Mirror => {
    const pull = digestOnly ? "digest-only" : (mirror.optionalText("pull-from-mirror") ?? "all");
    if (pull !== "all" && pull !== "digest-only" && pull !== "tag-only") {
      throw configWrong(mirror.file, `pull-from-mirror is ${JSON.stringify(pull)}`);
    }
    return { location: mirror.text("location"), insecure: mirror.flag("insecure"), pull };
  });
  const [insecure, isBlocked] = [fields.flag("insecure"), fields.flag("blocked")];
  return { prefix: prefix === "" ? location : prefix, location, insecure, blocked: isBlocked, mirrors };
}
