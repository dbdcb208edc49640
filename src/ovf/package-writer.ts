import { createHash, type Hash } from "node:crypto";
import type { Writing } from "../bytes/content.ts";
import type { ApplianceDescription } from "./appliance.ts";
import { writeEnvelope } from "./envelope-writer.ts";

/** What a manifest is made with; old ESXi wants SHA-1, which new vCenters refuse. */
export const MANIFESTS = ["sha256", "sha1", "sha512", "none"] as const;
export type ManifestChoice = (typeof MANIFESTS)[number];

/** An appliance with all that goes into its package. */
export interface PackageContent {
  /** What the descriptor and the manifest are called, without their endings. */
  readonly baseName: string;
  readonly appliance: ApplianceDescription;
  /** Its disks, in its order. */
  readonly disks: readonly DiskFile[];
  readonly manifest: ManifestChoice;
  /** Small files for who reads the package as something else; no manifest lists them. */
  readonly extras: readonly { readonly name: string; readonly bytes: Uint8Array }[];
  /** Seconds since 1970. */
  readonly mtime: number;
}

export interface DiskFile {
  readonly href: string;
  /** Asked for once. The image must come without patches: its digest is computed as it passes. */
  write(): Writing;
}

/** A disk that has been written: bytes of the file, and its digest in hex where a manifest wants it. */
export interface WrittenDisk {
  readonly href: string;
  readonly size: number;
  readonly digest: string | undefined;
}

/** Passes a disk on and tells in the end what it was. */
export async function* measured(
  disk: DiskFile,
  manifest: ManifestChoice,
): AsyncGenerator<Uint8Array, WrittenDisk, void> {
  const hash: Hash | undefined = manifest === "none" ? undefined : createHash(manifest);
  const writing = disk.write();
  let size = 0;
  try {
    for (;;) {
      const next = await writing.next();
      if (next.done === true) {
        if (next.value.length > 0) throw new Error(`patches to ${disk.href}, whose digest is computed as it passes`);
        return { href: disk.href, size, digest: hash?.digest("hex") };
      }
      hash?.update(next.value);
      size += next.value.length;
      yield next.value;
    }
  } finally {
    await writing.return([]);
  }
}

/** The descriptor, once the sizes of the disks' files are known. */
export function descriptorBytes({ appliance }: PackageContent, sizes: ReadonlyMap<string, number>): Buffer {
  const systems = appliance.systems.map((system) => ({
    ...system,
    disks: system.disks.map((disk) => ({ ...disk, size: sizes.get(disk.href) ?? 0 })),
  }));
  return Buffer.from(writeEnvelope({ ...appliance, systems }));
}

/** Bytes that the descriptor takes at most, whatever the sizes of the disks' files. */
export function descriptorRoom(content: PackageContent): number {
  const largest = content.disks.map(({ href }) => [href, Number.MAX_SAFE_INTEGER] as const);
  return descriptorBytes(content, new Map(largest)).length;
}

/**
 * The manifest in the one spelling that every importer takes: no blank before the parenthesis, one behind the equals sign; the
 * descriptor and every disk, and nothing else. Empty with `none`. Its length depends on the names alone.
 */
export function manifestBytes(
  { baseName, manifest }: PackageContent,
  descriptor: Uint8Array,
  disks: readonly WrittenDisk[],
): Buffer {
  if (manifest === "none") return Buffer.alloc(0);
  const line = (name: string, digest: string) => `${manifest.toUpperCase()}(${name})= ${digest}\n`;
  const lines = [
    line(`${baseName}.ovf`, createHash(manifest).update(descriptor).digest("hex")),
    ...disks.map(({ href, digest = "" }) => line(href, digest)),
  ];
  return Buffer.from(lines.join(""));
}
