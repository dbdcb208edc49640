import type { ByteSource } from "../../bytes/byte-source.ts";
import { compose, concat } from "../../bytes/regions.ts";
import { Slice } from "../../bytes/slice.ts";
import { StripedSource } from "../striped-source.ts";
import { arrayInvalid, levelUnsupported, memberMissing } from "./errors.ts";
import type { Member } from "./superblock.ts";

const LEVEL = { linear: -1, raid0: 0, raid1: 1 } as const;
/** How the zones of a raid0 with members of several sizes are dealt out. */
const RAID0_ALTERNATE = 2;
/** More than md has. */
const MOST_MEMBERS = 4096;

const LEVEL_NAMES: ReadonlyMap<number, string> = new Map([
  [LEVEL.linear, "linear"],
  [-4, "multipath"],
  [-5, "faulty"],
]);

/** "raid1", "linear". */
export function levelName(level: number): string {
  return LEVEL_NAMES.get(level) ?? `raid${level}`;
}

/** The content of an array from its current members. Throws where they are too few, or the array is of a kind that is not read. */
export function layOut(name: string, members: readonly [Member, ...Member[]]): ByteSource {
  const [{ level, raidDisks, reshaping }] = members;
  if (reshaping) throw levelUnsupported(name, `a ${levelName(level)} array that is being reshaped`);
  if (raidDisks < 1 || raidDisks > MOST_MEMBERS) throw arrayInvalid(name, `it has ${raidDisks} members`);
  if (level === LEVEL.raid1) return mirror(name, members);
  if (level !== LEVEL.linear && level !== LEVEL.raid0) throw levelUnsupported(name, `a ${levelName(level)} array`);
  const parts = allParts(name, members, members[0]);
  return level === LEVEL.linear ? concat(name, parts) : striped(name, members[0], parts);
}

/** The first member by its place: while the others are being made equal, it is the one that is right. */
function mirror(name: string, members: readonly Member[]): ByteSource {
  const [first] = inOrder(members);
  if (first === undefined) throw memberMissing(name, 0, 1);
  if (first.size === 0 || first.size > first.dataSize) throw arrayInvalid(name, `it has ${first.size} bytes`);
  return new Slice(first.source, first.dataOffset, first.size, name);
}

function inOrder(members: readonly Member[]): readonly Member[] {
  return members.filter(({ role }) => role !== undefined).sort((a, b) => (a.role ?? 0) - (b.role ?? 0));
}

/** The part of each member that the array uses: whole chunks. */
function allParts(name: string, members: readonly Member[], { raidDisks, chunk }: Member): readonly ByteSource[] {
  const byRole = new Map(inOrder(members).map((member) => [member.role, member]));
  const found = [...byRole.values()].filter(({ role }) => role !== undefined && role < raidDisks);
  if (found.length < raidDisks) throw memberMissing(name, found.length, raidDisks);
  return found.map(({ source, dataOffset, dataSize }) => {
    const size = chunk === 0 ? dataSize : Math.floor(dataSize / chunk) * chunk;
    if (size === 0) throw arrayInvalid(name, "a member has no room for data");
    return new Slice(source, dataOffset, size);
  });
}

/**
 * raid0 fills the members side by side until the smallest is full, then goes on with the others: a zone for each size
 * (create_strip_zones in drivers/md/raid0.c).
 */
function striped(name: string, { chunk, layout }: Member, parts: readonly ByteSource[]): ByteSource {
  if (chunk === 0) throw arrayInvalid(name, "it has no chunks");
  const zones: ByteSource[] = [];
  const sizes = [...new Set(parts.map(({ size }) => size))].sort((a, b) => a - b);
  let start = 0;
  let before = 0;
  for (const size of sizes) {
    const members = parts.filter((part) => part.size > before).map((part) => new Slice(part, before, size - before));
    const length = members.length * (size - before);
    zones.push(new StripedSource(name, length, chunk, turned(name, members, layout, start / chunk)));
    start += length;
    before = size;
  }
  const [only, ...others] = zones;
  return only !== undefined && others.length === 0 ? only : compose(name, start, regionsOf(zones));
}

/** In the older of two layouts a later zone begins with the member whose turn it would be, had there been one zone only. */
function turned(name: string, members: readonly ByteSource[], layout: number, chunks: number): readonly ByteSource[] {
  if (chunks === 0 || layout === RAID0_ALTERNATE) return members;
  if (layout !== 1) throw levelUnsupported(name, "a raid0 array with members of several sizes and no layout");
  const first = chunks % members.length;
  return [...members.slice(first), ...members.slice(0, first)];
}

function regionsOf(zones: readonly ByteSource[]) {
  let offset = 0;
  return zones.map((content) => {
    const region = { offset, length: content.size, content };
    offset += content.size;
    return region;
  });
}
