import { MemorySource } from "../../src/bytes/memory-source.ts";
import { ZeroPadded } from "../../src/bytes/slice.ts";
import type { Context } from "../../src/context.ts";
import { type DeclaredDisk, openDisk } from "../../src/disk/index.ts";
import type { VirtualDisk } from "../../src/disk/virtual-disk.ts";
import { type Drive, type EffectiveHardware, hardwareFor } from "../../src/ovf/effective-hardware.ts";
import type { Envelope, VirtualSystem } from "../../src/ovf/model.ts";
import type { Member, Package } from "../../src/ovf/package.ts";
import { diskBlank, systemAmbiguous, systemMissing, systemUnknown } from "./errors.ts";
import { type GuestMount, type MountedMachine, mountMachine } from "./mounts.ts";
import { findRoot, type RootOptions } from "./root.ts";
import { openStack, type StackFormats, type StorageStack } from "./stack.ts";

export interface MachineOptions {
  /** The id or name of one of several machines in the package. */
  readonly system?: string;
  /** The id of a deployment configuration; the package's default otherwise. */
  readonly configuration?: string;
  /** The disk format of a package that is a bare image, for those that show no format of their own ("raw"). */
  readonly format?: string;
}

export interface MachineDisk {
  /** As Linux calls it: "sda", "sdb"... */
  readonly device: string;
  readonly disk: VirtualDisk;
  /** Where the disk hangs; undefined for a bare image. */
  readonly drive: Drive | undefined;
  /** The file that holds it, the first one where it is in pieces; undefined for a disk that starts blank. */
  readonly member: Member | undefined;
}

/** An image in a drive for removable media. */
export interface Medium {
  readonly drive: Drive;
  readonly member: Member | undefined;
}

/** One virtual machine of a package with its disks open. It owns them and what stands on them, and borrows the package. */
export interface Machine extends AsyncDisposable {
  readonly name: string;
  readonly package: Package;
  /** What the descriptor says; undefined for a bare disk image. */
  readonly system: VirtualSystem | undefined;
  readonly hardware: EffectiveHardware | undefined;
  /** In the order of their controllers, blank ones included. */
  readonly disks: readonly MachineDisk[];
  readonly media: readonly Medium[];
  readonly stack: StorageStack;
}

/** The files of a machine. */
export interface Guest extends MountedMachine {
  readonly root: GuestMount;
}

/**
 * Opens one machine of a package down to its file systems, whose own failures stay in the stack. Throws UsageError where the
 * package holds several machines and none is named, and what the disks and the descriptor throw.
 */
export async function openMachine(
  pkg: Package,
  options: MachineOptions,
  ctx: Context,
  formats?: StackFormats,
): Promise<Machine> {
  const { envelope } = pkg;
  const described = envelope && describedMachine(envelope, options, ctx);
  const opened: Omit<MachineDisk, "device">[] = [];
  const media: Medium[] = [];
  const dispose = async () => {
    for (const { disk } of opened.splice(0)) await disk[Symbol.asyncDispose]();
  };
  try {
    if (described === undefined) opened.push(await bareDisk(pkg, options, ctx));
    for (const drive of inOrder(described?.hardware)) {
      ctx.signal.throwIfAborted();
      const member = drive.file && pkg.membersOf(drive.file)[0];
      if (drive.kind !== "disk" || member?.role === "iso") {
        if (drive.file !== undefined) media.push({ drive, member });
      } else {
        opened.push({ disk: await openDrive(pkg, drive, member, ctx), drive, member });
      }
    }
    const stack = await openStack(
      opened.map(({ disk }) => disk),
      ctx,
      formats,
    );
    const disks = stack.disks.map(({ device }, index) => ({ ...(opened[index] as MachineDisk), device }));
    for (const { device, drive, member } of disks) {
      if (member === undefined && drive !== undefined) ctx.diagnostic(diskBlank(device, drive.disk?.id ?? ""));
    }
    const name = described?.system.name ?? described?.system.id ?? pkg.name;
    const { system, hardware } = described ?? {};
    return {
      name,
      package: pkg,
      system,
      hardware,
      disks,
      media,
      stack,
      async [Symbol.asyncDispose]() {
        await stack[Symbol.asyncDispose]();
        await dispose();
      },
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** Finds the root of a machine and mounts what belongs to it. Throws as `findRoot` and `mountMachine` do. Borrows the machine. */
export async function openGuest({ stack }: Pick<Machine, "stack">, options: RootOptions, ctx: Context): Promise<Guest> {
  const root = await findRoot(stack, options, ctx);
  return { root, ...(await mountMachine(stack, root, ctx)) };
}

function describedMachine(envelope: Envelope, { system: wanted, configuration }: MachineOptions, ctx: Context) {
  const { systems } = envelope;
  const names = systems.map(({ id, name }) => id ?? name ?? "");
  const [only, ...others] = systems;
  if (only === undefined) throw systemMissing(envelope.name);
  if (wanted === undefined && others.length > 0) throw systemAmbiguous(names);
  const system =
    wanted === undefined
      ? only
      : (systems.find(({ id }) => id === wanted) ?? systems.find(({ name }) => name === wanted));
  if (system === undefined) throw systemUnknown(wanted ?? "", names);
  return { system, hardware: hardwareFor(envelope, system, configuration, ctx) };
}

/**
 * Drives as the machine meets them: controllers of one kind by their bus, the kinds in the order of the descriptor; then by
 * the place on the controller. What hangs nowhere comes last.
 */
function inOrder(hardware: EffectiveHardware | undefined): readonly Drive[] {
  if (hardware === undefined) return [];
  const { controllers, drives } = hardware;
  const kinds = controllers.map(({ kind }) => kind);
  const key = ({ controller, unit }: Drive): readonly number[] => {
    if (controller === undefined) return [kinds.length, 0, 0, 0];
    return [kinds.indexOf(controller.kind), controller.bus ?? 0, controllers.indexOf(controller), unit ?? 0];
  };
  const compare = (a: readonly number[], b: readonly number[]) => a.map((n, i) => n - (b[i] ?? 0)).find((n) => n !== 0);
  return drives.toSorted((a, b) => compare(key(a), key(b)) ?? 0);
}

async function bareDisk(pkg: Package, { format }: MachineOptions, ctx: Context): Promise<Omit<MachineDisk, "device">> {
  const member = pkg.members.find(({ role }) => role === "disk");
  if (member === undefined) throw systemMissing(pkg.name);
  const source = await pkg.openMember(member);
  const resolve = (name: string) => pkg.resolve(name, member);
  const disk = await openDisk(source, { ...ctx, resolve }, format === undefined ? {} : { format });
  return { disk, drive: undefined, member };
}

async function openDrive(
  pkg: Package,
  { disk, file, capacity }: Drive,
  member: Member | undefined,
  ctx: Context,
): Promise<VirtualDisk> {
  if (file === undefined) return new BlankDisk(disk?.id ?? "blank", capacity ?? 0);
  const format = formatOf(disk?.format);
  const declared: DeclaredDisk = { ...(format && { format }), ...(capacity !== undefined && { capacity }) };
  return await openDisk(await pkg.open(file), { ...ctx, resolve: (name) => pkg.resolve(name, member) }, declared);
}

/** The disk formats that producers mean by their URIs, and by the bare words that some write. */
const FORMAT_URIS: readonly (readonly [RegExp, string])[] = [
  [/vmdk/i, "vmdk"],
  [/\bvhdx\b/i, "vhdx"],
  [/\bvhd\b|linkid=137171/i, "vhd"],
  [/\bvdi\b/i, "vdi"],
  [/qcow2?\b/i, "qcow2"],
  [/\braw\b/i, "raw"],
];

function formatOf(uri: string | undefined): string | undefined {
  return uri === undefined ? undefined : FORMAT_URIS.find(([pattern]) => pattern.test(uri))?.[1];
}

/** A disk that the machine starts with and no file fills: zeros. */
class BlankDisk extends ZeroPadded implements VirtualDisk {
  readonly format = "blank";
  readonly variant = undefined;
  readonly sectorSize = 512;
  readonly storedBytes = 0;

  constructor(name: string, size: number) {
    super(new MemorySource(new Uint8Array(0), name), size);
  }
}
