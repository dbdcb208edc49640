import type { Section, Value } from "./config-text.ts";
import { groupInvalid } from "./errors.ts";

const SECTOR = 512;
const NAME = /^[A-Za-z0-9+_.-]{1,127}$/;

export interface GroupMember {
  /** As in the text, with hyphens. */
  readonly uuid: string;
  /** Byte of the first extent. */
  readonly start: number;
  readonly extents: number;
  /** The group was changed while it was away, so what it holds is out of date. */
  readonly missing: boolean;
}

/** A run of a logical volume, in extents. */
export interface Segment {
  readonly type: string;
  readonly start: number;
  readonly count: number;
  readonly fields: Fields;
}

export interface LogicalVolume {
  readonly name: string;
  readonly uuid: string;
  readonly visible: boolean;
  /** They follow each other without a gap. */
  readonly segments: readonly Segment[];
  /** Extents. */
  readonly extents: number;
}

/** A volume group as its metadata describes it. */
export interface VolumeGroup {
  readonly name: string;
  readonly uuid: string;
  /** Grows with every change. */
  readonly seqno: number;
  /** Bytes. */
  readonly extentSize: number;
  readonly members: ReadonlyMap<string, GroupMember>;
  readonly volumes: ReadonlyMap<string, LogicalVolume>;
}

/** The settings of one section by their types. What is absent or of another type throws CorruptError LVM_GROUP. */
export class Fields {
  readonly #group: string;
  readonly #section: Section;
  readonly #name: string;

  constructor(group: string, name: string, section: Section) {
    this.#group = group;
    this.#name = name;
    this.#section = section;
  }

  has(key: string): boolean {
    return this.#section.settings.has(key);
  }

  /** A whole number that is not negative. */
  number(key: string): number {
    const value = this.#get(key);
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
    throw this.#invalid(key, value);
  }

  text(key: string): string {
    const value = this.#get(key);
    if (typeof value === "string") return value;
    throw this.#invalid(key, value);
  }

  /** A single value is a list of one. */
  list(key: string): readonly (string | number)[] {
    const value = this.#get(key);
    return typeof value === "string" || typeof value === "number" ? [value] : value;
  }

  flag(key: string, flag: string): boolean {
    return this.has(key) && this.list(key).includes(flag);
  }

  /** The sections below `key`, none where that is absent. */
  below(key: string): readonly (readonly [name: string, fields: Fields])[] {
    return this.#section.sections.has(key) ? this.nested(key).sections() : [];
  }

  nested(key: string): Fields {
    const section = this.#section.sections.get(key);
    if (section === undefined) throw groupInvalid(this.#group, `${this.#name} has no ${key}`);
    return new Fields(this.#group, key, section);
  }

  sections(): readonly (readonly [name: string, fields: Fields])[] {
    return [...this.#section.sections].map(([name, section]) => [name, new Fields(this.#group, name, section)]);
  }

  #get(key: string): Value {
    const value = this.#section.settings.get(key);
    if (value === undefined) throw groupInvalid(this.#group, `${this.#name} has no ${key}`);
    return value;
  }

  #invalid(key: string, value: Value): Error {
    return groupInvalid(this.#group, `${key} of ${this.#name} is ${JSON.stringify(value)}`);
  }
}

/** Understands the parsed metadata of one group. Throws CorruptError LVM_GROUP for what cannot be. */
export function readGroup(root: Section): VolumeGroup {
  const [name = ""] = root.sections.keys();
  if (!NAME.test(name)) throw groupInvalid(JSON.stringify(name.slice(0, 40)), "that is no name of a group");
  const fields = new Fields(name, "the text", root).nested(name);
  const sectors = fields.number("extent_size");
  if (sectors < 1 || sectors > 2 ** 32) throw groupInvalid(name, `extents of ${sectors} sectors`);
  const extentSize = sectors * SECTOR;
  const members = fields.below("physical_volumes").map(([key, member]) => [key, readMember(member)] as const);
  const volumes = fields
    .below("logical_volumes")
    .map(([key, volume]) => [key, readVolume(name, key, volume, extentSize)] as const);
  return {
    name,
    uuid: fields.text("id"),
    seqno: fields.number("seqno"),
    extentSize,
    members: new Map(members),
    volumes: new Map(volumes),
  };
}

function readMember(fields: Fields): GroupMember {
  return {
    uuid: fields.text("id"),
    start: fields.number("pe_start") * SECTOR,
    extents: fields.number("pe_count"),
    missing: fields.flag("flags", "MISSING"),
  };
}

function readVolume(group: string, name: string, fields: Fields, extentSize: number): LogicalVolume {
  if (!NAME.test(name)) throw groupInvalid(group, `${JSON.stringify(name.slice(0, 40))} is no name of a volume`);
  const segments = fields
    .sections()
    .filter(([key]) => /^segment[0-9]+$/.test(key))
    .map(([, segment]) => ({
      type: segment.text("type").replace(/\+.*$/, ""),
      start: segment.number("start_extent"),
      count: segment.number("extent_count"),
      fields: segment,
    }))
    .sort((a, b) => a.start - b.start);
  let extents = 0;
  for (const { start, count } of segments) {
    if (start !== extents || count === 0) throw groupInvalid(group, `the segments of ${name} leave a gap or overlap`);
    extents += count;
  }
  if (!Number.isSafeInteger(extents * extentSize)) throw groupInvalid(group, `${name} has ${extents} extents`);
  return { name, uuid: fields.text("id"), visible: fields.flag("status", "VISIBLE"), segments, extents };
}
