import { statSync } from "node:fs";
import { readAll } from "../../src/bytes/byte-source.ts";
import { FileSource } from "../../src/bytes/file-source.ts";
import type { Context } from "../../src/context.ts";
import type { ImageTree } from "../../src/oci/image-tree.ts";
import { openImage } from "../../src/transport/open-image.ts";
import { type FoundKernel, findKernel, isKernelPath } from "../kernel/kernel.ts";
import { isLikelyDriver } from "../kernel/modules.ts";
import { packageSource } from "../kernel/package-source.ts";
import { type KernelSource, kernelPath, remembering } from "../kernel/source.ts";
import { folderSource, imageSource, singleFileSource } from "../kernel/tree-sources.ts";
import { transportOf } from "../open.ts";
import { parseReference } from "../reference.ts";
import { kernelFileWithout, kernelMissing } from "./errors.ts";
import { openImageFiles } from "./image-files.ts";

/** Bytes of a kernel given as a file. */
const MOST_KERNEL = 256 << 20;

/** Where the kernel comes from, by the names of the command line. */
export interface KernelOptions {
  /** A vmlinuz, a .deb, a .rpm, or a folder with `boot` and `lib/modules`. */
  readonly kernel?: string;
  /** An image that holds a kernel and its modules. */
  readonly kernelImage?: string;
}

/**
 * The kernel that was asked for, else the image's own. What has to be closed after it is used is added to `closing`.
 * Throws UnsupportedError APPLIANCE_KERNEL_MISSING, UsageError APPLIANCE_KERNEL_FILE, and what reading does.
 */
export async function chooseKernel(
  tree: ImageTree,
  options: KernelOptions,
  file: string,
  closing: AsyncDisposable[],
  ctx: Context,
): Promise<FoundKernel> {
  if (options.kernel === undefined && options.kernelImage === undefined) {
    const own = await findKernel(imageSource(tree, file));
    if (own === undefined) throw kernelMissing(file);
    return own;
  }
  const source =
    options.kernel === undefined
      ? await imageKernelSource(options.kernelImage ?? "", closing, ctx)
      : await fileKernelSource(options.kernel, closing, ctx);
  const found = await findKernel(source);
  if (found === undefined) throw kernelFileWithout(source.name);
  // An initrd of another image knows nothing of this one.
  return { ...found, initrd: undefined };
}

async function fileKernelSource(path: string, closing: AsyncDisposable[], ctx: Context): Promise<KernelSource> {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return folderSource(path);
  const file = FileSource.open(path);
  closing.push(file);
  const found = await packageSource(file, ctx);
  if (found === undefined) return singleFileSource(await readAll(file, MOST_KERNEL), path);
  return remembering(found, (each) => isKernelPath(each) || isLikelyDriver(each));
}

async function imageKernelSource(text: string, closing: AsyncDisposable[], ctx: Context): Promise<KernelSource> {
  const reference = await parseReference(text, ctx);
  const source = await (await transportOf(reference)).openSource(reference.details, ctx);
  closing.push(source);
  const image = await openImage(source, { os: "linux", architecture: "amd64" }, ctx);
  const keep = (path: string) => isKernelPath(kernelPath(path)) || isLikelyDriver(kernelPath(path));
  return imageSource(await openImageFiles({ source, image }, keep, ctx), text);
}
