import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type BytePath, bytePath } from "../../src/bytes/byte-path.ts";
import { fileError } from "../../src/bytes/file-source.ts";
import type { ImageTree } from "../../src/oci/image-tree.ts";
import { type KernelSource, kernelPath } from "./source.ts";

/** The files of an image. */
export function imageSource(tree: ImageTree, name: string): KernelSource {
  return {
    name,
    async *files(wanted) {
      const paths = new Map<BytePath, BytePath>();
      for (const entry of tree.walk()) {
        if (entry.type !== "file" && entry.type !== "symlink") continue;
        const path = kernelPath(entry.path);
        if (wanted(path)) paths.set(entry.path, path);
      }
      for (const [path, bytes] of await tree.readFiles([...paths.keys()])) {
        yield { path: paths.get(path) ?? path, bytes };
      }
    },
  };
}

/** A folder of this machine that holds `boot` and `lib/modules`, or only a kernel in it. Throws what opening files throws. */
export function folderSource(folder: string): KernelSource {
  return {
    name: folder,
    async *files(wanted) {
      for (const place of filesBelow(folder, "")) {
        const path = kernelPath(bytePath(place));
        if (!wanted(path)) continue;
        try {
          yield { path, bytes: readFileSync(join(folder, place)) };
        } catch (cause) {
          throw fileError(cause, join(folder, place));
        }
      }
    },
  };
}

function* filesBelow(folder: string, below: string): Generator<string> {
  let entries: ReturnType<typeof list>;
  try {
    entries = list(join(folder, below));
  } catch (cause) {
    throw fileError(cause, join(folder, below));
  }
  for (const entry of entries) {
    const path = below === "" ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory()) yield* filesBelow(folder, path);
    else if (entry.isFile() || entry.isSymbolicLink()) yield path;
  }
}

function list(folder: string) {
  return readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** One file that is a kernel with all its drivers built in. */
export function singleFileSource(bytes: Uint8Array, name: string): KernelSource {
  return {
    name,
    async *files(wanted) {
      if (wanted("boot/vmlinuz")) yield { path: "boot/vmlinuz", bytes };
    },
  };
}
