import type { ByteSource } from "../bytes/byte-source.ts";
import { Catalog, type CatalogEntry } from "../catalog.ts";
import { UnsupportedError } from "../errors.ts";
import { type RecognisedKind, type Signature, signatures } from "./signatures.ts";

/** Something that transload has a name for, but no reader. */
export interface Recognised {
  /** As blkid calls it, in lower case, with the version where that matters: "luks2", "reiserfs". */
  readonly name: string;
  readonly kind: RecognisedKind;
  /** For people: "LUKS2 encrypted volume". */
  readonly title: string;
  readonly uuid: string | undefined;
  readonly label: string | undefined;
  /** What the user can do, in one sentence. */
  readonly advice: string;
}

const AS_DISK = "convert the disk as it is with --as disk";

const ADVICE: Readonly<Record<RecognisedKind, string>> = {
  "file-system": `Copy the files to an ext4, XFS or FAT file system in the machine, or ${AS_DISK}`,
  encrypted: `Decrypt the volume in the machine and export it again, or ${AS_DISK}`,
  "volume-member": `Export the machine with all of its disks in a form that is read, or ${AS_DISK}`,
  swap: "Leave the volume out: what a swap area holds is gone when the machine stops",
  other: `Name the volume that holds the root file system, or ${AS_DISK}`,
};

/** A file system behind this was in use when the machine slept, so what the disk shows of it may be stale. */
const HIBERNATED = `Start the machine, shut it down and export it again, or ${AS_DISK}`;

/**
 * Names what a volume holds that no reader is for. Reads a few sectors at known places; ask the catalog of file systems
 * first, since a new file system often leaves parts of an old one in place.
 */
export async function recognise(source: ByteSource): Promise<Recognised | undefined> {
  const entry = await new Catalog(signatures(source.size).map(catalogEntry)).probe(source);
  if (entry === undefined) return undefined;
  const { name, kind, title, uuid, label } = await entry.load();
  const advice = name === "swsuspend" ? HIBERNATED : ADVICE[kind];
  return { name, kind, title, uuid: await uuid?.(source), label: (await label?.(source)) || undefined, advice };
}

function catalogEntry(signature: Signature): CatalogEntry<Signature> {
  const { name, magic, detect } = signature;
  return { name, magic, ...(detect === undefined ? {} : { detect }), suffixes: [], load: async () => signature };
}

const CODES: Readonly<Record<RecognisedKind, string>> = {
  "file-system": "FILESYSTEM_NOT_READ",
  encrypted: "FILESYSTEM_ENCRYPTED",
  "volume-member": "FILESYSTEM_MEMBER",
  swap: "FILESYSTEM_SWAP",
  other: "FILESYSTEM_NONE",
};

/** The error for a volume whose files are asked for. */
export function refuse(recognised: Recognised, source: ByteSource): UnsupportedError {
  const { kind, title, advice } = recognised;
  return new UnsupportedError(CODES[kind], `files cannot be read from this ${title}`, {
    where: { file: source.name },
    advice,
  });
}
