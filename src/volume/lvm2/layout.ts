import type { ByteSource } from "../../bytes/byte-source.ts";
import { compose, type Region } from "../../bytes/regions.ts";
import { Slice } from "../../bytes/slice.ts";
import { run } from "../../bytes/steps.ts";
import { ConverterError } from "../../errors.ts";
import { RefusedSource } from "../refused-source.ts";
import { StripedSource } from "../striped-source.ts";
import { errorSegment, groupInvalid, memberMissing, mergePending, segmentUnsupported, thinInvalid } from "./errors.ts";
import type { Fields, LogicalVolume, Segment, VolumeGroup } from "./group.ts";
import { currentLeg, type Leg } from "./raid-metadata.ts";
import { ThinMetadata } from "./thin-metadata.ts";
import { type ThinPool, ThinVolume } from "./thin-volume.ts";

const SECTOR = 512;
/** A thin volume on a raid1 pool whose images are striped takes four. */
const MOST_LEVELS = 16;

/** A run of another source. */
interface Run {
  readonly source: ByteSource;
  readonly at: number;
}

/** Lays the logical volumes of one group out over its physical volumes, each when it is asked for. Borrows all sources. */
export class GroupLayout {
  readonly #group: VolumeGroup;
  readonly #members: ReadonlyMap<string, ByteSource>;
  readonly #merges: ReadonlyMap<string, string>;
  readonly #opened = new Map<string, Promise<ByteSource>>();
  readonly #pools = new Map<string, Promise<ThinPool>>();
  readonly #levels: string[] = [];

  /** `members` are the physical volumes that were found, by their names in the group. Throws CorruptError LVM_GROUP. */
  constructor(group: VolumeGroup, members: ReadonlyMap<string, ByteSource>) {
    this.#group = group;
    this.#members = members;
    this.#merges = pendingMerges(group);
  }

  /** What the volume holds. Throws what hinders that: a missing physical volume, a kind that is not read, damage. One at a time. */
  async open(name: string): Promise<ByteSource> {
    const known = this.#opened.get(name);
    if (this.#levels.includes(name) || this.#levels.length >= MOST_LEVELS) {
      throw groupInvalid(this.#group.name, `${name} is made of itself, or of more than ${MOST_LEVELS} layers`);
    }
    if (known !== undefined) return await known;
    this.#levels.push(name);
    const opening = this.#open(name);
    this.#opened.set(name, opening);
    try {
      return await opening;
    } finally {
      this.#levels.pop();
    }
  }

  async #open(name: string): Promise<ByteSource> {
    const volume = this.#group.volumes.get(name);
    if (volume === undefined) throw groupInvalid(this.#group.name, `it has no volume ${JSON.stringify(name)}`);
    const snapshot = this.#merges.get(name);
    if (snapshot !== undefined) throw mergePending(this.#title(volume), snapshot);
    const { extentSize } = this.#group;
    const regions: Region[] = [];
    for (const segment of volume.segments) {
      const offset = segment.start * extentSize;
      const length = segment.count * extentSize;
      const found = await this.#segment(volume, segment, length);
      if (found !== "zero") regions.push({ offset, length, content: found.source, contentOffset: found.at });
    }
    return compose(this.#title(volume), volume.extents * extentSize, regions);
  }

  #title({ name }: LogicalVolume): string {
    return `volume ${this.#group.name}/${name}`;
  }

  async #segment(volume: LogicalVolume, segment: Segment, length: number): Promise<Run | "zero"> {
    const title = this.#title(volume);
    switch (segment.type) {
      case "striped":
        return await this.#striped(volume, segment, this.#areas(segment.fields.list("stripes"), title));
      case "raid0":
      case "raid0_meta":
        return await this.#striped(volume, segment, imagesOf(segment.fields));
      case "mirror":
        return await this.#firstOf(volume, segment);
      case "raid1":
        return await this.#raid1(volume, segment);
      case "thin":
        return { source: await this.#thin(volume, segment.fields, length), at: 0 };
      case "zero":
        return "zero";
      case "error":
        return { source: new RefusedSource(title, length, errorSegment(title)), at: 0 };
      default:
        throw segmentUnsupported(title, segment.type);
    }
  }

  /** One area is linear. */
  async #striped(volume: LogicalVolume, segment: Segment, areas: readonly Area[]): Promise<Run> {
    const count = segment.count / areas.length;
    if (!Number.isInteger(count)) {
      throw groupInvalid(this.#group.name, `${segment.count} extents of ${volume.name} lie on ${areas.length} stripes`);
    }
    const runs: Run[] = [];
    for (const area of areas) runs.push(await this.#area(volume, area, count));
    const [first, ...others] = runs;
    if (first === undefined) throw groupInvalid(this.#group.name, `a segment of ${volume.name} lies nowhere`);
    if (others.length === 0) return first;
    const chunk = segment.fields.number("stripe_size") * SECTOR;
    const bytes = count * this.#group.extentSize;
    if (chunk === 0 || bytes % chunk !== 0) {
      throw groupInvalid(this.#group.name, `stripes of ${chunk} bytes do not fill the extents of ${volume.name}`);
    }
    const members = runs.map(({ source, at }) => new Slice(source, at, bytes));
    return { source: new StripedSource(this.#title(volume), bytes * members.length, chunk, members), at: 0 };
  }

  /** Any image is as good as the first, unless it cannot be read. */
  async #firstOf(volume: LogicalVolume, segment: Segment): Promise<Run> {
    let failure: unknown;
    for (const area of this.#areas(segment.fields.list("mirrors"), this.#title(volume))) {
      try {
        return await this.#area(volume, area, segment.count);
      } catch (error) {
        if (!(error instanceof ConverterError)) throw error;
        failure ??= error;
      }
    }
    throw failure ?? groupInvalid(this.#group.name, `${volume.name} has no images`);
  }

  async #raid1(volume: LogicalVolume, segment: Segment): Promise<Run> {
    const legs: Leg[] = [];
    let failure: unknown;
    for (const [number, area] of imagesOf(segment.fields).entries()) {
      try {
        const image = (await this.#area(volume, area, segment.count)).source;
        const metadata = area.metadata === undefined ? undefined : await this.open(area.metadata);
        legs.push({ number, metadata, image });
      } catch (error) {
        if (!(error instanceof ConverterError)) throw error;
        failure ??= error;
      }
    }
    const [first, ...others] = legs;
    if (first === undefined) throw failure ?? groupInvalid(this.#group.name, `${volume.name} has no images`);
    return { source: (await currentLeg([first, ...others])).image, at: 0 };
  }

  /** `["pv0", 0, "pv1", 20]`: names, and the extents at which the areas begin. */
  #areas(list: readonly (string | number)[], title: string): readonly Area[] {
    const areas: Area[] = [];
    for (let index = 0; index < list.length; index += 2) {
      const name = list[index];
      const start = list[index + 1];
      if (typeof name !== "string" || typeof start !== "number" || !Number.isSafeInteger(start) || start < 0) {
        throw groupInvalid(this.#group.name, `the areas of ${title} are ${JSON.stringify(list).slice(0, 80)}`);
      }
      areas.push({ name, start, metadata: undefined });
    }
    return areas;
  }

  /** `count` extents of a physical volume, or of another logical one. */
  async #area(volume: LogicalVolume, { name, start }: Area, count: number): Promise<Run> {
    const { members, extentSize, volumes } = this.#group;
    const member = members.get(name);
    const extents = member?.extents ?? volumes.get(name)?.extents ?? 0;
    if (start + count > extents) {
      throw groupInvalid(this.#group.name, `${volume.name} needs ${start + count} extents of ${JSON.stringify(name)}`);
    }
    if (member === undefined) return { source: await this.open(name), at: start * extentSize };
    const source = this.#members.get(name);
    if (source === undefined) throw memberMissing(this.#title(volume), member.uuid);
    const at = member.start + start * extentSize;
    // A truncated disk fails here by name, not in the middle of its files.
    return { source: new Slice(source, at, count * extentSize), at: 0 };
  }

  async #thin(volume: LogicalVolume, fields: Fields, length: number): Promise<ByteSource> {
    const pool = await this.#pool(fields.text("thin_pool"));
    const device = fields.number("device_id");
    const root = await run(pool.metadata.deviceRoot(device));
    if (root === undefined) throw thinInvalid(pool.name, `it has no device ${device}, which is ${volume.name}`);
    const origin = fields.has("external_origin") ? await this.open(fields.text("external_origin")) : undefined;
    return new ThinVolume(this.#title(volume), length, pool, root, origin);
  }

  async #pool(name: string): Promise<ThinPool> {
    const known = this.#pools.get(name);
    if (known !== undefined) return await known;
    const opening = this.#openPool(name);
    this.#pools.set(name, opening);
    return await opening;
  }

  async #openPool(name: string): Promise<ThinPool> {
    const [segment] = this.#group.volumes.get(name)?.segments ?? [];
    if (segment?.type !== "thin-pool") throw groupInvalid(this.#group.name, `${JSON.stringify(name)} is no thin pool`);
    const title = `${this.#group.name}/${name}`;
    const data = await this.open(segment.fields.text("pool"));
    const metadata = await ThinMetadata.open(await this.open(segment.fields.text("metadata")), title);
    return { name: title, metadata, data };
  }
}

/** Volumes that the next start replaces by one of their snapshots, which is the value. */
function pendingMerges(group: VolumeGroup): ReadonlyMap<string, string> {
  const merges = new Map<string, string>();
  for (const { name, segments } of group.volumes.values()) {
    for (const { type, fields } of segments) {
      if (type === "thin" && fields.has("merge")) merges.set(fields.text("merge"), name);
      if (type === "snapshot" && fields.has("merging_store")) {
        merges.set(fields.text("origin"), fields.text("merging_store"));
      }
    }
  }
  return merges;
}

interface Area {
  /** Of a physical or a logical volume. */
  readonly name: string;
  /** Extents. */
  readonly start: number;
  readonly metadata: string | undefined;
}

/** raid0 lists its images, the others pairs of metadata and image. */
function imagesOf(fields: Fields): readonly Area[] {
  const names = (key: string) => fields.list(key).filter((name) => typeof name === "string");
  if (fields.has("raid0_lvs")) return names("raid0_lvs").map((name) => ({ name, start: 0, metadata: undefined }));
  const areas: Area[] = [];
  const pairs = names("raids");
  for (let index = 0; index + 1 < pairs.length; index += 2) {
    areas.push({ name: pairs[index + 1] ?? "", start: 0, metadata: pairs[index] });
  }
  return areas;
}
