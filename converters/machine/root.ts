import { bytePath } from "../../src/bytes/byte-path.ts";
import type { Context } from "../../src/context.ts";
import { type ConverterError, NotFoundError } from "../../src/errors.ts";
import type { FileSystem } from "../../src/filesystem/file-system.ts";
import type { Recognised } from "../../src/filesystem/recognised.ts";
import { mountTree } from "../guest/tree.ts";
import { findDevice } from "./devices.ts";
import * as errors from "./errors.ts";
import type { GuestMount } from "./mounts.ts";
import {
  allPlaces,
  describeContent,
  describePlace,
  type FileSystemContent,
  type Place,
  type StorageStack,
} from "./stack.ts";

export interface RootOptions {
  /** "1:2" (disk and partition, "1" for a whole disk), a device ("/dev/sda2", "sda2"), UUID=..., LABEL=..., PARTUUID=... */
  readonly root?: string;
  /** Looks on this disk only; from 1. */
  readonly disk?: number;
}

interface Candidate extends GuestMount {
  /** How sure it is that a system lives here. */
  readonly rank: number;
  readonly systemName: string | undefined;
}

/**
 * The volume that holds the system. Throws UsageError where several do, and UnsupportedError, which tells what was found,
 * where none does. What `options.root` names is taken without looking for a system on it.
 */
export async function findRoot(stack: StorageStack, options: RootOptions, ctx: Context): Promise<GuestMount> {
  if (options.root !== undefined) return namedRoot(stack, options.root);
  if (options.disk !== undefined && !stack.disks.some(({ disk }) => disk === options.disk)) {
    throw errors.diskNumber(
      options.disk,
      stack.disks.map(({ disk, device }) => `${disk} (${device})`),
    );
  }
  const places = [...allPlaces(stack)].filter(({ disk }) => options.disk === undefined || disk === options.disk);
  const candidates: Candidate[] = [];
  for (const place of places) {
    ctx.signal.throwIfAborted();
    if (place.content.kind !== "file-system") continue;
    const found = await candidateOn(place, place.content);
    if (found !== undefined) candidates.push(found);
  }
  const best = Math.max(...candidates.map(({ rank }) => rank));
  const [root, ...others] = candidates.filter(({ rank }) => rank === best);
  if (root === undefined) throw await noRoot(places);
  if (others.length === 0) return root;
  const title = ({ place, systemName }: Candidate) => describePlace(place) + (systemName ? `, ${systemName}` : "");
  throw errors.rootAmbiguous([root, ...others].map(title), `/dev/${root.place.device}`);
}

/** Partitions that say that they are a root (Discoverable Partitions Specification), as those of our appliances do. */
const ROOT_TYPES: ReadonlySet<string> = new Set([
  "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709",
  "B921B045-1DF0-41C3-AF44-4C6F280D3FAE",
]);

/** Subvolumes in which distributions keep their root. */
const ROOT_SUBVOLUMES = ["@", "root"];

async function candidateOn(place: Place, content: FileSystemContent): Promise<Candidate | undefined> {
  const rank = (await rankOf(content.fileSystem)) || (ROOT_TYPES.has(place.volume?.type ?? "") ? 1 : 0);
  if (rank > 0) return await candidate(place, content.fileSystem, rank);
  for (const subvolume of content.type === "btrfs" ? ROOT_SUBVOLUMES : []) {
    try {
      const fileSystem = await content.reopen({ subvolume });
      const rank = await rankOf(fileSystem);
      if (rank > 0) return await candidate(place, fileSystem, rank);
    } catch (error) {
      if (!(error instanceof NotFoundError)) throw error;
    }
  }
  return undefined;
}

async function candidate(place: Place, fileSystem: FileSystem, rank: number): Promise<Candidate> {
  const tree = mountTree([{ path: "", fileSystem }]);
  const release = (await tree.readFile("etc/os-release")) ?? (await tree.readFile("usr/lib/os-release"));
  const text = Buffer.from(release ?? []).toString("utf8");
  return { path: "", place, fileSystem, rank, systemName: /^PRETTY_NAME=(["']?)(.*)\1$/m.exec(text)?.[2] };
}

/** 0: no root of a system. An os-release counts more than an fstab, and that more than nothing but the usual directories. */
async function rankOf(fileSystem: FileSystem): Promise<number> {
  const typeOf = async (path: string) => (await fileSystem.lookup(path))?.type;
  const has = async (path: string) => (await typeOf(path)) !== undefined;
  if ((await typeOf("etc")) !== "directory") return 0;
  const released = (await has("etc/os-release")) || (await has("usr/lib/os-release"));
  const mounted = await has("etc/fstab");
  const programs = await typeOf("bin");
  const usual =
    (programs === "directory" || programs === "symlink") && (released || mounted || (await has("etc/hosts")));
  const core = async () => (await has("root")) && (await has("home")) && (await has("etc/coreos/update.conf"));
  if (!usual && !(await core())) return 0;
  if (released) return 3;
  return mounted ? 2 : 1;
}

function namedRoot(stack: StorageStack, spec: string): GuestMount {
  const place = placeNamed(stack, spec);
  if (place === undefined) throw errors.rootUnknown(spec, [...allPlaces(stack)].map(describePlace));
  const { content } = place;
  if (content.kind === "file-system") return { path: "", place, fileSystem: content.fileSystem };
  throw content.kind === "damaged" ? content.error : errors.rootUnreadable(place.device, describeContent(content));
}

function placeNamed(stack: StorageStack, spec: string): Place | undefined {
  const name = bytePath(spec);
  const [numbered, disk, partition] = /^([0-9]+)(?::([0-9]+))?$/.exec(spec) ?? [];
  if (numbered === undefined) return findDevice(stack, name) ?? findDevice(stack, `/dev/${name}`);
  const whole = stack.disks[Number(disk) - 1];
  if (partition === undefined || whole?.content.kind !== "volumes") return partition === undefined ? whole : undefined;
  return whole.content.volumes.find(({ volume }) => volume?.id === partition);
}

const OF_WINDOWS: ReadonlySet<string> = new Set(["refs", "bitlocker", "ldm"]);
/** The system itself, and what starts it; file systems of Windows are searched whatever the case. */
const WINDOWS_PATHS: Readonly<Record<string, readonly string[]>> = {
  ntfs: ["Windows/System32", "bootmgr"],
  vfat: ["EFI/Microsoft"],
};
/** "Microsoft reserved": every Windows makes one on a GPT disk. */
const MICROSOFT_RESERVED = "E3C9E316-0B5C-4DB8-817D-F92DF00215AE";

/** The most telling error for a machine without a readable root. */
async function noRoot(places: readonly Place[]): Promise<ConverterError> {
  const found = places.filter(({ content }) => content.kind !== "volumes").map(describePlace);
  const encrypted = places.filter(({ content }) => content.kind === "recognised" && isLocked(content.recognised));
  if (encrypted.length > 0) {
    return errors.rootEncrypted(
      encrypted.map(({ device }) => device),
      found,
    );
  }
  for (const { content } of places) {
    if (content.kind === "damaged" && content.type !== "vfat") return content.error;
  }
  for (const place of places) if (await isOfWindows(place)) return errors.rootWindows(found);
  return errors.rootMissing(found);
}

function isLocked({ kind, name }: Recognised): boolean {
  return kind === "encrypted" && !OF_WINDOWS.has(name);
}

async function isOfWindows({ volume, content }: Place): Promise<boolean> {
  if (volume?.type === MICROSOFT_RESERVED) return true;
  if (content.kind === "recognised") return OF_WINDOWS.has(content.recognised.name);
  if (content.kind !== "file-system") return false;
  for (const path of WINDOWS_PATHS[content.type] ?? []) {
    if ((await content.fileSystem.lookup(path)) !== undefined) return true;
  }
  return false;
}
