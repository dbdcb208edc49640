import type { ApplianceDescription, Dialect, DiskBus, NicModel, SystemDescription } from "./appliance.ts";
import { busUnsupported, nicUnsupported, tooManyDisks } from "./errors.ts";
import { element, type Markup } from "./markup.ts";

const MIB = 2 ** 20;

/** A controller as CIM_ResourceAllocationSettingData and both products name it. */
interface ControllerModel {
  readonly resourceType: 5 | 6 | 20;
  readonly title: string;
  /** Of its ResourceSubType, by dialect; a dialect without one cannot have it. */
  readonly subTypes: Partial<Readonly<Record<Dialect, string>>>;
  readonly units: number;
  /** The host adapter's own place, which no disk may take. */
  readonly reserved?: number;
  /** How many of its kind every importer makes. */
  readonly controllers: number;
}

/**
 * What the importers take (measured in VirtualBox's and govmomi's sources). VirtualBox makes two IDE controllers and one of
 * each other kind; of IDE, VMware has two places on each.
 */
const CONTROLLERS: Readonly<Record<DiskBus, ControllerModel>> = {
  sata: {
    resourceType: 20,
    title: "SATA Controller",
    subTypes: { portable: "vmware.sata.ahci", vmware: "vmware.sata.ahci", virtualbox: "AHCI" },
    units: 30,
    controllers: 1,
  },
  scsi: {
    resourceType: 6,
    title: "SCSI Controller",
    subTypes: { portable: "lsilogic", vmware: "VirtualSCSI", virtualbox: "lsilogic" },
    units: 16,
    reserved: 7,
    controllers: 1,
  },
  ide: {
    resourceType: 5,
    title: "IDE Controller",
    subTypes: { portable: "PIIX4", vmware: "PIIX4", virtualbox: "PIIX4" },
    units: 2,
    controllers: 2,
  },
  nvme: {
    resourceType: 20,
    title: "NVMe Controller",
    subTypes: { portable: "vmware.nvme.controller", vmware: "vmware.nvme.controller", virtualbox: "NVMe" },
    units: 15,
    controllers: 1,
  },
  virtio: {
    resourceType: 20,
    title: "Virtio SCSI Controller",
    subTypes: { virtualbox: "VirtioSCSI" },
    units: 30,
    controllers: 1,
  },
};

/** ResourceSubType by dialect. A model that VirtualBox does not know becomes the default of its guest type there. */
const NICS: Readonly<Record<NicModel, Partial<Readonly<Record<Dialect, string>>>>> = {
  e1000: { portable: "E1000", vmware: "E1000", virtualbox: "E1000" },
  e1000e: { portable: "E1000e", vmware: "E1000e" },
  vmxnet3: { portable: "VmxNet3", vmware: "VmxNet3" },
  pcnet: { portable: "PCNet32", vmware: "PCNet32", virtualbox: "PCNet32" },
  virtio: { virtualbox: "virtio-net" },
};

/** VMware's own first place for an adapter. */
const FIRST_NIC_ADDRESS = 7;

/** The place of a disk: its controller, from 0, and the unit on that. */
export interface DiskPlace {
  readonly controller: number;
  readonly unit: number;
}

/** Whether the hypervisors of a dialect have disks on this bus. */
export function busIn(bus: DiskBus, dialect: Dialect): boolean {
  return CONTROLLERS[bus].subTypes[dialect] !== undefined;
}

/** Whether the hypervisors of a dialect have network adapters of this model. */
export function nicIn(model: NicModel, dialect: Dialect): boolean {
  return NICS[model][dialect] !== undefined;
}

/** Where the disks of a system hang. Throws UnsupportedError OVF_DISKS_TOO_MANY. */
export function diskPlaces({ diskBus, disks }: Pick<SystemDescription, "diskBus" | "disks">): readonly DiskPlace[] {
  const { units, reserved, controllers } = CONTROLLERS[diskBus];
  const free = Array.from({ length: units }, (_, unit) => unit).filter((unit) => unit !== reserved);
  const most = free.length * controllers;
  if (disks.length > most) throw tooManyDisks(disks.length, diskBus, most);
  return disks.map((_, index) => ({
    controller: Math.floor(index / free.length),
    unit: free[index % free.length] as number,
  }));
}

/**
 * VirtualHardwareSection of one system. `firstDisk` is the number of its first disk in the appliance, from 0. The CIM
 * properties stand in the order of the alphabet, as the schema and VMware require. Throws UnsupportedError OVF_BUS, OVF_NIC.
 */
export function hardwareSection(
  system: SystemDescription,
  firstDisk: number,
  { dialect }: ApplianceDescription,
): Markup {
  const { transports = [], firmware, id } = system;
  const items = hardwareItems(system, firstDisk, dialect);
  const attributes = transports.length === 0 ? {} : { "ovf:transport": transports.join(" ") };
  return element("VirtualHardwareSection", attributes, [
    element("Info", {}, "Virtual hardware requirements"),
    element("System", {}, [
      element("vssd:ElementName", {}, "Virtual Hardware Family"),
      element("vssd:InstanceID", {}, 0),
      element("vssd:VirtualSystemIdentifier", {}, id),
      element("vssd:VirtualSystemType", {}, dialect === "virtualbox" ? "virtualbox-2.2" : "vmx-13"),
    ]),
    ...items,
    dialect === "virtualbox"
      ? undefined
      : element("vmw:Config", {
          "ovf:required": "false",
          "vmw:key": "firmware",
          "vmw:value": firmware === "uefi" ? "efi" : "bios",
        }),
  ]);
}

function hardwareItems(system: SystemDescription, firstDisk: number, dialect: Dialect): Markup[] {
  const { cpus, coresPerSocket, memory, diskBus, nics } = system;
  const model = CONTROLLERS[diskBus];
  const subType = model.subTypes[dialect];
  if (subType === undefined) throw busUnsupported(diskBus, dialect);
  const places = diskPlaces(system);
  const controllers = Math.max(1, ...places.map(({ controller }) => controller + 1));
  const firstController = 3;
  const mib = memory / MIB;
  return [
    item(
      1,
      3,
      `${cpus} virtual CPU(s)`,
      {
        AllocationUnits: "hertz * 10^6",
        Description: "Number of Virtual CPUs",
        VirtualQuantity: cpus,
      },
      dialect === "virtualbox" ? undefined : coresPerSocket,
    ),
    item(2, 4, `${mib}MB of memory`, {
      AllocationUnits: "byte * 2^20",
      Description: "Memory Size",
      VirtualQuantity: mib,
    }),
    ...Array.from({ length: controllers }, (_, index) =>
      item(firstController + index, model.resourceType, `${diskBus}Controller${index}`, {
        Address: index,
        Description: model.title,
        ResourceSubType: subType,
      }),
    ),
    ...places.map(({ controller, unit }, index) =>
      item(firstController + controllers + index, 17, `disk${index + 1}`, {
        AddressOnParent: unit,
        Description: "Disk Image",
        HostResource: `ovf:/disk/${diskId(firstDisk + index)}`,
        Parent: firstController + controller,
      }),
    ),
    ...nics.map(({ model: nic, network }, index) => {
      const nicType = NICS[nic][dialect];
      if (nicType === undefined) throw nicUnsupported(nic, dialect);
      return item(firstController + controllers + places.length + index, 10, `ethernet${index}`, {
        AddressOnParent: FIRST_NIC_ADDRESS + index,
        AutomaticAllocation: "true",
        Connection: network,
        Description: `${nicType} ethernet adapter`,
        ResourceSubType: nicType,
      });
    }),
  ];
}

/** Of the disk with this number in the appliance, from 0. */
export function diskId(index: number): string {
  return `vmdisk${index + 1}`;
}

/** ElementName is the caption too: old importers want both. */
function item(
  instance: number,
  resourceType: number,
  name: string,
  properties: Readonly<Record<string, string | number>>,
  coresPerSocket?: number,
): Markup {
  const all = { ...properties, Caption: name, ElementName: name, InstanceID: instance, ResourceType: resourceType };
  const sorted = Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1));
  return element("Item", {}, [
    ...sorted.map(([property, value]) => element(`rasd:${property}`, {}, value)),
    coresPerSocket === undefined
      ? undefined
      : element("vmw:CoresPerSocket", { "ovf:required": "false" }, coresPerSocket),
  ]);
}
