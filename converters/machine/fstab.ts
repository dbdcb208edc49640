import { type BytePath, displayPath } from "../../src/bytes/byte-path.ts";
import type { Context } from "../../src/context.ts";
import { fstabLine } from "./errors.ts";

/** One line of /etc/fstab (fstab(5), getmntent(3)), with its escapes resolved. */
export interface FstabLine {
  /** What is mounted, as written: "UUID=...", "/dev/sda1", "tmpfs"... */
  readonly device: BytePath;
  /** Where: the path without its leading slash, "" for the root; undefined for what is mounted nowhere (swap). */
  readonly path: BytePath | undefined;
  readonly type: string;
  readonly options: readonly string[];
  /** From 1. */
  readonly line: number;
}

/** Every line that says something. What is no fstab line is a diagnostic and left out. */
export function parseFstab(bytes: Uint8Array, ctx: Context): readonly FstabLine[] {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
  const lines: FstabLine[] = [];
  for (const [index, raw] of text.split("\n").entries()) {
    const fields = raw.split(/[ \t\r]+/).filter((field) => field !== "");
    if (fields.length === 0 || fields[0]?.startsWith("#")) continue;
    const [device, place, type = "auto", options = "defaults"] = fields.map(unescapeOctal);
    if (device === undefined || place === undefined) {
      ctx.diagnostic(fstabLine(index + 1, displayPath(raw)));
      continue;
    }
    lines.push({ device, path: mountPoint(place), type, options: splitOptions(options), line: index + 1 });
  }
  return lines;
}

/** The value of `name=value` among the options. */
export function optionValue(options: readonly string[], name: string): string | undefined {
  return options.find((option) => option.startsWith(`${name}=`))?.slice(name.length + 1);
}

function unescapeOctal(field: string): string {
  return field.replace(/\\([0-3][0-7]{2})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

function mountPoint(field: string): BytePath | undefined {
  if (!field.startsWith("/")) return undefined;
  const names = field.split("/").filter((name) => name !== "" && name !== ".");
  return names.includes("..") ? undefined : names.join("/");
}

/** Commas inside double quotes belong to the value: `context="system_u:object_r:tmp_t:s0:c1,c2"`. */
function splitOptions(field: string): readonly string[] {
  const options: string[] = [];
  let quoted = false;
  let option = "";
  for (const character of field) {
    if (character === '"') quoted = !quoted;
    if (character === "," && !quoted) {
      options.push(option);
      option = "";
    } else {
      option += character;
    }
  }
  return [...options, option].filter((one) => one !== "");
}

const PSEUDO_TYPES = new Set(
  `autofs binfmt_misc bpf cgroup cgroup2 configfs debugfs devpts devtmpfs efivarfs fusectl hugetlbfs ignore mqueue
  none nfsd overlay proc pstore ramfs rpc_pipefs securityfs swap sysfs tmpfs tracefs usbfs vboxsf`.split(/\s+/),
);
const NETWORK_TYPE =
  /^(nfs4?|cifs|smb3|smbfs|afs|ceph|glusterfs|ncpfs|9p|virtiofs|sshfs|davfs|fuse\..*|fuse|lustre|gfs2|ocfs2)$/;
const NOT_OF_A_DISK = /^\/dev\/(cdrom|cdrw|dvd|sr[0-9]|scd[0-9]|fd[0-9]|floppy)/;
const RUNTIME_FOLDER = /^(proc|sys|dev|run|media|mnt)(\/|$)/;
const NEEDED_FOR_BOOT: ReadonlySet<BytePath> = new Set(["boot", "boot/efi", "efi"]);

/** Whether only the firmware and the boot loader need what is mounted there: the system's files are whole without it. */
export function onlyForBoot(path: BytePath): boolean {
  return NEEDED_FOR_BOOT.has(path);
}

/** Why a line adds no files of the machine's own disks to its tree; undefined for those that do. */
export function reasonToSkip({ device, path, type, options }: FstabLine): string | undefined {
  const has = (option: string) => options.includes(option);
  if (has("bind") || has("rbind")) return "it shows a directory a second time";
  if (path === undefined || PSEUDO_TYPES.has(type)) return "it holds no files of a disk";
  if (NETWORK_TYPE.test(type) || has("_netdev")) return "it comes over the network";
  if (NOT_OF_A_DISK.test(device)) return "it is a removable medium";
  if (RUNTIME_FOLDER.test(path)) return "it lies in a directory for what comes and goes while the machine runs";
  if (has("noauto") && !has("x-systemd.automount") && !onlyForBoot(path)) return "it is not mounted at start";
  return undefined;
}
