import type { Awaitable, ByteSource, Extent } from "../bytes/byte-source.ts";
import type { VirtualDisk } from "./virtual-disk.ts";

/** `content` as a disk of a format. Disposing the disk disposes nothing: it borrows what it reads. */
export function asDisk(
  content: ByteSource,
  facts: Pick<VirtualDisk, "format" | "variant" | "sectorSize" | "storedBytes" | "identities">,
): VirtualDisk {
  return {
    name: content.name,
    size: content.size,
    format: facts.format,
    variant: facts.variant,
    sectorSize: facts.sectorSize,
    storedBytes: facts.storedBytes,
    identities: facts.identities ?? [],
    read: (offset: number, length: number): Awaitable<Uint8Array> => content.read(offset, length),
    extentAt: (offset: number, limit: number): Awaitable<Extent> => content.extentAt(offset, limit),
    [Symbol.asyncDispose]: async () => {},
  };
}
