import { createReadStream, type Stats, statSync } from "node:fs";
import { basename } from "node:path";
import { indexTar, memberContent, type TarIndex, type TarMember } from "../archive/tar-index.ts";
import { baseName, bytePath, displayPath } from "../bytes/byte-path.ts";
import { type ByteSource, readAll } from "../bytes/byte-source.ts";
import { FileSource, fileError } from "../bytes/file-source.ts";
import { gunzip } from "../bytes/gunzip.ts";
import { spool } from "../bytes/spool.ts";
import type { Context } from "../context.ts";
import { ArchiveStore, singleStore } from "./archive-store.ts";
import { parseEnvelope } from "./envelope.ts";
import { descriptorTooLarge } from "./errors.ts";
import { FolderStore, realPlace } from "./folder-store.ts";
import { folded, type MemberStore, normalised, type StoredFile } from "./member-store.ts";
import type { Envelope } from "./model.ts";
import { assemblePackage, type Package, spoolPlain, tellSpooled } from "./package.ts";
import {
  boxWithoutDescriptor,
  descriptorAmbiguous,
  descriptorMissing,
  memberMissing,
  packageUnrecognised,
  packageWrapped,
} from "./package-errors.ts";
import { type Container, containerOf, HEAD_BYTES, wrappingOf } from "./package-kind.ts";

/** Where a package comes from. */
export type PackagePlace =
  /** A file (a pipe too) or a folder. */
  | { readonly kind: "path"; readonly path: string }
  /** Standard input and the like; `name` is what messages call it. */
  | { readonly kind: "stream"; readonly content: AsyncIterable<Uint8Array>; readonly name: string }
  /** Plain bytes in a temporary file already; the package takes ownership. */
  | { readonly kind: "spooled"; readonly source: ByteSource };

const DESCRIPTOR = /\.ovf$/i;
/** Endings that promise an archive. */
const ARCHIVE = /\.(ova|box|tar)(\.gz)?$|\.tgz$/i;
const BOX_METADATA = "metadata.json";
const MOST_METADATA = 64 << 10;
const NAMES_SHOWN = 4;

/**
 * Opens an OVA (plain or gzip), an OVF folder or its .ovf, a Vagrant box, or a bare disk image. What it is decide the first
 * bytes, then the name. Nothing is unpacked: only input that cannot seek and gzip go through a temporary file, which an info
 * diagnostic OVF_SPOOLED says. Throws NotFoundError, CorruptError, UnsupportedError, UsageError OVF_DESCRIPTOR_AMBIGUOUS.
 */
export async function openPackage(place: PackagePlace, ctx: Context): Promise<Package> {
  if (place.kind === "stream") return await openStream(place.content, place.name, ctx);
  if (place.kind === "spooled") {
    tellSpooled(place.source, "cannot be read twice and was copied", ctx);
    return await openSpooled(place.source, ctx);
  }
  const { path } = place;
  const stat = statOf(path);
  if (stat.isFIFO() || stat.isCharacterDevice()) {
    return await openStream(createReadStream(path), basename(path), ctx);
  }
  return stat.isDirectory() ? await openFolder(path, ctx) : await openFile(path, ctx);
}

function statOf(path: string): Stats {
  try {
    return statSync(path);
  } catch (cause) {
    throw fileError(cause, path);
  }
}

async function openFile(path: string, ctx: Context): Promise<Package> {
  const source = FileSource.open(path, basename(path));
  const opened = await guarded(source, async () => {
    const head = await source.read(0, Math.min(HEAD_BYTES, source.size));
    const container = recognised(head, source.name);
    if (container === "gzip") return await openGzip(source, ctx);
    return container === "tar" ? await openArchive(source, source.name, 0, ctx) : container;
  });
  if (typeof opened !== "string") return opened;
  await source[Symbol.asyncDispose]();
  const { folder, name } = realPlace(path);
  const store = new FolderStore(folder);
  const file = store.exact(name);
  if (file === undefined) throw memberMissing(displayPath(name), folder);
  if (opened === "descriptor") return await openDescriptor(store, file, ctx);
  return assemblePackage(
    { kind: "disk", name: basename(path), store, descriptor: undefined, files: [file], spooled: 0 },
    ctx,
  );
}

async function openFolder(path: string, ctx: Context): Promise<Package> {
  const store = new FolderStore(path);
  const present = store.list();
  const [first, ...others] = present.filter(isDescriptorName);
  if (first === undefined) throw noDescriptor(present, path);
  if (others.length > 0) throw descriptorAmbiguous([first, ...others].map(displayPath), path);
  const file = store.exact(first);
  if (file === undefined) throw memberMissing(displayPath(first), path);
  return await openDescriptor(store, file, ctx);
}

/** A descriptor in a folder, with the manifest and the certificate that carry its name. */
async function openDescriptor(store: FolderStore | ArchiveStore, file: StoredFile, ctx: Context): Promise<Package> {
  return await guarded(store, async () => {
    const stem = file.name.replace(/\.[^./]*$/, "");
    const named = (suffix: string): StoredFile | undefined =>
      store.exact(`${stem}${suffix}`) ?? store.similar(`${stem}${suffix}`);
    const parts = { descriptor: file, manifest: named(".mf"), certificate: named(".cert") };
    const envelope = await readEnvelope(store, file, ctx);
    return assemblePackage({ kind: "ovf", name: displayPath(file.name), store, envelope, ...parts, spooled: 0 }, ctx);
  });
}

async function openStream(content: AsyncIterable<Uint8Array>, name: string, ctx: Context): Promise<Package> {
  const stream = await peek(content, HEAD_BYTES);
  const packed = await guarded(stream, async () => recognised(stream.head, name) === "gzip");
  const source = await spool(packed ? gunzip(stream.content, name) : stream.content, name, ctx);
  tellSpooled(
    source,
    packed ? "cannot be read twice and was decompressed" : "cannot be read twice and was copied",
    ctx,
  );
  return await openSpooled(source, ctx);
}

async function openGzip(source: FileSource, ctx: Context): Promise<Package> {
  const plain = await spoolPlain(source, source.name.replace(/\.gz$/i, ""), ctx);
  await source[Symbol.asyncDispose]();
  return await openSpooled(plain, ctx);
}

/** Takes ownership of `source`, which is plain and has no folder around it. */
async function openSpooled(source: ByteSource, ctx: Context): Promise<Package> {
  return await guarded(source, async () => {
    const { name, size } = source;
    const head = await source.read(0, Math.min(HEAD_BYTES, size));
    const container = recognised(head, name);
    if (container === "gzip") throw packageWrapped("gzip inside gzip", name);
    if (container === "tar") return await openArchive(source, name, size, ctx);
    const store = singleStore(source, bytePath(name));
    const [file] = store.files;
    const parts = { name, store, files: store.files, spooled: size };
    if (container === "other" || file === undefined) return assemblePackage({ kind: "disk", ...parts }, ctx);
    const envelope = await readEnvelope(store, file, ctx);
    return assemblePackage({ kind: "ovf", ...parts, envelope, descriptor: file }, ctx);
  });
}

/** Refuses what somebody wrapped, and what is no archive although its name promises one. */
function recognised(head: Uint8Array, name: string): Container {
  const wrapping = wrappingOf(head);
  if (wrapping !== undefined) throw packageWrapped(wrapping, name);
  const container = containerOf(head);
  if (container === "gzip" || container === "tar") return container;
  const suffix = ARCHIVE.exec(name)?.[0];
  if (suffix !== undefined) throw packageUnrecognised(suffix, name);
  return DESCRIPTOR.test(name) ? "descriptor" : container;
}

async function openArchive(source: ByteSource, name: string, spooled: number, ctx: Context): Promise<Package> {
  const index = await indexTar(source, ctx);
  tellSkipped(index, name, ctx);
  const plain = index.members.filter(({ type }) => type === "file");
  const files = plain.map((member) => ({ name: member.name, size: member.size, offset: member.offset }));
  const store = new ArchiveStore(source, files);
  const provider = await boxProvider(source, plain, ctx);
  const descriptor = chooseDescriptor(files, name, ctx);
  if (descriptor === undefined) {
    if (provider !== undefined) throw boxWithoutDescriptor(provider, name);
    throw noDescriptor(
      files.map((file) => file.name),
      name,
    );
  }
  const isBox = provider !== undefined || /\.box$/i.test(name);
  if (!isBox && files[0] !== descriptor) {
    ctx.diagnostic({
      code: "OVF_DESCRIPTOR_NOT_FIRST",
      severity: "info",
      message: `${JSON.stringify(displayPath(descriptor.name))} is not the first file of the archive, as VMware wants it`,
      where: { file: name },
    });
  }
  const parts = {
    descriptor,
    manifest: companion(files, descriptor, ".mf"),
    certificate: companion(files, descriptor, ".cert"),
    envelope: await readEnvelope(store, descriptor, ctx),
  };
  const archive = { source, index };
  return assemblePackage(
    { kind: isBox ? "box" : "ova", name, store, files, archive, provider, ...parts, spooled },
    ctx,
  );
}

function tellSkipped({ members }: TarIndex, file: string, ctx: Context): void {
  const skipped = members.filter(({ type }) => type !== "file" && type !== "directory");
  const [first] = skipped;
  if (first === undefined) return;
  ctx.diagnostic({
    code: "OVF_MEMBER_SKIPPED",
    severity: "warning",
    message: `${skipped.length} members are no plain files and are left out, the first is the ${first.type} ${JSON.stringify(displayPath(first.name))}`,
    where: { file, offset: first.headerOffset },
  });
}

function isDescriptorName(name: string): boolean {
  return DESCRIPTOR.test(name) && !baseName(name).startsWith("._");
}

/** The first one, as VirtualBox has it. */
function chooseDescriptor(files: readonly StoredFile[], file: string, ctx: Context): StoredFile | undefined {
  const [first, ...others] = files.filter(({ name }) => isDescriptorName(name));
  if (first !== undefined && others.length > 0) {
    ctx.diagnostic({
      code: "OVF_SEVERAL_DESCRIPTORS",
      severity: "warning",
      message: `the archive holds ${others.length + 1} descriptors, and the first is taken: ${JSON.stringify(displayPath(first.name))}`,
      where: { file },
    });
  }
  return first;
}

/** The file that has the descriptor's name with another ending, or else the only one with that ending. */
function companion(files: readonly StoredFile[], descriptor: StoredFile, suffix: string): StoredFile | undefined {
  const candidates = files.filter(({ name }) => folded(name).endsWith(suffix) && !baseName(name).startsWith("._"));
  const wanted = folded(normalised(descriptor.name)).replace(DESCRIPTOR, suffix);
  const named = candidates.find(({ name }) => folded(normalised(name)) === wanted);
  return named ?? (candidates.length === 1 ? candidates[0] : undefined);
}

async function boxProvider(
  source: ByteSource,
  members: readonly TarMember[],
  ctx: Context,
): Promise<string | undefined> {
  const member = members.find(({ name }) => normalised(name) === BOX_METADATA);
  if (member === undefined || member.size > MOST_METADATA) return undefined;
  const content = memberContent(source, member, `${BOX_METADATA} in ${source.name}`);
  const text = Buffer.from(await readAll(content, MOST_METADATA)).toString("utf8");
  try {
    const metadata: unknown = JSON.parse(text);
    const provider = (metadata as { provider?: unknown } | null)?.provider;
    return typeof provider === "string" ? provider : undefined;
  } catch {
    ctx.diagnostic({
      code: "OVF_BOX_METADATA",
      severity: "warning",
      message: "the metadata of the box is not JSON",
      where: { file: content.name },
    });
    return undefined;
  }
}

function noDescriptor(present: readonly string[], file: string): Error {
  const names = new Set(present.map(normalised));
  let advice: string | undefined;
  if (names.has("oci-layout")) advice = "this is an OCI image: write oci: or oci-archive: before its name";
  else if (names.has("manifest.json"))
    advice = "this looks like a container image: write docker-archive: before its name";
  return descriptorMissing(present.slice(0, NAMES_SHOWN).map(displayPath), advice, file);
}

async function readEnvelope(store: MemberStore, file: StoredFile, ctx: Context): Promise<Envelope> {
  const source = await store.open(file);
  const limit = ctx.limits.descriptorBytes;
  if (source.size > limit) throw descriptorTooLarge(source.size, "bytes", limit, { file: source.name });
  return parseEnvelope(await source.read(0, source.size), source.name, ctx);
}

/** Disposes `owned` if the work fails. */
async function guarded<T>(owned: AsyncDisposable, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    await owned[Symbol.asyncDispose]();
    throw cause;
  }
}

interface PeekedStream extends AsyncDisposable {
  /** As many bytes as wanted, fewer only at the end of the stream. */
  readonly head: Uint8Array;
  /** All of it, those bytes included. */
  readonly content: AsyncIterable<Uint8Array>;
}

async function peek(content: AsyncIterable<Uint8Array>, length: number): Promise<PeekedStream> {
  const iterator = content[Symbol.asyncIterator]();
  const parts: Uint8Array[] = [];
  for (let size = 0; size < length; ) {
    const next = await iterator.next();
    if (next.done === true) break;
    parts.push(next.value);
    size += next.value.length;
  }
  const dispose = async (): Promise<void> => {
    await iterator.return?.();
  };
  async function* whole(): AsyncGenerator<Uint8Array, void> {
    try {
      yield* parts;
      for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) yield next.value;
    } finally {
      await dispose();
    }
  }
  return { head: Buffer.concat(parts).subarray(0, length), content: whole(), [Symbol.asyncDispose]: dispose };
}
