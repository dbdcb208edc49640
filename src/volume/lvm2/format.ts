import type { ByteSource } from "../../bytes/byte-source.ts";
import type { Context } from "../../context.ts";
import { ConverterError } from "../../errors.ts";
import { JoinedVolume } from "../joined-volume.ts";
import { RefusedSource } from "../refused-source.ts";
import type { Volume, VolumeFormat, VolumeSystem } from "../volume-system.ts";
import { parseConfig } from "./config-text.ts";
import { damagedMember, duplicateMember, segmentUnsupported, unusable } from "./errors.ts";
import { type LogicalVolume, readGroup, type VolumeGroup } from "./group.ts";
import { GroupLayout } from "./layout.ts";
import { readPhysicalVolume } from "./physical-volume.ts";

/**
 * LVM2: the volume groups of all physical volumes that were found, each by its latest metadata. Volumes that are parts of
 * others are not listed; one that cannot be read is listed and throws on use. Throws CorruptError LVM_UNUSABLE where nothing
 * can be read and something is damaged.
 */
export const format: VolumeFormat = {
  name: "lvm2",
  async open(sources, ctx) {
    const damages: string[] = [];
    const damaged = (source: ByteSource, reason: string): void => {
      damages.push(reason);
      ctx.diagnostic(damagedMember(source.name, reason));
    };
    const found = await findMembers(sources, ctx, damaged);
    const systems: VolumeSystem[] = [];
    for (const { group, source } of latestGroups(found.texts, damaged)) {
      const system = await orReason(() => openGroup(group, found.sources, ctx));
      if (typeof system === "string") damaged(source, system);
      else systems.push(system);
    }
    const [first] = sources;
    const [reason] = damages;
    if (systems.length === 0 && reason !== undefined) throw unusable(first?.name ?? "", reason);
    return systems;
  },
};

type Damaged = (source: ByteSource, reason: string) => void;

/** Together; a text of 10,000 volumes takes 4 MiB, and every member of a group carries the same one. */
const MOST_TEXT_BYTES = 32 << 20;
/** A volume takes about 15. Measured: as many sections as this take 0.1 GB and 1.5 s. */
const MOST_VALUES = 200_000;

interface FoundMembers {
  /** By UUID without hyphens. */
  readonly sources: ReadonlyMap<string, ByteSource>;
  /** Each text once, with the first place where it was read. */
  readonly texts: ReadonlyMap<string, ByteSource>;
}

async function findMembers(sources: readonly ByteSource[], ctx: Context, damaged: Damaged): Promise<FoundMembers> {
  const found = new Map<string, ByteSource>();
  const texts = new Map<string, ByteSource>();
  let left = MOST_TEXT_BYTES;
  for (const source of sources) {
    ctx.signal.throwIfAborted();
    const member = await orReason(() => readPhysicalVolume(source));
    if (typeof member === "string") {
      damaged(source, member);
      continue;
    }
    for (const damage of member.damages) damaged(source, damage);
    const other = found.get(member.uuid);
    if (other !== undefined) {
      ctx.diagnostic(duplicateMember(source.name, member.uuid, other.name));
      continue;
    }
    found.set(member.uuid, source);
    for (const text of member.texts) {
      if (texts.has(text)) continue;
      left -= text.length;
      if (left >= 0) texts.set(text, source);
      else damaged(source, `the disks hold more than ${MOST_TEXT_BYTES} bytes of metadata`);
    }
  }
  return { sources: found, texts };
}

/** What is damaged in one place must not hide what stands in the others. */
async function orReason<T>(open: () => Promise<T | string>): Promise<T | string> {
  try {
    return await open();
  } catch (error) {
    if (error instanceof ConverterError) return error.message;
    throw error;
  }
}

/** A group and where its text was read. */
interface FoundGroup {
  readonly group: VolumeGroup;
  readonly source: ByteSource;
}

/** The metadata with the highest number for each group, in the order in which the groups were met. */
function latestGroups(texts: ReadonlyMap<string, ByteSource>, damaged: Damaged): readonly FoundGroup[] {
  const groups = new Map<string, FoundGroup>();
  const budget = { left: MOST_VALUES };
  for (const [text, source] of texts) {
    try {
      const group = readGroup(parseConfig(text, source.name, budget));
      const known = groups.get(group.uuid);
      if (known === undefined || known.group.seqno < group.seqno) groups.set(group.uuid, { group, source });
    } catch (error) {
      if (!(error instanceof ConverterError)) throw error;
      damaged(source, error.message);
    }
  }
  return [...groups.values()];
}

async function openGroup(
  group: VolumeGroup,
  found: ReadonlyMap<string, ByteSource>,
  ctx: Context,
): Promise<VolumeSystem> {
  const sources = new Map<string, ByteSource>();
  for (const [name, { uuid, missing }] of group.members) {
    const source = missing ? undefined : found.get(uuid.replaceAll("-", ""));
    if (source !== undefined) sources.set(name, source);
  }
  const layout = new GroupLayout(group, sources);
  const stores = snapshotStores(group);
  const volumes: Volume[] = [];
  for (const volume of group.volumes.values()) {
    ctx.signal.throwIfAborted();
    if (isListed(volume, stores)) volumes.push(await openVolume(group, volume, layout, stores));
  }
  return { scheme: "lvm2", uuid: group.uuid, label: group.name, sectorSize: 512, volumes };
}

/** The volumes in which old-style snapshots keep what their origins have overwritten. */
function snapshotStores(group: VolumeGroup): ReadonlySet<string> {
  const stores = new Set<string>();
  for (const { segments } of group.volumes.values()) {
    for (const { type, fields } of segments) {
      if (type === "snapshot" && fields.has("cow_store")) stores.add(fields.text("cow_store"));
    }
  }
  return stores;
}

/** Pools, and the records that join a snapshot with its origin, are no volumes of their own. */
const INTERNAL: ReadonlySet<string> = new Set(["snapshot", "thin-pool", "cache-pool", "vdo-pool"]);

function isListed({ name, visible, segments }: LogicalVolume, stores: ReadonlySet<string>): boolean {
  const [segment] = segments;
  return segment !== undefined && !INTERNAL.has(segment.type) && (visible || stores.has(name));
}

async function openVolume(
  group: VolumeGroup,
  volume: LogicalVolume,
  layout: GroupLayout,
  stores: ReadonlySet<string>,
): Promise<Volume> {
  const type = stores.has(volume.name) ? "snapshot" : typeOf(volume);
  const facts = { id: `${group.name}/${volume.name}`, type, typeName: `LVM ${type}`, uuid: volume.uuid };
  const title = `volume ${facts.id}`;
  try {
    if (type === "snapshot") throw segmentUnsupported(title, type);
    return new JoinedVolume(facts, await layout.open(volume.name));
  } catch (error) {
    if (!(error instanceof ConverterError)) throw error;
    return new JoinedVolume(facts, new RefusedSource(title, volume.extents * group.extentSize, error));
  }
}

/** As lvm2 calls it: a single stripe is linear. */
function typeOf({ segments }: LogicalVolume): string {
  const [segment] = segments;
  if (segment === undefined) return "linear";
  const { type, fields } = segment;
  return type === "striped" && fields.has("stripes") && fields.list("stripes").length <= 2 ? "linear" : type;
}
