import type { BytePath } from "./byte-path.ts";

/** Since 1970 in UTC; seconds may be negative, nanoseconds are 0 to 999,999,999. */
export interface Timestamp {
  readonly seconds: number;
  readonly nanoseconds: number;
}

interface EntryBase {
  readonly path: BytePath;
  /** Two entries of one file system with the same number are hard links to one file. */
  readonly inode: number;
  readonly links: number;
  /** Permission bits with setuid, setgid and sticky: 0 to 0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: Timestamp;
  /** Full names ("security.capability", "system.posix_acl_access" in the kernel's form) to raw values. */
  readonly xattrs: ReadonlyMap<string, Uint8Array>;
}

export interface FileEntry extends EntryBase {
  readonly type: "file";
  /** Bytes. */
  readonly size: number;
}

export interface DirectoryEntry extends EntryBase {
  readonly type: "directory";
}

export interface SymlinkEntry extends EntryBase {
  readonly type: "symlink";
  readonly target: BytePath;
}

export interface DeviceEntry extends EntryBase {
  readonly type: "character-device" | "block-device";
  readonly major: number;
  readonly minor: number;
}

export interface FifoEntry extends EntryBase {
  readonly type: "fifo";
}

export interface SocketEntry extends EntryBase {
  readonly type: "socket";
}

/** A file of a guest or of a layer, with everything but its content. */
export type Entry = FileEntry | DirectoryEntry | SymlinkEntry | DeviceEntry | FifoEntry | SocketEntry;

export const NO_XATTRS: ReadonlyMap<string, Uint8Array> = new Map();
