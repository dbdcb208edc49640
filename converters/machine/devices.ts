import { type BytePath, bytePath } from "../../src/bytes/byte-path.ts";
import { allPlaces, type Place, type StorageStack } from "./stack.ts";

/**
 * The disk or volume that a Linux machine calls by `spec`: `UUID=`, `LABEL=`, `PARTUUID=`, `PARTLABEL=`, /dev/disk/by-*,
 * /dev/mapper/VG-LV, /dev/VG/LV, /dev/md0, and the kernel's names sdXN, hdXN, vdXN, xvdXN, nvmeXnYpZ and mmcblkXpZ by the
 * order of the disks. The UUIDs' case does not matter (vfat's are written both ways).
 */
export function findDevice(stack: StorageStack, spec: BytePath): Place | undefined {
  const places = [...allPlaces(stack)];
  const [, tag, value] = /^(UUID|LABEL|PARTUUID|PARTLABEL)=(.*)$/s.exec(spec) ?? [];
  if (tag !== undefined && value !== undefined) return byTag(places, tag, unquote(value));
  const [, kind, name] = /^\/dev\/disk\/by-([a-z]+)\/(.+)$/s.exec(spec) ?? [];
  if (kind !== undefined && name !== undefined) return byLink(stack, places, kind, unescapeHex(name));
  return spec.startsWith("/dev/") ? byName(stack, places, spec.slice("/dev/".length)) : undefined;
}

/** `/dev/mapper/VG-LV`: the hyphens of the two names are doubled (dm_build_dm_name in lvm2). */
export function mapperName(group: string, volume: string): string {
  return `${group.replaceAll("-", "--")}-${volume.replaceAll("-", "--")}`;
}

function unquote(value: string): string {
  return /^(["']).*\1$/s.test(value) && value.length >= 2 ? value.slice(1, -1) : value;
}

/** udev writes what is unsafe in a link's name as `\xNN` (udev_util_encode_string). */
function unescapeHex(name: string): string {
  return name.replace(/\\x([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** Labels are text here and bytes in a guest's files. */
function sameLabel(label: string | undefined, value: BytePath): boolean {
  return label !== undefined && (label === value || bytePath(label) === value);
}

function byTag(places: readonly Place[], tag: string, value: BytePath): Place | undefined {
  const lower = value.toLowerCase();
  return places.find(({ content, volume }) => {
    if (tag === "PARTUUID") return volume?.uuid?.toLowerCase() === lower;
    if (tag === "PARTLABEL") return sameLabel(volume?.label, value);
    const named = content.kind === "recognised" ? content.recognised : content;
    if (!("uuid" in named)) return false;
    return tag === "LABEL" ? sameLabel(named.label, value) : named.uuid?.toLowerCase() === lower;
  });
}

function byLink(stack: StorageStack, places: readonly Place[], kind: string, name: BytePath): Place | undefined {
  if (/^(uuid|label|partuuid|partlabel)$/.test(kind)) return byTag(places, kind.toUpperCase(), name);
  const [, hexadecimal] = /^dm-uuid-LVM-(.{64})$/.exec(name) ?? [];
  if (hexadecimal !== undefined) {
    return places.find(({ system, volume }) => plain(system?.uuid) + plain(volume?.uuid) === hexadecimal);
  }
  const [, property, array] = /^md-(uuid|name)-(.+)$/.exec(name) ?? [];
  if (property !== undefined) {
    return places.find(({ system }) => {
      return system?.scheme === "md" && (property === "uuid" ? system.uuid : system.label) === array;
    });
  }
  if (name.startsWith("dm-name-")) return byName(stack, places, `mapper/${name.slice("dm-name-".length)}`);
  return onOnlyDisk(stack, name);
}

function plain(uuid: string | undefined): string {
  return (uuid ?? "").replaceAll("-", "");
}

/** Names made of a model, a serial number or a slot tell nothing here, unless there is just one disk that can be meant. */
function onOnlyDisk({ disks }: StorageStack, name: string): Place | undefined {
  const [disk, ...others] = disks;
  if (disk === undefined || others.length > 0) return undefined;
  return onDisk(disk, /-part([0-9]+)$/.exec(name)?.[1] ?? "");
}

const LETTERED = /^(?:sd|hd|vd|xvd|ubd)([a-z]{1,2})([0-9]*)$/;
const NUMBERED = /^(?:nvme([0-9]+)n1|mmcblk([0-9]+))(?:p([0-9]+))?$/;

function byName(stack: StorageStack, places: readonly Place[], name: string): Place | undefined {
  const [, letters, partition] = LETTERED.exec(name) ?? [];
  if (letters !== undefined) return onDisk(stack.disks[letterIndex(letters)], partition ?? "");
  const [numbered, nvme, card, part] = NUMBERED.exec(name) ?? [];
  if (numbered !== undefined) return onDisk(stack.disks[Number(nvme ?? card)], part ?? "");
  const array = /^md\/([0-9]+)$/.exec(name)?.[1];
  return places.find(({ device, disk, system, volume }) => {
    if (disk !== undefined) return false;
    if (device === name || (array !== undefined && device === `md${array}`)) return true;
    const [group, logical, ...more] = volume?.id.split("/") ?? [];
    if (system?.scheme !== "lvm2" || group === undefined || logical === undefined || more.length > 0) return false;
    return name === `mapper/${mapperName(group, logical)}`;
  });
}

function letterIndex(letters: string): number {
  return [...letters].reduce((index, letter) => index * 26 + letter.charCodeAt(0) - 96, 0) - 1;
}

function onDisk(disk: Place | undefined, partition: string): Place | undefined {
  if (disk === undefined || partition === "") return disk;
  return disk.content.kind === "volumes"
    ? disk.content.volumes.find(({ volume }) => volume?.id === partition)
    : undefined;
}
