import { createReadStream, type Stats, statSync } from "node:fs";
import { basename } from "node:path";
import type { TarIndex } from "../../src/archive/tar-index.ts";
import { type BytePath, bytePath } from "../../src/bytes/byte-path.ts";
import type { ByteSource } from "../../src/bytes/byte-source.ts";
import { FileSource, fileError } from "../../src/bytes/file-source.ts";
import { isGzip } from "../../src/bytes/gunzip.ts";
import { Slice } from "../../src/bytes/slice.ts";
import { spool } from "../../src/bytes/spool.ts";
import { standardInput } from "../../src/bytes/stdio.ts";
import type { Context } from "../../src/context.ts";
import { openPackage } from "../../src/ovf/open-package.ts";
import type { MemberRole, Package } from "../../src/ovf/package.ts";
import { contentOf } from "../../src/transport/layout-files.ts";
import { diskInPieces } from "../package-form/errors.ts";
import type { PackageShape } from "../package-form/layout.ts";
import type { Reference } from "../reference.ts";

/** A package with the bytes that it came in. Owns both. */
export interface OriginalPackage extends AsyncDisposable {
  readonly package: Package;
  /** The file as it is, where its package is something else: what gzip made of it cannot be made again to the byte. */
  readonly packed: ByteSource | undefined;
  /** Bytes in temporary files. */
  readonly tempBytes: number;
}

/** A part of the package, in order: bytes for the layout, or content for blobs. */
export type OriginalPart =
  | { readonly bytes: Uint8Array }
  | { readonly name?: BytePath; readonly role?: MemberRole; readonly content: ByteSource };

export interface OriginalParts {
  readonly shape: PackageShape;
  /** Bytes. */
  readonly size: number;
  readonly parts: readonly OriginalPart[];
}

/** What lies between two members and is longer becomes a blob of its own. */
const LONGEST_GAP = 64 << 10;

/** Opens the package behind a reference, and keeps the bytes that it came in where they are compressed as a whole. */
export async function openOriginal({ details }: Reference, ctx: Context): Promise<OriginalPackage> {
  const stat = details === "-" ? undefined : statOf(details);
  if (details === "-")
    return await openStored(await spool(standardInput(ctx.signal), "standard input", ctx), true, ctx);
  if (stat?.isFIFO() === true || stat?.isCharacterDevice() === true) {
    return await openStored(await spool(createReadStream(details), basename(details), ctx), true, ctx);
  }
  if (stat?.isFile() === true) {
    const stored = FileSource.open(details, basename(details));
    if (await isPacked(stored)) return await openStored(stored, false, ctx);
    await stored[Symbol.asyncDispose]();
  }
  return owning(await openPackage({ kind: "path", path: details }, ctx), undefined, 0);
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (cause) {
    throw fileError(cause, path);
  }
}

async function isPacked(stored: ByteSource): Promise<boolean> {
  return isGzip(await stored.read(0, Math.min(2, stored.size)));
}

/** Takes ownership of `stored`. */
async function openStored(stored: ByteSource, isCopy: boolean, ctx: Context): Promise<OriginalPackage> {
  const { name } = stored;
  try {
    if (!(await isPacked(stored))) {
      return owning(await openPackage({ kind: "spooled", source: stored }, ctx), undefined, 0);
    }
    const pkg = await openPackage({ kind: "stream", content: contentOf(stored), name }, ctx);
    return owning(pkg, stored, isCopy ? stored.size : 0);
  } catch (cause) {
    await stored[Symbol.asyncDispose]();
    throw cause;
  }
}

function owning(pkg: Package, packed: ByteSource | undefined, copied: number): OriginalPackage {
  return {
    package: pkg,
    packed,
    tempBytes: pkg.spooled + copied,
    async [Symbol.asyncDispose]() {
      await pkg[Symbol.asyncDispose]();
      await packed?.[Symbol.asyncDispose]();
    },
  };
}

/** Nothing of a disk is read but its first bytes. Throws UnsupportedError PACKAGE_DISK_IN_PIECES. */
export async function partsOf({ package: pkg, packed }: OriginalPackage): Promise<OriginalParts> {
  if (packed !== undefined) return file(packed, "other");
  if (pkg.archive !== undefined) return await archive(pkg, pkg.archive.source, pkg.archive.index);
  const [only] = pkg.members;
  if (pkg.kind === "disk" && only !== undefined) {
    const content = await pkg.openMember(only);
    const head = await content.read(0, Math.min(64, content.size));
    if (Buffer.from(head).toString("latin1").startsWith("# Disk Descriptor")) throw diskInPieces(pkg.name);
    return file(content, "disk");
  }
  const parts: OriginalPart[] = [];
  for (const member of pkg.members) {
    parts.push({ name: member.name, role: member.role, content: await pkg.openMember(member) });
  }
  return { shape: "folder", size: pkg.size, parts };
}

function file(content: ByteSource, role: MemberRole): OriginalParts {
  return { shape: "file", size: content.size, parts: [{ name: bytePath(content.name), role, content }] };
}

/** Members that hold bytes are content; headers, padding and the end of the archive lie between them. */
async function archive(pkg: Package, source: ByteSource, { members }: TarIndex): Promise<OriginalParts> {
  const roles = new Map(pkg.members.map(({ offset, role }) => [offset, role]));
  const parts: OriginalPart[] = [];
  let at = 0;
  const gap = async (end: number): Promise<void> => {
    const length = end - at;
    if (length > LONGEST_GAP) parts.push({ content: new Slice(source, at, length) });
    else if (length > 0) parts.push({ bytes: new Uint8Array(await source.read(at, length)) });
    at = end;
  };
  for (const { type, name, offset, size } of members) {
    if (type !== "file" && size <= LONGEST_GAP) continue;
    await gap(offset);
    const content = new Slice(source, offset, size);
    parts.push(type === "file" ? { name, role: roles.get(offset) ?? "other", content } : { content });
    at = offset + size;
  }
  await gap(source.size);
  return { shape: "archive", size: source.size, parts };
}
