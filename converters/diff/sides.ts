import type { Context } from "../../src/context.ts";
import type { SourceImage } from "../conversion.ts";
import { type Files, type FilesOptions, guestFiles, imageFiles, openFilesAt, openImageAt } from "../files.ts";
import { openGuest } from "../machine/machine.ts";
import { openStack, type StorageStack } from "../machine/stack.ts";
import { openImageDisk } from "../oci-to-ovf/disk-image.ts";
import { isDiskImage } from "../oci-to-ovf/disk-kind.ts";
import { openMachineAt } from "../open.ts";
import { parseReference } from "../reference.ts";
import { diskSpooled, disksMissing } from "./errors.ts";

/** The disks of one side with what stands on them. */
interface Disks extends AsyncDisposable {
  readonly stack: StorageStack;
}

/** The disks of a machine, or the one in an image of a disk. Throws UsageError DIFF_NO_DISK for any other image. */
export async function openDisksAt(text: string, options: FilesOptions, ctx: Context): Promise<Disks> {
  const reference = await parseReference(text, ctx);
  if (reference.side === "machine") {
    const opened = await openMachineAt(text, options, ctx);
    return { stack: opened.machine.stack, [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose]() };
  }
  const from = await openImageAt(reference, options.platform, ctx);
  await using _ = from.source;
  if (!isDiskImage(from.image)) throw disksMissing(text);
  return await openImageDisks(from, ctx);
}

/** The files of one side. Of an image of a disk they are those on the disk, since it is the machine that somebody compares. */
export async function openSideAt(text: string, options: FilesOptions, ctx: Context): Promise<Files> {
  const reference = await parseReference(text, ctx);
  if (reference.side === "machine") return await openFilesAt(text, options, ctx);
  const from = await openImageAt(reference, options.platform, ctx);
  if (!isDiskImage(from.image)) return await imageFiles(from, ctx);
  await using _ = from.source;
  const disks = await openImageDisks(from, ctx);
  try {
    return guestFiles((await openGuest(disks, options, ctx)).tree, disks);
  } catch (cause) {
    await disks[Symbol.asyncDispose]();
    throw cause;
  }
}

/** Borrows the image only until it returns: the disk has been spooled by then. */
async function openImageDisks(from: SourceImage, ctx: Context): Promise<Disks> {
  const opened = await openImageDisk(from, ctx);
  try {
    ctx.diagnostic(diskSpooled(opened.file));
    const stack = await openStack([opened.disk], ctx);
    return {
      stack,
      async [Symbol.asyncDispose]() {
        await stack[Symbol.asyncDispose]();
        await opened[Symbol.asyncDispose]();
      },
    };
  } catch (cause) {
    await opened[Symbol.asyncDispose]();
    throw cause;
  }
}
