import { type LinuxImage, parseLinuxImage } from "../../src/boot/linux-image.ts";
import { type BytePath, baseName } from "../../src/bytes/byte-path.ts";
import type { KernelSource } from "./source.ts";

/** A kernel with the initrd that was made for it, and where its drivers are. */
export interface FoundKernel {
  readonly image: LinuxImage;
  /** Where it was found: the path in its source. */
  readonly path: BytePath;
  readonly initrd: Uint8Array | undefined;
  readonly source: KernelSource;
}

/** Whether a path is one at which kernels stand: of distributions, of bootable containers, of linuxkit. */
export function isKernelPath(path: BytePath): boolean {
  if (/^lib\/modules\/[^/]+\/vmlinuz$/.test(path) || path === "kernel") return true;
  return /^boot\/(vmlinuz|bzImage)(-[^/]+)?$/.test(path) && !/rescue|\.(old|hmac|sig|dpkg-\w+)$/.test(path);
}

/** What the initrd of a kernel is called, by distribution. */
export function initrdPaths(kernel: BytePath): readonly BytePath[] {
  const release = /^lib\/modules\/([^/]+)\//.exec(kernel)?.[1] ?? /^boot\/\w+-(.+)$/.exec(kernel)?.[1];
  if (release === undefined) return ["boot/initrd.img", "boot/initrd", "boot/initramfs.img"];
  const beside = [`lib/modules/${release}/initramfs.img`, `lib/modules/${release}/initrd`];
  const names = [`initrd.img-${release}`, `initramfs-${release}.img`, `initramfs-${release}`, `initrd-${release}`];
  return [...beside, ...names.map((name) => `boot/${name}`)];
}

/** The newest kernel of a source; undefined where it has none. Throws UnsupportedError BOOT_KERNEL_FORMAT. */
export async function findKernel(source: KernelSource): Promise<FoundKernel | undefined> {
  const found: BytePath[] = [];
  const note = (path: BytePath) => {
    if (isKernelPath(path)) found.push(path);
    return false;
  };
  for await (const _ of source.files(note));
  const path = found.sort(newestFirst)[0];
  if (path === undefined) return undefined;
  const initrds = initrdPaths(path);
  const files = new Map<BytePath, Uint8Array>();
  for await (const file of source.files((each) => each === path || initrds.includes(each))) {
    files.set(file.path, file.bytes);
  }
  const bytes = files.get(path);
  if (bytes === undefined) return undefined;
  const image = parseLinuxImage(bytes, `${path} of ${source.name}`);
  const initrd = initrds.map((each) => files.get(each)).find((each) => each !== undefined);
  return { image, path, initrd, source };
}

/** By the numbers in their names: 6.10 comes before 6.9. One without a version, a link mostly, comes last. */
function newestFirst(a: BytePath, b: BytePath): number {
  const release = (path: BytePath) => (path.startsWith("lib/modules/") ? (path.split("/")[2] ?? "") : baseName(path));
  const numbers = (path: BytePath) => release(path).match(/\d+/g)?.map(Number) ?? [];
  const [one, other] = [numbers(a), numbers(b)];
  for (let index = 0; index < Math.max(one.length, other.length); index++) {
    const difference = (other[index] ?? -1) - (one[index] ?? -1);
    if (difference !== 0) return difference;
  }
  return a < b ? -1 : 1;
}
