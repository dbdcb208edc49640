import type { Entry, FileEntry } from "../../src/bytes/entry.ts";
import type { GuestOptions } from "./options.ts";
import type { Rule } from "./rules.ts";

/** Something of a kept entry that the image does not carry over. */
export type Loss =
  | "GUEST_MTIME_CLAMPED"
  | "GUEST_XATTR_INTEGRITY"
  | "GUEST_XATTR_NAME"
  | "GUEST_XATTR_OVERLAY"
  | "GUEST_XATTR_SELINUX"
  | "GUEST_XATTR_TOO_LARGE"
  | "GUEST_XATTR_UNSUPPORTED"
  | "GUEST_XATTR_USER";

export const LOSSES: Readonly<Record<Loss, { readonly severity: "info" | "warning"; readonly message: string }>> = {
  GUEST_MTIME_CLAMPED: { severity: "warning", message: "times before 1970 or after 2262 are moved to these years" },
  GUEST_XATTR_INTEGRITY: { severity: "info", message: "integrity hashes (security.ima, security.evm) are left out" },
  GUEST_XATTR_NAME: {
    severity: "warning",
    message: "attribute names with = or NUL are left out, no layer can say them",
  },
  GUEST_XATTR_OVERLAY: {
    severity: "warning",
    message: "marks of an overlay file system are left out, clients would obey them",
  },
  GUEST_XATTR_SELINUX: { severity: "info", message: "SELinux labels are left out" },
  GUEST_XATTR_TOO_LARGE: {
    severity: "warning",
    message: "all attributes of an entry are left out, they exceed what clients read",
  },
  GUEST_XATTR_UNSUPPORTED: {
    severity: "warning",
    message: "attributes of a namespace that clients refuse are left out",
  },
  GUEST_XATTR_USER: {
    severity: "warning",
    message: "user attributes of a symlink or special file are left out, clients refuse them",
  },
};

const SOCKETS: Rule = { id: "sockets", reason: "a layer cannot hold a socket", action: "leave-out", patterns: [] };
const EMPTY_LINKS: Rule = {
  id: "empty-symlinks",
  reason: "a symlink without a target is refused",
  action: "leave-out",
  patterns: [],
};
const WHITEOUT_DEVICES: Rule = {
  id: "whiteout-devices",
  reason: "a character device 0:0 deletes files when an image is unpacked",
  action: "leave-out",
  patterns: [],
  warning: "GUEST_WHITEOUT_DEVICE",
};

/** Why no layer can hold an entry, whatever the user wants. Names are WHITEOUT_NAMES' part. */
export function unlayerable(entry: Entry): Rule | undefined {
  if (entry.type === "socket") return SOCKETS;
  if (entry.type === "symlink" && entry.target === "") return EMPTY_LINKS;
  if (entry.type === "character-device" && entry.major === 0 && entry.minor === 0) return WHITEOUT_DEVICES;
  return undefined;
}

/** The last second that every client keeps. */
const LAST_SECOND = 9_223_372_036;
/** Clients refuse a pax header above 1 MiB; names and framing need some room. */
const MOST_XATTR_BYTES = 900_000;

export interface Carried {
  readonly entry: Entry;
  readonly losses: readonly Loss[];
}

const NO_LOSSES: readonly Loss[] = [];

/** The entry as a layer can carry it. Times are only reported: whoever writes the layer clamps them. */
export function carry(entry: Entry, options: Pick<GuestOptions, "keepSelinux" | "keepXattrs">): Carried {
  const { seconds } = entry.mtime;
  const clamped = seconds < 0 || seconds > LAST_SECOND;
  if (entry.xattrs.size === 0) return { entry, losses: clamped ? ["GUEST_MTIME_CLAMPED"] : NO_LOSSES };
  const losses = new Set<Loss>(clamped ? ["GUEST_MTIME_CLAMPED"] : []);
  const kept = new Map<string, Uint8Array>();
  let bytes = 0;
  for (const [name, value] of entry.xattrs) {
    const loss = xattrLoss(name, entry.type, options);
    if (loss !== undefined) {
      losses.add(loss);
      continue;
    }
    kept.set(name, value);
    bytes += name.length + value.length + 40;
  }
  if (bytes > MOST_XATTR_BYTES) {
    kept.clear();
    losses.add("GUEST_XATTR_TOO_LARGE");
  }
  return { entry: kept.size === entry.xattrs.size ? entry : changed(entry, { xattrs: kept }), losses: [...losses] };
}

function xattrLoss(
  name: string,
  type: Entry["type"],
  { keepSelinux, keepXattrs }: Pick<GuestOptions, "keepSelinux" | "keepXattrs">,
): Loss | undefined {
  if (/[=\0]/.test(name)) return "GUEST_XATTR_NAME";
  if (name.startsWith("trusted.overlay.")) return keepXattrs ? undefined : "GUEST_XATTR_OVERLAY";
  if (name.startsWith("trusted.")) return undefined;
  if (name.startsWith("user.")) return type === "file" || type === "directory" ? undefined : "GUEST_XATTR_USER";
  switch (name) {
    case "security.capability":
    case "system.posix_acl_access":
    case "system.posix_acl_default":
      return undefined;
    case "security.selinux":
      return keepSelinux || keepXattrs ? undefined : "GUEST_XATTR_SELINUX";
    case "security.ima":
    case "security.evm":
      return keepXattrs ? undefined : "GUEST_XATTR_INTEGRITY";
    default:
      return "GUEST_XATTR_UNSUPPORTED";
  }
}

/** A copy with other values; field by field, because a file system may give entries whose fields are getters. */
export function changed(entry: Entry, changes: Partial<Pick<Entry, "xattrs">>): Entry {
  const { path, inode, links, mode, uid, gid, mtime, xattrs } = entry;
  const base = { path, inode, links, mode, uid, gid, mtime, xattrs, ...changes };
  switch (entry.type) {
    case "file":
      return { ...base, type: entry.type, size: entry.size };
    case "symlink":
      return { ...base, type: entry.type, target: entry.target };
    case "character-device":
    case "block-device":
      return { ...base, type: entry.type, major: entry.major, minor: entry.minor };
    default:
      return { ...base, type: entry.type };
  }
}

/** A file of its own in the place of another, with that one's owner, mode and time, and without its extended attributes. */
export function inPlaceOf(
  { path, inode, mode, uid, gid, mtime }: Entry,
  xattrs: Entry["xattrs"],
  size: number,
): FileEntry {
  return { type: "file", path, inode: -1 - inode, links: 1, mode, uid, gid, mtime, xattrs, size };
}
