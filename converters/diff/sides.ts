import type { Context } from "../../src/context.ts";
import { openPackage } from "../../src/ovf/open-package.ts";
import type { SourceImage } from "../conversion.ts";
import { type Files, type FilesOptions, guestFiles, imageFiles, openFilesAt, openImageAt } from "../files.ts";
import { openGuest, openMachine } from "../machine/machine.ts";
import { openStack, type StorageStack } from "../machine/stack.ts";
import { openImageDisk } from "../oci-to-ovf/disk-image.ts";
import { isDiskImage } from "../oci-to-ovf/disk-kind.ts";
import { readArtifact } from "../oci-to-ovf/package.ts";
import { packageStream } from "../oci-to-ovf/package-stream.ts";
import { openMachineAt } from "../open.ts";
import { isPackageArtifact } from "../package-form/artifact.ts";
import { parseReference } from "../reference.ts";
import { diskSpooled, disksMissing } from "./errors.ts";

/** The disks of one side with what stands on them. */
interface Disks extends AsyncDisposable {
  readonly stack: StorageStack;
}

/** The disks of a machine, or of what is in an image of a disk or package. Throws UsageError DIFF_NO_DISK for any other image. */
export async function openDisksAt(text: string, options: FilesOptions, ctx: Context): Promise<Disks> {
  const reference = await parseReference(text, ctx);
  if (reference.side === "machine") {
    const opened = await openMachineAt(text, options, ctx);
    return disksOf(opened.machine.stack, opened);
  }
  const from = await openImageAt(reference, options.platform, ctx);
  await using _ = from.source;
  const open = machineIn(from);
  if (open === undefined) throw disksMissing(text);
  return await open(from, options, ctx);
}

/** The files of one side. Of an image of a disk or package they are the machine's, since that is what somebody compares. */
export async function openSideAt(text: string, options: FilesOptions, ctx: Context): Promise<Files> {
  const reference = await parseReference(text, ctx);
  if (reference.side === "machine") return await openFilesAt(text, options, ctx);
  const from = await openImageAt(reference, options.platform, ctx);
  const open = machineIn(from);
  if (open === undefined) return await imageFiles(from, ctx);
  await using _ = from.source;
  const disks = await open(from, options, ctx);
  try {
    return guestFiles((await openGuest(disks, options, ctx)).tree, disks);
  } catch (cause) {
    await disks[Symbol.asyncDispose]();
    throw cause;
  }
}

/** Borrows the image only until it returns: what it holds has been spooled by then. */
type OpenImageMachine = (from: SourceImage, options: FilesOptions, ctx: Context) => Promise<Disks>;

/** Undefined for an image of files. */
function machineIn({ image }: SourceImage): OpenImageMachine | undefined {
  if (isPackageArtifact(image.manifest)) return openPackedMachine;
  return isDiskImage(image) ? openDiskImage : undefined;
}

const openPackedMachine: OpenImageMachine = async (from, options, ctx) => {
  const artifact = await readArtifact(from);
  const { name, transport } = artifact.layout;
  const pkg = await openPackage({ kind: "stream", content: packageStream(artifact), name }, ctx);
  try {
    const format = transport === "raw" ? { format: "raw" } : {};
    const machine = await openMachine(pkg, { ...format, ...options }, ctx);
    return disksOf(machine.stack, machine, pkg);
  } catch (cause) {
    await pkg[Symbol.asyncDispose]();
    throw cause;
  }
};

const openDiskImage: OpenImageMachine = async (from, _options, ctx) => {
  const opened = await openImageDisk(from, ctx);
  try {
    ctx.diagnostic(diskSpooled(opened.file));
    const stack = await openStack([opened.disk], ctx);
    return disksOf(stack, stack, opened);
  } catch (cause) {
    await opened[Symbol.asyncDispose]();
    throw cause;
  }
};

/** `owned` is closed in this order. */
function disksOf(stack: StorageStack, ...owned: readonly AsyncDisposable[]): Disks {
  return {
    stack,
    async [Symbol.asyncDispose]() {
      for (const each of owned) await each[Symbol.asyncDispose]();
    },
  };
}
