import type { ByteSource } from "../bytes/byte-source.ts";
import { Catalog } from "../catalog.ts";
import { capacityDiffers, diskEmpty, formatDiffers, formatUnknown, formatUnsupported } from "./errors.ts";
import { openChain } from "./image-chain.ts";
import type { DiskFormat, FormatContext, OpenContext, VirtualDisk } from "./virtual-disk.ts";
import { isDescriptorText } from "./vmdk/descriptor-magic.ts";

/** What a package says about one of its disks. */
export interface DeclaredDisk {
  /** A name of the catalog. */
  readonly format?: string;
  /** Bytes. */
  readonly capacity?: number;
}

const CONVERT = "convert it first, for example with qemu-img convert -O raw";

/** The loader of a format that is recognised only to be refused by its name. */
function unread(name: string, title: string, advice: string = CONVERT): () => Promise<DiskFormat> {
  return async () => ({
    name,
    async open(source) {
      throw formatUnsupported(source.name, title, advice);
    },
  });
}

function u32le(value: number): Uint8Array {
  return Uint8Array.of(value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24);
}

/** Every disk image format, in the order in which they are tried. */
export const diskFormats: Catalog<DiskFormat> = new Catalog<DiskFormat>([
  {
    name: "vmdk",
    magic: [{ offset: 0, bytes: "KDMV" }],
    detect: isDescriptorText,
    suffixes: [".vmdk"],
    load: async () => (await import("./vmdk/format.ts")).format,
  },
  {
    name: "cowd",
    magic: [{ offset: 0, bytes: "COWD" }],
    suffixes: [],
    load: async () => (await import("./vmdk/cowd.ts")).format,
  },
  {
    name: "sesparse",
    magic: [{ offset: 0, bytes: Uint8Array.of(0xbe, 0xba, 0xfe, 0xca, 0, 0, 0, 0) }],
    suffixes: [],
    load: async () => (await import("./vmdk/se-sparse.ts")).format,
  },
  {
    name: "vdi",
    magic: [{ offset: 64, bytes: u32le(0xbeda107f) }],
    suffixes: [".vdi"],
    load: async () => (await import("./vdi/format.ts")).format,
  },
  {
    name: "vhdx",
    magic: [{ offset: 0, bytes: "vhdxfile" }],
    suffixes: [".vhdx", ".avhdx"],
    load: async () => (await import("./vhdx/format.ts")).format,
  },
  {
    name: "qcow2",
    magic: [
      { offset: 0, bytes: Uint8Array.of(0x51, 0x46, 0x49, 0xfb, 0, 0, 0, 2) },
      { offset: 0, bytes: Uint8Array.of(0x51, 0x46, 0x49, 0xfb, 0, 0, 0, 3) },
    ],
    suffixes: [".qcow2"],
    load: async () => (await import("./qcow2/format.ts")).format,
  },
  {
    name: "qcow",
    magic: [{ offset: 0, bytes: Uint8Array.of(0x51, 0x46, 0x49, 0xfb) }],
    suffixes: [".qcow"],
    load: unread("qcow", "a QCOW image of another version than 2 and 3"),
  },
  {
    name: "qed",
    magic: [{ offset: 0, bytes: "QED\0" }],
    suffixes: [".qed"],
    load: unread("qed", "a QED image"),
  },
  {
    name: "parallels",
    magic: [
      { offset: 0, bytes: "WithoutFreeSpace" },
      { offset: 0, bytes: "WithouFreSpacExt" },
    ],
    suffixes: [".hdd", ".hds"],
    load: unread("parallels", "a Parallels image"),
  },
  {
    name: "bochs",
    magic: [{ offset: 0, bytes: "Bochs Virtual HD Image" }],
    suffixes: [],
    load: unread("bochs", "a Bochs image"),
  },
  {
    name: "cloop",
    magic: [{ offset: 0, bytes: "#!/bin/sh\n#V2.0 Format" }],
    suffixes: [".cloop"],
    load: unread("cloop", "a cloop image"),
  },
  {
    name: "gzip",
    magic: [{ offset: 0, bytes: Uint8Array.of(0x1f, 0x8b, 0x08) }],
    suffixes: [".gz"],
    load: async () => (await import("./gzip.ts")).format,
  },
  {
    name: "tar",
    magic: [{ offset: 257, bytes: "ustar" }],
    suffixes: [".ova", ".tar"],
    load: unread("tar", "a tar archive in place of a disk", "give the archive itself as the package"),
  },
  {
    name: "vhd",
    magic: [
      { offset: 0, bytes: "conectix" },
      { offset: -512, bytes: "conectix" },
      { offset: -511, bytes: "conectix" },
    ],
    suffixes: [".vhd", ".vpc"],
    load: async () => (await import("./vhd/format.ts")).format,
  },
  {
    name: "dmg",
    magic: [{ offset: -512, bytes: "koly" }],
    suffixes: [".dmg"],
    load: unread("dmg", "an Apple DMG image"),
  },
  { name: "raw", magic: [], suffixes: [".img", ".raw"], load: async () => (await import("./raw/format.ts")).format },
]);

/**
 * Opens a disk image as the format that its first bytes show. A declared format holds where they show none, and `raw` holds
 * always when it is declared: without that it is only what nothing else fits. Contradictions are diagnostics; what is
 * recognised and not read is an UnsupportedError. The disk borrows `source`.
 */
export async function openDisk(
  source: ByteSource,
  open: OpenContext,
  declared: DeclaredDisk = {},
): Promise<VirtualDisk> {
  const disk = await openChain(source, declared.format, open, openImage);
  if (declared.capacity !== undefined && declared.capacity !== disk.size) {
    open.diagnostic(capacityDiffers(source.name, declared.capacity, disk.size));
  }
  return disk;
}

async function openImage(source: ByteSource, ctx: FormatContext, declared: string | undefined): Promise<VirtualDisk> {
  if (source.size === 0) throw diskEmpty(source.name);
  const found = await diskFormats.probe(source);
  const wanted = declared === undefined ? undefined : diskFormats.byName(declared);
  if (declared !== undefined && wanted === undefined) throw formatUnknown(source.name, declared);
  const name = wanted?.name === "raw" ? "raw" : (found?.name ?? wanted?.name ?? "raw");
  const entry = diskFormats.byName(name);
  if (entry === undefined) throw formatUnknown(source.name, name);
  // What is declared is what gzip holds.
  if (wanted !== undefined && found !== undefined && wanted !== found && name !== "gzip") {
    ctx.diagnostic(formatDiffers(source.name, wanted.name, found.name, name));
  }
  return await (await entry.load()).open(source, ctx);
}
