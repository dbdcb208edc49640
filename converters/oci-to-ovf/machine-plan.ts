import type { BytePath } from "../../src/bytes/byte-path.ts";
import type { Content } from "../../src/bytes/content.ts";
import type { Context } from "../../src/context.ts";
import { type Ext4Plan, planExt4 } from "../../src/filesystem/ext4/writer/plan.ts";
import type { ImageTree } from "../../src/oci/image-tree.ts";
import type { SourceImage } from "../conversion.ts";
import { parseAssignments } from "../guest/configuration.ts";
import { type InitRecords, writeInitramfs } from "../kernel/initramfs.ts";
import { type FoundKernel, isKernelPath } from "../kernel/kernel.ts";
import { driversOf } from "../kernel/modules.ts";
import { kernelPath } from "../kernel/source.ts";
import { adaptTree, type NewFile } from "./adapted-tree.ts";
import { type Boot, bootBytes, bootDisk, bootDiskIds } from "./boot-disk.ts";
import { diskTooSmall, driversMissing } from "./errors.ts";
import { changedExecution, type ExecutionOptions } from "./execution.ts";
import { openImageFiles } from "./image-files.ts";
import { chooseInit, type InitChoice } from "./init-choice.ts";
import { chooseKernel, type KernelOptions } from "./kernel-choice.ts";
import { commandOf, mainProcessRecords, restartRecords } from "./main-process.ts";
import { networkFiles } from "./network-files.ts";
import { type NewFstab, newFstab } from "./new-fstab.ts";
import { resolveUser } from "./users.ts";

/** How an image is made to boot, by the names of the command line. */
export interface BootOptions extends KernelOptions, ExecutionOptions {
  /** `auto` if absent, `none`, or the path of a program in the image. */
  readonly init?: string;
  /** When our init starts the command again: `no` if absent. */
  readonly restart?: string;
  /** Bytes of the disk; what the files need and some room if absent. */
  readonly diskSize?: number;
  /** The machine's name for itself; that of the image's /etc/hostname, or of the machine, if absent. */
  readonly hostname?: string;
  /** Words that are added to the kernel's command line. */
  readonly kernelArgs?: string;
}

/** A machine made of an image, laid out to the last byte: its disk can be written, as often as is asked. */
export interface MachinePlan {
  readonly disk: Content;
  /** os-release's ID and VERSION_ID, where the image has them. */
  readonly os: { readonly id?: string; readonly version?: string };
  readonly hostname: string;
  /** Lines that say what is used. */
  readonly uses: readonly string[];
}

const MIB = 1 << 20;
/** Files that are read while the layers are, so that they need not be read once more for them. */
const CONFIGURATION = ["etc/passwd", "etc/group", "etc/fstab", "etc/hostname", "etc/os-release", "usr/lib/os-release"];
const MOST_CONFIGURATION = 1 << 20;
const MOST_BOOT_FILE = 256 << 20;
/** Directories that a machine mounts on, and that an image need not have. */
const MOUNT_POINTS: readonly BytePath[] = ["dev", "proc", "run", "sys"];
const CONSOLES = "console=tty0 console=ttyS0,115200 loglevel=4";
/** A grain of a VMDK: larger files begin with one, so that taking an image apart again finds whole grains. */
const ALIGNED_FILE = 256 << 10;

/**
 * Reads an image's files and lays out a machine that boots on BIOS and UEFI. `name` is the machine's; what has to be closed when
 * the disk is written is added to `closing`. Throws what its parts do: see docs/errors.md, APPLIANCE_*, BOOT_*, KERNEL_*.
 */
export async function planMachine(
  from: SourceImage,
  name: string,
  options: BootOptions,
  closing: AsyncDisposable[],
  ctx: Context,
): Promise<MachinePlan> {
  const { config, descriptor } = from.image;
  const execution = changedExecution(config?.execution ?? {}, options);
  const restart = restartRecords(options.restart ?? "no");
  const tree = await openImageFiles(from, keeps, ctx);
  const files = await tree.readFiles(CONFIGURATION);
  const init = chooseInit(tree, execution, options.init ?? "auto", descriptor.digest);
  const kernel = await chooseKernel(tree, options, descriptor.digest, closing, ctx);
  const hostname = hostnameOf(options.hostname ?? firstLine(files.get("etc/hostname")) ?? name);
  const fstab = newFstab(files.get("etc/fstab") ?? new Uint8Array(0), ctx);
  const ids = bootDiskIds(descriptor.digest);
  const uuid = fstab.uuid ?? ids.root;
  const user = resolveUser(execution.user ?? "", files.get("etc/passwd"), files.get("etc/group"));
  const records: InitRecords = [
    ["root", uuid.replaceAll("-", "")],
    ["hostname", hostname],
    ["network", "dhcp"],
    ...(init.program === undefined ? [] : [["init", init.program] as const]),
    ...mainProcessRecords(execution, user, hostname),
    ...restart,
  ];
  const boot = await bootOf(kernel, init, records, uuid, options, ctx);
  const root = planRoot(
    tree,
    newFiles(tree, files, fstab, uuid, hostname, init),
    uuid,
    fstab.label,
    boot,
    options,
    ctx,
  );
  const date = new Date((ctx.epoch ?? 315_532_800) * 1000);
  return {
    disk: bootDisk(boot, root.content, ids, date, name),
    os: osOf(files.get("etc/os-release") ?? files.get("usr/lib/os-release")),
    hostname,
    uses: [
      `kernel ${kernel.image.release} from ${kernel.image.name}`,
      init.program === undefined ? `runs ${commandOf(execution).join(" ")}` : `starts ${init.program}`,
      `root of ${root.size} bytes, ${root.freeBytes} of them free`,
    ],
  };
}

function keeps(path: BytePath, size: number): boolean {
  if (CONFIGURATION.includes(path)) return size <= MOST_CONFIGURATION;
  const place = kernelPath(path);
  return size <= MOST_BOOT_FILE && (isKernelPath(place) || INITRD.test(place));
}

const INITRD = /^(boot\/(initrd|initramfs)|lib\/modules\/[^/]+\/(initramfs\.img|initrd)$)/;

/** The image's own initrd where it has one and starts its own init; otherwise ours, with the drivers that it needs. */
async function bootOf(
  kernel: FoundKernel,
  init: InitChoice,
  records: InitRecords,
  uuid: string,
  { kernelArgs }: BootOptions,
  ctx: Context,
): Promise<Boot> {
  const further = kernelArgs === undefined ? "" : ` ${kernelArgs}`;
  const commandLine = `root=UUID=${uuid} rw ${CONSOLES}`;
  if (kernel.initrd !== undefined && init.program !== undefined) {
    const program = init.program === "/sbin/init" ? "" : ` init=${init.program}`;
    return { kernel: kernel.image, initrd: kernel.initrd, commandLine: `${commandLine}${program}${further}` };
  }
  const drivers = await driversOf(kernel.source, kernel.image.release);
  if (drivers.length === 0) ctx.diagnostic(driversMissing(kernel.image.release, kernel.image.name));
  const initrd = writeInitramfs(drivers, records);
  return { kernel: kernel.image, initrd, commandLine: `${commandLine}${further}` };
}

function planRoot(
  tree: ImageTree,
  files: readonly NewFile[],
  uuid: string,
  label: string | undefined,
  boot: Boot,
  { diskSize }: BootOptions,
  ctx: Context,
): Ext4Plan {
  const taken = bootBytes(boot);
  if (diskSize !== undefined && diskSize <= taken) throw diskTooSmall(diskSize, taken);
  const size = diskSize === undefined ? {} : { size: Math.floor((diskSize - taken) / MIB) * MIB };
  return planExt4(
    adaptTree(tree, files, MOUNT_POINTS),
    { uuid, label: label ?? "root", alignFrom: ALIGNED_FILE, ...size },
    ctx,
  );
}

/** What the machine has in the place of the image's files. */
function newFiles(
  tree: ImageTree,
  files: ReadonlyMap<BytePath, Uint8Array>,
  fstab: NewFstab,
  uuid: string,
  hostname: string,
  { program }: InitChoice,
): readonly NewFile[] {
  const mounts = fstab.bytes(uuid);
  const isNameless = program !== undefined && firstLine(files.get("etc/hostname")) === undefined;
  return [
    ...(mounts === undefined ? [] : [{ path: "etc/fstab", bytes: mounts }]),
    ...(program === undefined ? [] : networkFiles(tree, program)),
    ...(isNameless ? [{ path: "etc/hostname", bytes: Buffer.from(`${hostname}\n`) }] : []),
  ];
}

function firstLine(bytes: Uint8Array | undefined): string | undefined {
  const lines = Buffer.from(bytes ?? [])
    .toString("latin1")
    .split("\n");
  return lines.map((line) => line.trim()).find((line) => line !== "" && !line.startsWith("#"));
}

/** A host name (RFC 1123) made of a text. */
function hostnameOf(text: string): string {
  const plain = text
    .toLowerCase()
    .replace(/[^a-z0-9.-]+/g, "-")
    .replace(/^[.-]+/, "")
    .slice(0, 63)
    .replace(/[.-]+$/, "");
  return plain === "" ? "appliance" : plain;
}

function osOf(bytes: Uint8Array | undefined): MachinePlan["os"] {
  const values = parseAssignments(Buffer.from(bytes ?? []).toString("utf8"));
  const [id, version] = [values.get("ID"), values.get("VERSION_ID")];
  return { ...(id === undefined ? {} : { id }), ...(version === undefined ? {} : { version }) };
}
