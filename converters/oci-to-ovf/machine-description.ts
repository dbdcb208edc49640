import type { Context } from "../../src/context.ts";
import type {
  Dialect,
  DiskBus,
  DiskDescription,
  NicDescription,
  NicModel,
  SystemDescription,
} from "../../src/ovf/appliance.ts";
import { busIn, nicIn } from "../../src/ovf/hardware-writer.ts";
import { decodeHardware } from "../guest/hardware-label.ts";
import { LABEL_PREFIX } from "../guest/labels.ts";
import { hardwareReplaced } from "./errors.ts";
import { operatingSystemFor, type SystemKind } from "./operating-systems.ts";

/** What a machine is to have, by the names of the command line. What is not given comes from the image's labels. */
export interface MachineTraits {
  readonly cpus?: number;
  /** Bytes; rounded up to 4 MiB, as VMware wants it. */
  readonly memory?: number;
  /** None at all with an empty list. */
  readonly nics?: readonly NicDescription[];
  readonly diskBus?: DiskBus;
  readonly firmware?: "bios" | "uefi";
}

/** What is known of a machine that is to be described. */
export interface DescribedMachine {
  readonly id: string;
  readonly name: string;
  readonly description?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly os?: SystemKind;
}

const MEMORY_STEP = 4 << 20;
const DEFAULT_MEMORY = 1 << 30;

/**
 * A machine as its options say, else as the image's labels remember it, else one processor, 1 GiB, SATA and one E1000: what
 * VirtualBox, VMware and QEMU all have drivers for. Hardware that is only remembered and that the dialect lacks is replaced,
 * which is told; what was asked for stays, and the descriptor's writer refuses it.
 */
export function describeMachine(
  machine: DescribedMachine,
  disks: readonly DiskDescription[],
  traits: MachineTraits,
  dialect: Dialect,
  ctx: Context,
): SystemDescription {
  const { id, name, description, labels } = machine;
  const recorded = decodeHardware(labels, name, ctx);
  const { products = [], eulas = [], transports, coresPerSocket } = recorded;
  const cpus = traits.cpus ?? recorded.cpus ?? 1;
  const annotation = recorded.annotation ?? description;
  const memory = traits.memory ?? recorded.memory ?? DEFAULT_MEMORY;
  return {
    id,
    name,
    operatingSystem: recorded.operatingSystem ?? operatingSystemFor(machine.os ?? labelledSystem(labels)),
    cpus,
    ...(coresPerSocket !== undefined && cpus % coresPerSocket === 0 && { coresPerSocket }),
    memory: Math.ceil(memory / MEMORY_STEP) * MEMORY_STEP,
    firmware: traits.firmware ?? recorded.firmware ?? "bios",
    diskBus: traits.diskBus ?? replaced(recorded.diskBus, "sata", busIn, dialect, name, ctx) ?? "sata",
    disks,
    nics: traits.nics ??
      recorded.nics?.map(({ model, network }) => ({
        model: replaced<NicModel>(model, "e1000", nicIn, dialect, name, ctx) ?? model,
        network,
      })) ?? [{ model: "e1000", network: "NAT" }],
    products,
    eulas,
    ...(annotation !== undefined && { annotation }),
    ...(transports !== undefined && { transports }),
  };
}

/** What was recorded, or its stand-in where the dialect has no such thing. */
function replaced<T extends string>(
  recorded: T | undefined,
  standIn: T,
  exists: (what: T, dialect: Dialect) => boolean,
  dialect: Dialect,
  name: string,
  ctx: Context,
): T | undefined {
  if (recorded === undefined || exists(recorded, dialect)) return recorded;
  ctx.diagnostic(hardwareReplaced(recorded, standIn, dialect, name));
  return standIn;
}

/** The labels that an image of ours has of the system in it. */
function labelledSystem(labels: Readonly<Record<string, string>> = {}): SystemKind {
  const id = labels[`${LABEL_PREFIX}os.id`];
  const version = labels[`${LABEL_PREFIX}os.version`];
  return { ...(id !== undefined && { id }), ...(version !== undefined && { version }) };
}
