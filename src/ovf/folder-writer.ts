import { randomUUID } from "node:crypto";
import { mkdir, readdir, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Writing } from "../bytes/content.ts";
import { type OutputOptions, outputExists, outputFailed, writeOutput } from "../bytes/output-file.ts";
import type { Context } from "../context.ts";
import { checkHref } from "./href.ts";
import { descriptorBytes, manifestBytes, measured, type PackageContent, type WrittenDisk } from "./package-writer.ts";

/**
 * Writes a package as files of a folder, which is made if it is not there. All of them are written apart and put in their place
 * together; `force` replaces files of the same names, never others. Answers the bytes of all files.
 * Throws OutputError OUTPUT_EXISTS, InputOutputError OUTPUT_FAILED, what the disks throw, and what `writeEnvelope` throws.
 */
export async function writeFolder(
  content: PackageContent,
  folder: string,
  options: OutputOptions,
  ctx: Context,
): Promise<number> {
  const found = await stat(folder).catch(() => undefined);
  if (found !== undefined && !found.isDirectory()) throw outputExists(folder);
  const stands = found !== undefined;
  const part = `.${basename(folder)}.${randomUUID()}.transload-part`;
  const temp = stands ? join(folder, part) : join(dirname(folder), part);
  try {
    await mkdir(temp);
    const { names, size } = await writeFiles(content, temp, ctx);
    if (!stands) {
      await rename(temp, folder);
      return size;
    }
    if (!options.force) {
      const there = new Set(await readdir(folder));
      for (const name of names) if (there.has(name)) throw outputExists(join(folder, name));
    }
    for (const name of names) await rename(join(temp, name), join(folder, name));
    return size;
  } catch (cause) {
    throw outputFailed(cause, folder);
  } finally {
    await rm(temp, { recursive: true, force: true });
  }
}

async function writeFiles(content: PackageContent, folder: string, ctx: Context) {
  const { baseName, manifest, disks, extras, mtime } = content;
  const written: WrittenDisk[] = [];
  for (const disk of disks) {
    const path = join(folder, checkHref(disk.href));
    await writeOutput(kept(measured(disk, manifest), written), path, { force: false }, ctx);
  }
  const descriptor = descriptorBytes(content, new Map(written.map(({ href, size }) => [href, size])));
  const small = [
    { name: `${baseName}.ovf`, bytes: descriptor },
    ...(manifest === "none" ? [] : [{ name: `${baseName}.mf`, bytes: manifestBytes(content, descriptor, written) }]),
    ...extras,
  ];
  for (const { name, bytes } of small) await writeFile(join(folder, name), bytes);
  const names = [...written.map(({ href }) => href), ...small.map(({ name }) => name)];
  for (const name of names) await utimes(join(folder, name), mtime, mtime);
  const size = [...written, ...small.map(({ bytes }) => ({ size: bytes.length }))].reduce(
    (sum, each) => sum + each.size,
    0,
  );
  return { names, size };
}

async function* kept(disk: ReturnType<typeof measured>, into: WrittenDisk[]): Writing {
  into.push(yield* disk);
  return [];
}
