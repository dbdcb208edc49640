import type { Context } from "../src/context.ts";
import { ConverterError } from "../src/errors.ts";
import type { FileSystem } from "../src/filesystem/file-system.ts";
import type { Finding } from "../src/oci/layer-rules.ts";
import { isManifestType } from "../src/oci/media-types.ts";
import { verifyCertificate } from "../src/ovf/certificate.ts";
import { verifyManifest } from "../src/ovf/manifest.ts";
import { openImage } from "../src/transport/open-image.ts";
import { verifyImage } from "../src/transport/verify.ts";
import { type Machine, openMachine } from "./machine/machine.ts";
import { allPlaces, describePlace } from "./machine/stack.ts";
import { readArtifact } from "./oci-to-ovf/package.ts";
import { openPackageAt, transportOf } from "./open.ts";
import { isPackageArtifact } from "./package-form/artifact.ts";
import { parseReference, type Reference } from "./reference.ts";

export interface Verification {
  /** No finding is an error. */
  readonly ok: boolean;
  /** What was checked, in one line. */
  readonly summary: string;
  readonly findings: readonly Finding[];
}

/**
 * Checks a package (manifest, signature, the structure of disks and volumes, every file's metadata and extents) or an image
 * (every digest, size, media type, DiffID, and the layers' entries). What is wrong becomes a finding; what cannot be opened
 * at all throws.
 */
export async function verify(source: string, ctx: Context): Promise<Verification> {
  const reference = await parseReference(source, ctx);
  return reference.side === "image" ? await verifyImageAt(reference, ctx) : await verifyPackageAt(reference, ctx);
}

async function verifyImageAt(reference: Reference, ctx: Context): Promise<Verification> {
  await using source = await (await transportOf(reference)).openSource(reference.details, ctx);
  const { findings: found, images, blobs, bytes, root } = await verifyImage(source, ctx);
  const findings = [...found];
  await attempt(findings, async () => {
    if (!isManifestType(root.mediaType) || found.some(({ severity }) => severity === "error")) return;
    const image = await openImage(source, undefined, ctx);
    if (isPackageArtifact(image.manifest)) await readArtifact({ source, image });
  });
  const ok = findings.every(({ severity }) => severity !== "error");
  return { ok, findings, summary: `${root.digest}: ${images} images, ${blobs} blobs of ${bytes} bytes` };
}

async function verifyPackageAt(reference: Reference, ctx: Context): Promise<Verification> {
  const findings: Finding[] = [];
  const noting: Context = {
    ...ctx,
    diagnostic: ({ severity, code, message, where }) => void findings.push({ severity, code, message, where }),
  };
  const parts: string[] = [];
  await using pkg = await openPackageAt(reference, noting);
  await attempt(findings, async () => {
    const { verified } = await verifyManifest(pkg, noting);
    parts.push(`${verified.length} digests`);
  });
  await attempt(findings, async () => {
    const signed = await verifyCertificate(pkg, noting);
    if (signed !== undefined) parts.push(`signature of ${signed.subject.split("\n").join(", ")}`);
  });
  const names = pkg.envelope?.systems.map(({ id, name }) => id ?? name) ?? [undefined];
  for (const system of names) {
    await attempt(findings, async () => {
      await using machine = await openMachine(pkg, system === undefined ? {} : { system }, noting);
      parts.push(...(await verifyDisks(machine, findings, noting)));
    });
  }
  const ok = findings.every(({ severity }) => severity !== "error");
  return { ok, findings, summary: parts.join(", ") };
}

async function attempt(findings: Finding[], work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (cause) {
    if (!(cause instanceof ConverterError)) throw cause;
    findings.push({ severity: "error", code: cause.code, message: cause.message, where: {} });
  }
}

async function verifyDisks(machine: Machine, findings: Finding[], ctx: Context): Promise<string[]> {
  const parts = [`${machine.disks.length} disks`];
  for (const place of allPlaces(machine.stack)) {
    const { content } = place;
    if (content.kind === "damaged") {
      const { code, message } = content.error;
      findings.push({ severity: "error", code, message: `${place.device}: ${message}`, where: {} });
    }
    if (content.kind !== "file-system") continue;
    await attempt(findings, async () => {
      const entries = await walkWhole(content.fileSystem, ctx);
      parts.push(`${entries} files on ${describePlace(place)}`);
    });
  }
  return parts;
}

/** Reads every entry, and where every file's data lies. */
async function walkWhole(fileSystem: FileSystem, ctx: Context): Promise<number> {
  let count = 0;
  for await (const entry of fileSystem.walk()) {
    ctx.signal.throwIfAborted();
    count++;
    if (entry.type !== "file") continue;
    const content = fileSystem.content(entry);
    for (let at = 0; at < content.size; ) at += (await content.extentAt(at, content.size - at)).length;
  }
  return count;
}
