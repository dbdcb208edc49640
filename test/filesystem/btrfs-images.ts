import type { ByteSource } from "../../src/bytes/byte-source.ts";
import { FileSource } from "../../src/bytes/file-source.ts";
import { createContext, type Diagnostic } from "../../src/context.ts";
import { ConverterError } from "../../src/errors.ts";
import { format } from "../../src/filesystem/btrfs/reader.ts";
import type { FileSystem, FileSystemOptions } from "../../src/filesystem/file-system.ts";
import { corpus } from "../support/needs.ts";
import { differences } from "../support/truth.ts";
import { unpacked } from "../support/unpack.ts";

export interface Opened {
  readonly fileSystem: FileSystem;
  readonly diagnostics: Diagnostic[];
}

export async function open(
  source: ByteSource,
  others: readonly ByteSource[] = [],
  options?: FileSystemOptions,
): Promise<Opened> {
  const diagnostics: Diagnostic[] = [];
  const ctx = createContext({ diagnostic: (diagnostic) => diagnostics.push(diagnostic) });
  return { fileSystem: await format.open(source, ctx, others, options), diagnostics };
}

export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (cause) {
    return cause instanceof ConverterError ? cause.code : String(cause);
  }
  return "no error";
}

/** The devices of a file system that was made for the corpus. */
export async function made(name: string): Promise<FileSource[]> {
  const files = /raid/.test(name) ? [name, `${name}.2`] : [name];
  const paths = await Promise.all(files.map((file) => unpacked(corpus("disk/made/fs", `${file}.img.xz`))));
  return paths.map((path) => FileSource.open(path));
}

/** What differs between an image that was made for the corpus and the kernel's listing of it. */
export async function differencesFromKernel(name: string): Promise<string[]> {
  const [source, ...others] = await made(name);
  if (source === undefined) throw new Error("no device");
  try {
    const { fileSystem } = await open(source, others, name === "btrfs-ubuntu" ? { subvolume: "@" } : {});
    return await differences(fileSystem, corpus("disk/made/truth", `${name}.ndjson.gz`));
  } finally {
    for (const device of [source, ...others]) await device[Symbol.asyncDispose]();
  }
}
