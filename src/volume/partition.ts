import { type Awaitable, type ByteSource, checkRange, type Extent, map, shift } from "../bytes/byte-source.ts";
import type { Context } from "../context.ts";
import { beyondDisk, volumesOverlap } from "./errors.ts";
import type { Volume } from "./volume-system.ts";

/** What a table says of a partition. `start` and `size` are bytes. */
export type PartitionFacts = Pick<Volume, "id" | "type" | "typeName" | "uuid" | "label" | "bootable"> & {
  readonly start: number;
  readonly size: number;
};

/** One run of a disk. Where it goes beyond the disk's end, reads end with BYTES_TRUNCATED. */
class Partition implements Volume {
  readonly name: string;
  readonly size: number;
  readonly id: string;
  readonly type: string;
  readonly typeName: string;
  readonly uuid: string | undefined;
  readonly label: string | undefined;
  readonly bootable: boolean;
  readonly start: number;
  readonly #disk: ByteSource;

  constructor(disk: ByteSource, facts: PartitionFacts) {
    this.name = `partition ${facts.id} of ${disk.name}`;
    this.size = facts.size;
    this.id = facts.id;
    this.type = facts.type;
    this.typeName = facts.typeName;
    this.uuid = facts.uuid;
    this.label = facts.label;
    this.bootable = facts.bootable;
    this.start = facts.start;
    this.#disk = disk;
  }

  read(offset: number, length: number): Awaitable<Uint8Array> {
    checkRange(this, offset, length);
    return this.#disk.read(this.start + offset, length);
  }

  extentAt(offset: number, limit: number): Awaitable<Extent> {
    checkRange(this, offset, 1);
    const found = this.#disk.extentAt(this.start + offset, Math.min(limit, this.size - offset));
    return map(found, (extent) => shift(extent, -this.start));
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** The volumes of a table, in its order; what is odd about where they lie is a diagnostic. */
export function partitions(disk: ByteSource, found: readonly PartitionFacts[], ctx: Context): Volume[] {
  for (const { id, start, size } of found) {
    if (start + size > disk.size) ctx.diagnostic(beyondDisk(disk.name, id, start + size, disk.size));
  }
  const sorted = [...found].sort((a, b) => a.start - b.start);
  for (const [index, one] of sorted.entries()) {
    const next = sorted[index + 1];
    if (next !== undefined && next.start < one.start + one.size) {
      ctx.diagnostic(volumesOverlap(disk.name, one.id, next.id));
    }
  }
  return found.map((facts) => new Partition(disk, facts));
}

/** Bytes of a logical sector: what the disk says, 512 where it says nothing. */
export function sectorSizeOf(disk: ByteSource & { readonly sectorSize?: unknown }): number {
  return disk.sectorSize === 4096 ? 4096 : 512;
}
