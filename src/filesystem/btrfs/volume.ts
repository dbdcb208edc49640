import { type ByteSource, clip, type Extent, shift } from "../../bytes/byte-source.ts";
import { type Steps, settled } from "../../bytes/steps.ts";
import type { Context } from "../../context.ts";
import { MetadataCache } from "../metadata-cache.ts";
import { ChunkMap } from "./chunk-map.ts";
import type { Device, FoundDevices } from "./devices.ts";
import { deviceMissing, nodeDamaged, warn } from "./errors.ts";
import { Node } from "./node.ts";
import type { SuperBlock } from "./super-block.ts";

/** 16 MiB at most: the bytes belong to pieces of 64 KiB. */
const KEPT_NODES = 256;

/** A place on a device that is here. */
interface Place {
  readonly device: Device;
  readonly offset: number;
}

/** The logical addresses of one file system: what all its trees and files are read through. */
export class Volume {
  readonly superBlock: SuperBlock;
  readonly ctx: Context;
  readonly chunks: ChunkMap;
  readonly name: string;
  readonly #devices: ReadonlyMap<number, Device>;
  readonly #caches = new Map<Device, MetadataCache>();
  readonly #nodes = new Map<number, Node>();
  #warned = false;

  constructor({ superBlock, devices }: FoundDevices, name: string, ctx: Context) {
    this.superBlock = superBlock;
    this.ctx = ctx;
    this.name = name;
    this.chunks = new ChunkMap(name, superBlock.sectorSize);
    this.#devices = devices;
    for (const device of devices.values()) this.#caches.set(device, new MetadataCache(device.source));
  }

  get sources(): ByteSource[] {
    return [...this.#devices.values()].map(({ source }) => source);
  }

  /**
   * The tree block at a logical address, from the first copy that is sound. Throws CorruptError BTRFS_NODE where none is or
   * where it is not of this level and generation, NotFoundError BTRFS_DEVICE_MISSING where all are on other devices.
   */
  *node(logical: number, level: number, generation: number): Steps<Node> {
    const kept = this.#nodes.get(logical);
    if (kept !== undefined) {
      this.#nodes.delete(logical);
      this.#nodes.set(logical, kept);
      const problem = mismatch(kept, level, generation);
      if (problem !== undefined) throw nodeDamaged(logical, problem, this.name);
      return kept;
    }
    const node = yield* this.#soundNode(logical, level, generation);
    if (this.#nodes.size >= KEPT_NODES) {
      for (const oldest of this.#nodes.keys()) {
        this.#nodes.delete(oldest);
        break;
      }
    }
    this.#nodes.set(logical, node);
    return node;
  }

  *#soundNode(logical: number, level: number, generation: number): Steps<Node> {
    const { sectorSize, nodeSize } = this.superBlock;
    if (logical % sectorSize !== 0) throw nodeDamaged(logical, "does not begin at a sector", this.name);
    let problem: string | undefined;
    const count = this.#places(logical, 1).places.length;
    for (let copy = 0; copy < count; copy++) {
      const bytes = yield* this.#copyOf(logical, nodeSize, copy);
      const found =
        bytes === undefined ? "lies beyond the end of its device" : Node.damage(bytes, logical, this.superBlock);
      if (bytes !== undefined && found === undefined) {
        const node = new Node(bytes);
        const wrong = mismatch(node, level, generation);
        if (wrong === undefined) {
          if (problem !== undefined) this.#warnOnce(logical, problem);
          return node;
        }
        problem ??= wrong;
      }
      problem ??= found;
    }
    throw nodeDamaged(logical, problem ?? "is not there", this.name);
  }

  #warnOnce(logical: number, problem: string): void {
    if (this.#warned) return;
    this.#warned = true;
    const message = `the tree node at logical address 0x${logical.toString(16)} ${problem}: another copy is used, for it and for others alike`;
    warn(this.ctx, "BTRFS_NODE_COPY", message, this.name);
  }

  /** Undefined where a part of the copy is beyond the end of its device. */
  *#copyOf(logical: number, length: number, copy: number): Steps<Uint8Array | undefined> {
    const parts: Uint8Array[] = [];
    for (let done = 0; done < length; ) {
      const { places, length: run } = this.#places(logical + done, length - done);
      const { device, offset } = places[Math.min(copy, places.length - 1)] as Place;
      if (offset + run > device.source.size) return undefined;
      const cache = this.#caches.get(device) as MetadataCache;
      parts.push(yield* cache.read(offset, run));
      done += run;
    }
    return parts.length === 1 ? parts[0] : Buffer.concat(parts);
  }

  /** The copies of a run that are here, the best first: at least one. */
  #places(logical: number, limit: number): { readonly length: number; readonly places: readonly Place[] } {
    const { length, copies } = this.chunks.find(logical, limit);
    const places: Place[] = [];
    let stale = 0;
    for (const { devid, offset } of copies) {
      const device = this.#devices.get(devid);
      if (device === undefined) continue;
      if (device.stale) places.push({ device, offset });
      else places.splice(places.length - stale, 0, { device, offset });
      if (device.stale) stale++;
    }
    if (places.length === 0) throw deviceMissing(copies[0]?.devid ?? 0, logical, this.name);
    return { length, places };
  }

  /** Bytes of files: a view where they lie in one run, a copy otherwise. Their checksums are not verified. */
  *read(logical: number, length: number): Steps<Uint8Array> {
    const first = this.#places(logical, length);
    const { device, offset } = first.places[0] as Place;
    if (first.length === length) return yield* settled(device.source.read(offset, length));
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      const { length: run, places } = this.#places(logical + done, length - done);
      const { device, offset } = places[0] as Place;
      bytes.set(yield* settled(device.source.read(offset, run)), done);
      done += run;
    }
    return bytes;
  }

  /** What a device knows of the run that begins at `logical`, with `logical` as its offset. */
  *extentAt(logical: number, limit: number): Steps<Extent> {
    const { length, places } = this.#places(logical, limit);
    const { device, offset } = places[0] as Place;
    const below = yield* settled(device.source.extentAt(offset, length));
    return clip(shift(below, logical - offset), logical, length);
  }
}

function mismatch(node: Node, level: number, generation: number): string | undefined {
  if (node.level !== level) return `has level ${node.level} instead of ${level}`;
  return node.generation === generation ? undefined : `is of generation ${node.generation} instead of ${generation}`;
}
