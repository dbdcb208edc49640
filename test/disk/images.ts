import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { type ByteSource, chunks, extents } from "../../src/bytes/byte-source.ts";
import { FileSource } from "../../src/bytes/file-source.ts";
import { createContext, type Diagnostic } from "../../src/context.ts";
import { type DeclaredDisk, openDisk } from "../../src/disk/index.ts";
import type { OpenContext, VirtualDisk } from "../../src/disk/virtual-disk.ts";
import { NotFoundError } from "../../src/errors.ts";
import { unpacked } from "../support/unpack.ts";

/** A context whose files are those of one folder, compressed or not; what it noticed is in `diagnostics`. */
function folderContext(folder: string): OpenContext & { readonly diagnostics: Diagnostic[] } {
  const diagnostics: Diagnostic[] = [];
  return {
    ...createContext({ diagnostic: (diagnostic) => void diagnostics.push(diagnostic) }),
    diagnostics,
    async resolve(name) {
      const found = ["", ".xz", ".gz", ".bz2"].map((end) => join(folder, name + end)).find((path) => existsSync(path));
      if (found === undefined || name.includes("/")) throw new NotFoundError("FILE_NOT_FOUND", "no such file");
      return FileSource.open(await unpacked(found), name);
    },
  };
}

/** A context whose files are given. */
export function memoryContext(
  files: Readonly<Record<string, ByteSource>> = {},
): OpenContext & { readonly diagnostics: Diagnostic[] } {
  const diagnostics: Diagnostic[] = [];
  return {
    ...createContext({ diagnostic: (diagnostic) => void diagnostics.push(diagnostic) }),
    diagnostics,
    async resolve(name) {
      const found = files[name];
      if (found === undefined) throw new NotFoundError("FILE_NOT_FOUND", `no such file as ${JSON.stringify(name)}`);
      return found;
    },
  };
}

export interface OpenedImage {
  readonly disk: VirtualDisk;
  readonly source: FileSource;
  readonly diagnostics: readonly Diagnostic[];
}

/** An image of a folder, which may be compressed, with what stands beside it. */
export async function openImage(path: string, declared?: DeclaredDisk): Promise<OpenedImage> {
  const ctx = folderContext(dirname(path));
  const source = FileSource.open(await unpacked(path));
  return { disk: await openDisk(source, ctx, declared), source, diagnostics: ctx.diagnostics };
}

/** The code of the error that a promise ends with. */
export async function codeOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
    return undefined;
  } catch (error) {
    if (error instanceof Error && "code" in error) return error.code;
    throw error;
  }
}

const STEP = 1 << 20;
const ZEROS = Buffer.alloc(STEP);

/** Which mebibytes of a source are not all zeros. */
export async function busyParts(raw: ByteSource): Promise<ReadonlySet<number>> {
  const busy = new Set<number>();
  for (let at = 0; at < raw.size; at += STEP) {
    const length = Math.min(STEP, raw.size - at);
    if (Buffer.compare(await raw.read(at, length), ZEROS.subarray(0, length)) !== 0) busy.add(at / STEP);
  }
  return busy;
}

async function isZero(raw: ByteSource, offset: number, length: number, busy: ReadonlySet<number>): Promise<boolean> {
  for (let at = offset; at < offset + length; ) {
    const next = Math.min(offset + length, (Math.floor(at / STEP) + 1) * STEP);
    if (busy.has(Math.floor(at / STEP))) {
      if (Buffer.compare(await raw.read(at, next - at), ZEROS.subarray(0, next - at)) !== 0) return false;
    }
    at = next;
  }
  return true;
}

/** The first offset from which on a disk differs from its raw bytes, holes included; undefined where they are the same. */
export async function firstDifference(
  disk: ByteSource,
  raw: ByteSource,
  busy: ReadonlySet<number>,
): Promise<number | undefined> {
  if (disk.size !== raw.size) return Math.min(disk.size, raw.size);
  let at = 0;
  for await (const extent of extents(disk)) {
    if (extent.offset !== at || extent.length <= 0) return at;
    at += extent.length;
    if (extent.kind === "zero" && !(await isZero(raw, extent.offset, extent.length, busy))) return extent.offset;
    if (extent.kind === "zero") continue;
    let place = extent.offset;
    for await (const chunk of chunks(disk, extent.offset, extent.length)) {
      if (chunk.kind !== "data") return place;
      if (Buffer.compare(chunk.bytes, await raw.read(place, chunk.bytes.length)) !== 0) return place;
      place += chunk.bytes.length;
    }
  }
  return at === raw.size ? undefined : at;
}
