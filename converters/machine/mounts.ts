import type { BytePath } from "../../src/bytes/byte-path.ts";
import { displayPath } from "../../src/bytes/byte-path.ts";
import type { Context } from "../../src/context.ts";
import type { FileSystem } from "../../src/filesystem/file-system.ts";
import { type GuestTree, type Mount, mountTree } from "../guest/tree.ts";
import { findDevice } from "./devices.ts";
import { fstabDeviceMissing, mountPointMissing, mountSkipped, mountUnreadable } from "./errors.ts";
import { type FstabLine, onlyForBoot, optionValue, parseFstab, reasonToSkip } from "./fstab.ts";
import { describeContent, type Place, type StorageStack } from "./stack.ts";

/** A volume and the directory on which the machine mounts it. */
export interface GuestMount extends Mount {
  readonly place: Place;
  readonly fileSystem: FileSystem;
}

/** A line of /etc/fstab that adds nothing to the tree, and why. */
export interface SkippedMount {
  readonly line: FstabLine;
  readonly reason: string;
}

export interface MountedMachine {
  readonly tree: GuestTree;
  /** The root first, each other after what it lies on. */
  readonly mounts: readonly GuestMount[];
  readonly skipped: readonly SkippedMount[];
}

interface Wanted {
  readonly path: BytePath;
  readonly place: Place;
  readonly options: readonly string[];
}

/**
 * Mounts what the machine itself would mount at start, by its /etc/fstab and, where that names no root, by the types of its
 * GPT partitions. A volume that is needed and cannot be read throws; one that is missing, or that only the firmware needs,
 * is a diagnostic.
 */
export async function mountMachine(stack: StorageStack, root: GuestMount, ctx: Context): Promise<MountedMachine> {
  const mounts: [GuestMount, ...GuestMount[]] = [root];
  let tree = mountTree(mounts);
  const lines = parseFstab((await tree.readFile("etc/fstab")) ?? new Uint8Array(), ctx);
  const skipped: SkippedMount[] = [];
  const wanted = fromFstab(stack, lines, skipped, ctx);
  if (!lines.some(({ path }) => path === "")) wanted.push(...(await fromPartitionTypes(stack, root.place, tree)));
  for (const next of wanted.sort((a, b) => depth(a.path) - depth(b.path))) {
    const point = await tree.follow(next.path);
    if (point?.type !== "directory" || point.path === "") {
      ctx.diagnostic(mountPointMissing(next.path, next.place.device));
      continue;
    }
    const fileSystem = await openWanted(next, ctx);
    if (fileSystem === undefined) continue;
    mounts.push({ path: point.path, place: next.place, fileSystem });
    tree = mountTree(mounts);
  }
  return { tree, mounts, skipped };
}

const depth = (path: BytePath): number => path.split("/").length;

function fromFstab(stack: StorageStack, lines: readonly FstabLine[], skipped: SkippedMount[], ctx: Context): Wanted[] {
  const wanted: Wanted[] = [];
  for (const line of lines) {
    const { path, device, options } = line;
    if (path === "") continue;
    const reason = reasonToSkip(line);
    if (reason !== undefined || path === undefined) {
      skipped.push({ line, reason: reason ?? "it is mounted nowhere" });
      continue;
    }
    const place = findDevice(stack, device);
    if (place !== undefined) {
      wanted.push({ path, place, options });
      continue;
    }
    skipped.push({ line, reason: "no disk of the machine has it" });
    ctx.diagnostic(fstabDeviceMissing(displayPath(device), displayPath(path), line.line, options.includes("nofail")));
  }
  return wanted;
}

async function openWanted({ path, place, options }: Wanted, ctx: Context): Promise<FileSystem | undefined> {
  const { content, device } = place;
  if (content.kind === "file-system") {
    const subvolume = optionValue(options, "subvol") ?? optionValue(options, "subvolid");
    if (content.type !== "btrfs" || subvolume === undefined) return content.fileSystem;
    const byId = optionValue(options, "subvol") === undefined;
    return await content.reopen({ subvolume: byId ? Number(subvolume) : subvolume.replace(/^\/+/, "") });
  }
  const found = describeContent(content);
  if (options.includes("nofail") || onlyForBoot(path)) {
    ctx.diagnostic(mountSkipped(path, device, found));
    return undefined;
  }
  throw content.kind === "damaged" ? content.error : mountUnreadable(path, device, found);
}

/** The Discoverable Partitions Specification, as systemd-gpt-auto-generator follows it: only on the disk of the root. */
const MOUNTED_BY_TYPE: readonly (readonly [type: string, points: readonly BytePath[]])[] = [
  ["8484680C-9521-48C6-9C11-B0720656F69E", ["usr"]],
  ["933AC7E1-2EB4-4F13-B844-0E14E2AEF915", ["home"]],
  ["3B8F8425-20E0-4F3B-907F-1A25A76F98E8", ["srv"]],
  ["4D21B016-B534-45C2-A9FB-5C16E091FD2D", ["var"]],
  ["BC13C2FF-59E6-4262-A352-B275FD6F7172", ["boot"]],
  ["C12A7328-F81F-11D2-BA4B-00A0C93EC93B", ["efi", "boot"]],
];

async function fromPartitionTypes(stack: StorageStack, root: Place, tree: GuestTree): Promise<Wanted[]> {
  const disk = stack.disks.find((candidate) => root.disk !== undefined && candidate.disk === root.disk);
  if (disk?.content.kind !== "volumes" || disk.content.system.scheme !== "gpt") return [];
  const wanted: Wanted[] = [];
  for (const [type, points] of MOUNTED_BY_TYPE) {
    const place = disk.content.volumes.find(({ volume }) => volume?.type === type);
    if (place === undefined || place === root || place.content.kind !== "file-system") continue;
    for (const path of points) {
      if (wanted.some((other) => other.path === path)) continue;
      if ((await tree.lookup(path))?.type !== "directory") continue;
      // As systemd: what holds files of its own is not hidden, the kernels of a machine whose loader is elsewhere for example.
      if ((await tree.list(path)).length > 0) continue;
      wanted.push({ path, place, options: [] });
      break;
    }
  }
  return wanted;
}
