import type { ByteSource } from "../bytes/byte-source.ts";
import { Slice, ZeroPadded } from "../bytes/slice.ts";
import { NotFoundError } from "../errors.ts";
import type { FormatContext, VirtualDisk } from "./virtual-disk.ts";

/** `[offset, offset + size)` of a parent, which may end before: then zeros follow. */
export function resized(parent: ByteSource, offset: number, size: number): ByteSource {
  const from = Math.min(offset, parent.size);
  const rest = new Slice(parent, from, Math.min(size, parent.size - from));
  return rest.size === size ? rest : new ZeroPadded(rest, size);
}

/** A name as the package may know it: relative names as they are, of absolute ones (they are another machine's) the last part. */
export function packageName(name: string): string {
  const slashed = name.replaceAll("\\", "/");
  const absolute = slashed.startsWith("/") || /^[a-z]:/i.test(slashed);
  return absolute ? lastPart(slashed) : slashed;
}

function lastPart(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}

/**
 * The names under which a package may hold a parent that a Windows host knew by `paths`: as they are where they stay inside
 * the folder, then by their last part.
 */
export function parentNames(paths: readonly string[]): readonly string[] {
  const slashed = paths.map((path) => path.replaceAll("\\", "/").replace(/^(\.\/)+/, ""));
  const inside = slashed.filter((path) => packageName(path) === path && !path.split("/").includes(".."));
  return [...new Set([...inside, ...slashed.map(lastPart)])].filter((name) => name !== "");
}

/** The first parent that the package holds; undefined if it holds none of `names`. */
export async function openParent(
  child: string,
  names: readonly string[],
  format: string,
  ctx: FormatContext,
): Promise<VirtualDisk | undefined> {
  for (const name of names) {
    try {
      return await ctx.openBase(child, name, format);
    } catch (error) {
      if (!(error instanceof NotFoundError) || error.code === "DISK_PARENT_MISSING") throw error;
    }
  }
  return undefined;
}
