import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { indexTar } from "../src/archive/tar-index.ts";
import type { ByteSource } from "../src/bytes/byte-source.ts";
import { FileSource, fileError } from "../src/bytes/file-source.ts";
import type { Context } from "../src/context.ts";
import { diskFormats } from "../src/disk/index.ts";
import { UsageError } from "../src/errors.ts";

/** What holds a machine: a package of the OVF world, or a bare disk image. */
export const MACHINE_TRANSPORTS = ["ova", "ovf", "vmdk", "vdi", "vhd", "vhdx", "qcow2", "raw"] as const;
/** What holds an OCI image. */
export const IMAGE_TRANSPORTS = ["oci", "oci-archive", "docker-archive", "docker"] as const;

export type MachineTransport = (typeof MACHINE_TRANSPORTS)[number];
export type ImageTransport = (typeof IMAGE_TRANSPORTS)[number];

/** A place that a user names. `details` is what the transport itself understands: a path, `-`, a path with a tag, a registry's reference. */
export type Reference =
  | { readonly side: "machine"; readonly transport: MachineTransport; readonly details: string }
  | { readonly side: "image"; readonly transport: ImageTransport; readonly details: string };

/**
 * Reads `[transport:]details`. Without a transport the ending of the file decides, then what is found at the path: an
 * image layout or a descriptor in a directory, the first bytes of a file. Throws UsageError where that does not tell, which
 * for a path where nothing stands yet is all but the known endings.
 */
export async function parseReference(text: string, ctx: Context): Promise<Reference> {
  if (text === "" || text === "-") throw referenceEmpty();
  const [, prefix, details] = /^([A-Za-z][A-Za-z0-9+.-]+):(.*)$/s.exec(text) ?? [];
  const known = prefix === undefined || details === undefined ? undefined : withTransport(prefix, details, text);
  if (known !== undefined) return known;
  if (prefix !== undefined && details !== undefined && !existsSync(text)) throw transportUnknown(prefix, details, text);
  return byEnding(text) ?? (await byContent(text, ctx)) ?? fail(transportMissing(text));
}

function fail(error: UsageError): never {
  throw error;
}

function reference(transport: string, details: string): Reference | undefined {
  const machine = MACHINE_TRANSPORTS.find((name) => name === transport);
  if (machine !== undefined) return { side: "machine", transport: machine, details };
  const image = IMAGE_TRANSPORTS.find((name) => name === transport);
  return image && { side: "image", transport: image, details };
}

function withTransport(prefix: string, details: string, text: string): Reference | undefined {
  const found = reference(prefix, details);
  if (found === undefined) return undefined;
  if (details === "" || details === "//") throw detailsMissing(text);
  if (found.transport !== "docker") return found;
  if (!details.startsWith("//")) throw registryForm(details);
  return { ...found, details: details.slice(2) };
}

/** An OVA or a disk image may be compressed as a whole. */
const ENDING = new RegExp(`\\.(${MACHINE_TRANSPORTS.join("|")})(?:(?<!\\.ovf)\\.gz)?$`, "i");

/** A Vagrant box is an OVA by another name. */
const OVA_BY_ANOTHER_NAME = /\.box$/i;

function byEnding(path: string): Reference | undefined {
  const ending = OVA_BY_ANOTHER_NAME.test(path) ? "ova" : ENDING.exec(path)?.[1]?.toLowerCase();
  return ending === undefined || isDirectory(path) ? undefined : reference(ending, path);
}

function isDirectory(path: string): boolean {
  return existsSync(`${path}/.`);
}

function holdsDescriptor(directory: string): boolean {
  try {
    return readdirSync(directory).some((name) => /\.ovf$/i.test(name));
  } catch (cause) {
    throw fileError(cause, directory);
  }
}

async function byContent(path: string, ctx: Context): Promise<Reference | undefined> {
  if (!existsSync(path)) return undefined;
  if (isDirectory(path)) {
    if (existsSync(join(path, "oci-layout"))) return reference("oci", path);
    return holdsDescriptor(path) ? reference("ovf", path) : undefined;
  }
  await using source = FileSource.open(path);
  const transport = await transportOf(source, ctx);
  return transport === undefined ? undefined : reference(transport, path);
}

/** A descriptor is the only XML that means anything here. */
const XML = /^(?:\xef\xbb\xbf)?\s*<(?:\?xml|(?:[\w-]+:)?Envelope)[\s>]/;

async function transportOf(source: ByteSource, ctx: Context): Promise<string | undefined> {
  const head = await source.read(0, Math.min(1024, source.size));
  if (XML.test(Buffer.from(head).toString("latin1"))) return "ovf";
  const found = (await diskFormats.probe(source))?.name;
  if (found !== "tar") return found;
  const names = (await indexTar(source, ctx)).members.map(({ name }) => name.replace(/^\.\//, ""));
  if (names.some((name) => /\.ovf$/i.test(name))) return "ova";
  if (names.includes("oci-layout")) return "oci-archive";
  return names.includes("manifest.json") ? "docker-archive" : undefined;
}

const FORMS = [...MACHINE_TRANSPORTS, ...IMAGE_TRANSPORTS].map((name) =>
  name === "docker" ? "docker://" : `${name}:`,
);
const ALL = `the transports are ${FORMS.join(" ")}`;

function referenceEmpty(): UsageError {
  return new UsageError("REFERENCE_EMPTY", "standard input and output need a transport", {
    advice: "write for example ova:- or docker-archive:-",
  });
}

function detailsMissing(text: string): UsageError {
  return new UsageError("REFERENCE_EMPTY", `${JSON.stringify(text)} names a transport and nothing in it`, {
    advice: `write for example ${text}web01`,
  });
}

function registryForm(details: string): UsageError {
  return new UsageError("REFERENCE_TRANSPORT_UNKNOWN", `a registry is written with docker://, not with docker:`, {
    advice: `write docker://${details.replace(/^\/+/, "")}`,
  });
}

function transportUnknown(prefix: string, details: string, text: string): UsageError {
  const sentence = `there is no transport ${JSON.stringify(prefix)}; ${ALL}`;
  return new UsageError("REFERENCE_TRANSPORT_UNKNOWN", sentence, { advice: suggestion(prefix, details, text) });
}

function transportMissing(text: string): UsageError {
  const sentence = `${JSON.stringify(text)} does not tell what it is; ${ALL}`;
  const registry = /^[a-z0-9.-]+(:[0-9]+)?\/[a-z0-9._/-]+(:[\w.-]+)?(@.*)?$/.test(text) && !text.startsWith(".");
  const example = registry
    ? `docker://${text} for a registry, oci:${text} for a directory`
    : `ova:${text} or oci:${text}`;
  return new UsageError("REFERENCE_TRANSPORT_MISSING", sentence, { advice: `put a transport before it: ${example}` });
}

function suggestion(prefix: string, details: string, text: string): string {
  const [near] = [...MACHINE_TRANSPORTS, ...IMAGE_TRANSPORTS].filter(
    (name) => distance(name, prefix.toLowerCase()) <= 2,
  );
  if (/^(https?|ftp)$/i.test(prefix))
    return "fetch it first, or send it through: curl -s URL | transload convert ova:- ...";
  if (near === "docker") return `write docker://${details.replace(/^\/+/, "")}`;
  if (near !== undefined) return `write ${near}:${details}`;
  return `write docker://${text} for a registry, or ./${text} for a file`;
}

/** Letters to change, add or leave out (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(changed, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
