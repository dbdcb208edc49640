import type { Context } from "../context.ts";
import { bytesOf } from "./disks.ts";
import { EnvelopeIndex } from "./envelope-index.ts";
import { configurationUnknown } from "./errors.ts";
import { parseHostResource } from "./hardware.ts";
import type { Disk, Envelope, FileReference, HardwareItem, HardwareSection, Network, VirtualSystem } from "./model.ts";
import { Oddities } from "./oddities.ts";
import { References } from "./references.ts";

/** CIM_ResourceAllocationSettingData.ResourceType. */
const RESOURCE = {
  CPU: 3,
  MEMORY: 4,
  IDE: 5,
  SCSI: 6,
  ETHERNET: 10,
  FLOPPY: 14,
  CD: 15,
  DVD: 16,
  DISK: 17,
  STORAGE_EXTENT: 19,
  OTHER_STORAGE: 20,
  LOGICAL_DISK: 31,
} as const;

const DRIVES: ReadonlyMap<number, Drive["kind"]> = new Map([
  [RESOURCE.FLOPPY, "floppy"],
  [RESOURCE.CD, "cd"],
  [RESOURCE.DVD, "cd"],
  [RESOURCE.DISK, "disk"],
  // XenServer calls its disks so, and the examples of OVF 2 theirs.
  [RESOURCE.STORAGE_EXTENT, "disk"],
  [RESOURCE.LOGICAL_DISK, "disk"],
]);

export interface Controller {
  readonly kind: "ide" | "scsi" | "sata" | "nvme" | "virtio-scsi" | "other";
  /** The preferred model, as written. */
  readonly subType: string | undefined;
  /** Which of its kind it is. */
  readonly bus: number | undefined;
  readonly item: HardwareItem;
}

export interface Drive {
  readonly kind: "disk" | "cd" | "floppy";
  readonly controller: Controller | undefined;
  /** The place on the controller. */
  readonly unit: number | undefined;
  /** What is in it; an empty drive has neither disk nor file. */
  readonly disk: Disk | undefined;
  readonly file: FileReference | undefined;
  /** Bytes, resolved from a property where the disk says so; undefined where only the file can tell. */
  readonly capacity: number | undefined;
  readonly item: HardwareItem;
}

export interface NetworkAdapter {
  /** The preferred model, as written. */
  readonly subType: string | undefined;
  /** Names of networks; `networks` are those of them that the descriptor describes. */
  readonly connections: readonly string[];
  readonly networks: readonly Network[];
  /** As written, when the descriptor fixes it. */
  readonly mac: string | undefined;
  readonly item: HardwareItem;
}

/** The machine that one configuration of a virtual system describes. */
export interface EffectiveHardware {
  readonly configuration: string | undefined;
  /** Of several hardware sections the chosen one. */
  readonly section: HardwareSection | undefined;
  readonly cpus: number | undefined;
  readonly coresPerSocket: number | undefined;
  /** Bytes. */
  readonly memory: number | undefined;
  readonly controllers: readonly Controller[];
  readonly drives: readonly Drive[];
  readonly networkAdapters: readonly NetworkAdapter[];
  /** Undefined where nothing says so: then it is a BIOS for VMware and VirtualBox. */
  readonly firmware: "bios" | "efi" | undefined;
  readonly secureBoot: boolean;
  readonly nvram: FileReference | undefined;
  /** Items of every other kind. */
  readonly others: readonly HardwareItem[];
}

/**
 * The hardware of a system in one configuration: the one asked for, else the default, else the first.
 * @throws NotFoundError OVF_CONFIGURATION_UNKNOWN; CorruptError OVF_DANGLING_REFERENCE, OVF_AMBIGUOUS_REFERENCE or
 * OVF_CAPACITY_MISSING when a disk drive of this configuration has nothing that could be in it
 */
export function hardwareFor(
  envelope: Envelope,
  system: VirtualSystem,
  configuration: string | undefined,
  ctx: Context,
): EffectiveHardware {
  const oddities = new Oddities(envelope.name, ctx);
  const chosen = chooseConfiguration(envelope, configuration);
  const section = chooseSection(system, oddities);
  const items = effectiveItems(section?.items ?? [], chosen);
  const controllers = items.flatMap((item) => readController(item) ?? []);
  const byInstance = new Map(
    controllers
      .toReversed()
      .flatMap((each) => (each.item.instanceId === undefined ? [] : [[each.item.instanceId, each]])),
  );
  const index = EnvelopeIndex.of(envelope);
  const references = new References(index, oddities);
  /** The capacity of a disk that leaves it to a property: "${scratch_space_size}". */
  const propertyCapacity = ({ capacityProperty, capacityUnits }: Disk) => {
    if (capacityProperty === undefined) return undefined;
    return bytesOf(index.propertyValue(system, capacityProperty, chosen) ?? "", capacityUnits ?? "byte");
  };
  const drives = items.flatMap((item) => {
    const kind = DRIVES.get(item.resourceType);
    if (kind === undefined) return [];
    return [readDrive(kind, item, byInstance, references, propertyCapacity, oddities)];
  });
  const cpu = single(items, RESOURCE.CPU, "processor", oddities);
  const used = new Set([...controllers, ...drives].map(({ item }) => item));
  const plain: readonly number[] = [RESOURCE.CPU, RESOURCE.MEMORY, RESOURCE.ETHERNET];
  return {
    configuration: chosen,
    section,
    cpus: processors(cpu) ?? system.virtualBox?.cpus,
    coresPerSocket: cpu?.coresPerSocket,
    memory: readMemory(single(items, RESOURCE.MEMORY, "memory", oddities), oddities) ?? system.virtualBox?.memory,
    controllers,
    drives,
    networkAdapters: items
      .filter((item) => item.resourceType === RESOURCE.ETHERNET)
      .map((item) => readAdapter(item, index.networks)),
    firmware: firmwareOf(system, section),
    secureBoot: secureBootOf(system, section),
    nvram: nvramOf(section, references),
    others: items.filter((item) => !used.has(item) && !plain.includes(item.resourceType)),
  };
}

function chooseConfiguration(envelope: Envelope, wanted: string | undefined): string | undefined {
  const { configurations } = envelope;
  if (wanted === undefined) return (configurations.find((option) => option.default) ?? configurations[0])?.id;
  if (configurations.some(({ id }) => id === wanted)) return wanted;
  const offered = configurations.map(({ id }) => id);
  throw configurationUnknown(wanted, offered, { file: envelope.name });
}

/** Sections are alternatives for different hypervisors: those of VMware and VirtualBox are understood best. */
function chooseSection(system: VirtualSystem, oddities: Oddities): HardwareSection | undefined {
  const { hardware } = system;
  const preferred = hardware.find(({ families }) => families.some((family) => /^(vmx|virtualbox)-/i.test(family)));
  const section = preferred ?? hardware[0];
  if (section !== undefined && hardware.length > 1) {
    const family = section.families.join(" ");
    const message = `of ${hardware.length} hardware sections that for ${JSON.stringify(family)} is used`;
    oddities.inform("OVF_HARDWARE_CHOSEN", message, section.section.span);
  }
  return section;
}

/**
 * The items of one configuration (DSP0243 8.3, 9.8). Items that share an InstanceID, or are about processors or memory,
 * are variants of one thing: the one that names fewest configurations wins; of bounds the normal one, else min, else max.
 */
function effectiveItems(items: readonly HardwareItem[], configuration: string | undefined): readonly HardwareItem[] {
  const variants = new Map<string, HardwareItem[]>();
  for (const item of items) {
    if (item.configurations.length > 0 && !item.configurations.includes(configuration ?? "")) continue;
    const single = item.resourceType === RESOURCE.CPU || item.resourceType === RESOURCE.MEMORY;
    const key = `${item.resourceType} ${single ? "" : (item.instanceId ?? `at ${item.span.start}`)}`;
    const group = variants.get(key);
    if (group === undefined) variants.set(key, [item]);
    else group.push(item);
  }
  const kept = new Set([...variants.values()].flatMap(bestVariants));
  return items.filter((item) => kept.has(item));
}

function bestVariants(group: readonly HardwareItem[]): readonly HardwareItem[] {
  const specific = group.filter((item) => item.configurations.length > 0);
  const fewest = specific.reduce((least, item) => Math.min(least, item.configurations.length), Number.MAX_SAFE_INTEGER);
  const pool = specific.length === 0 ? group : specific.filter((item) => item.configurations.length === fewest);
  const normal = pool.filter((item) => item.bound === "normal");
  if (normal.length > 0) return normal;
  const bounded = pool.find((item) => item.bound === "min") ?? pool[0];
  return bounded === undefined ? [] : [bounded];
}

function single(
  items: readonly HardwareItem[],
  type: number,
  what: string,
  oddities: Oddities,
): HardwareItem | undefined {
  const [first, second] = items.filter((item) => item.resourceType === type);
  if (second !== undefined) {
    oddities.warn("OVF_ITEM_REPEATED", `more than one ${what} item; the first is used`, second.span);
  }
  return first;
}

function processors(item: HardwareItem | undefined): number | undefined {
  if (item === undefined) return undefined;
  const amount = item.virtualQuantity ?? item.reservation;
  if (amount !== undefined) return amount;
  // oVirt writes the topology instead of a quantity.
  const sockets = digits(item.extra.get("num_of_sockets"));
  const cores = digits(item.extra.get("cpu_per_socket")) ?? digits(item.extra.get("num_of_cores"));
  const threads = digits(item.extra.get("threads_per_cpu")) ?? 1;
  return sockets === undefined ? undefined : sockets * (cores ?? 1) * threads;
}

function readMemory(item: HardwareItem | undefined, oddities: Oddities): number | undefined {
  const amount = item?.virtualQuantity ?? item?.reservation;
  if (item === undefined || amount === undefined) return undefined;
  const units = item.allocationUnits;
  if (units === undefined) {
    oddities.warn("OVF_UNITS_UNKNOWN", "the memory has no units; megabytes are assumed", item.span);
  }
  const bytes = bytesOf(String(amount), units ?? "MegaBytes");
  if (bytes === undefined) {
    oddities.warn("OVF_UNITS_UNKNOWN", `the memory is ${amount} in ${JSON.stringify(units)}`, item.span);
  }
  return bytes;
}

function readController(item: HardwareItem): Controller | undefined {
  const kind = controllerKind(item);
  if (kind === undefined) return undefined;
  return { kind, subType: item.resourceSubTypes[0], bus: digits(item.address), item };
}

function controllerKind(item: HardwareItem): Controller["kind"] | undefined {
  if (item.resourceType === RESOURCE.IDE) return "ide";
  const model = item.resourceSubTypes.join(" ");
  if (item.resourceType === RESOURCE.SCSI) return /^virtio-?scsi/i.test(model) ? "virtio-scsi" : "scsi";
  // oVirt's graphics and VMware's NVDIMM controllers share the number of "other storage".
  if (item.resourceType !== RESOURCE.OTHER_STORAGE || item.extra.has("Type") || /nvdimm/i.test(model)) return undefined;
  if (/ahci|sata/i.test(model)) return "sata";
  if (/nvme/i.test(model)) return "nvme";
  return /virtio-?scsi/i.test(model) ? "virtio-scsi" : "other";
}

/** oVirt fills Parent with this where there is none. */
const NIL_UUID = "00000000-0000-0000-0000-000000000000";

function readDrive(
  kind: Drive["kind"],
  item: HardwareItem,
  controllers: ReadonlyMap<string, Controller>,
  references: References,
  propertyCapacity: (disk: Disk) => number | undefined,
  oddities: Oddities,
): Drive {
  const { parent } = item;
  const controller = parent === undefined ? undefined : controllers.get(parent);
  if (parent !== undefined && parent !== NIL_UUID && controller === undefined) {
    oddities.warn(
      "OVF_PARENT_MISSING",
      `a drive hangs on ${JSON.stringify(parent)}, which is no controller`,
      item.span,
    );
  }
  const { disk, file } = references.content(kind, item);
  const capacity = disk === undefined ? blankCapacity(kind, item) : (disk.capacity ?? propertyCapacity(disk));
  if (disk !== undefined) references.requireContent(disk, capacity);
  return { kind, controller, unit: digits(item.addressOnParent), disk, file: file ?? disk?.file, capacity, item };
}

/** A disk that no Disk element describes starts blank with the quantity of its item. */
function blankCapacity(kind: Drive["kind"], { virtualQuantity, allocationUnits, hostResources }: HardwareItem) {
  if (kind !== "disk" || hostResources.length > 0 || virtualQuantity === undefined) return undefined;
  return bytesOf(String(virtualQuantity), allocationUnits ?? "byte");
}

function readAdapter(item: HardwareItem, networks: ReadonlyMap<string, Network>): NetworkAdapter {
  return {
    subType: item.resourceSubTypes[0],
    connections: item.connections,
    networks: item.connections.flatMap((name) => networks.get(name) ?? []),
    mac: item.address ?? item.extra.get("MACAddress"),
    item,
  };
}

function firmwareOf(system: VirtualSystem, section: HardwareSection | undefined): EffectiveHardware["firmware"] {
  const configured = section?.config.get("firmware")?.toLowerCase();
  if (configured === "efi" || configured === "bios") return configured;
  if (system.virtualBox !== undefined) return system.virtualBox.firmware;
  if (system.ovirtBiosType === undefined || system.ovirtBiosType === 0) return undefined;
  return system.ovirtBiosType >= 3 ? "efi" : "bios";
}

function secureBootOf(system: VirtualSystem, section: HardwareSection | undefined): boolean {
  const configured = section?.config.get("bootOptions.efiSecureBootEnabled")?.toLowerCase();
  return configured === "true" || system.ovirtBiosType === 4;
}

function nvramOf(section: HardwareSection | undefined, references: References): FileReference | undefined {
  const value = section?.extraConfig.get("nvram");
  if (section === undefined || value === undefined) return undefined;
  const resource = parseHostResource(value);
  return resource.kind === "file" ? references.optionalFile(resource.id, "nvram", section.section.span) : undefined;
}

function digits(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,9}$/.test(text.trim()) ? Number(text) : undefined;
}
