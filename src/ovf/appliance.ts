/** For whom a descriptor is written. `portable` is one that VirtualBox and VMware both take. */
export const DIALECTS = ["portable", "virtualbox", "vmware"] as const;
export type Dialect = (typeof DIALECTS)[number];

/** What disks hang on. */
export const DISK_BUSES = ["sata", "scsi", "ide", "nvme", "virtio"] as const;
export type DiskBus = (typeof DISK_BUSES)[number];

/** Models of network adapters. */
export const NIC_MODELS = ["e1000", "e1000e", "vmxnet3", "pcnet", "virtio"] as const;
export type NicModel = (typeof NIC_MODELS)[number];

/** An appliance to be written: what a descriptor says of its machines, in our own words. */
export interface ApplianceDescription {
  /** Of the whole; shown only where there are several systems. */
  readonly name: string;
  readonly dialect: Dialect;
  /** At least one. */
  readonly systems: readonly SystemDescription[];
}

/** One virtual machine. */
export interface SystemDescription {
  /** Unique in the appliance: VirtualBox shows it as the machine's name. */
  readonly id: string;
  readonly name: string;
  readonly operatingSystem: OperatingSystemDescription;
  readonly cpus: number;
  /** What one processor socket holds, where that is to be told. */
  readonly coresPerSocket?: number;
  /** Bytes: whole MiB. */
  readonly memory: number;
  readonly firmware: "bios" | "uefi";
  readonly diskBus: DiskBus;
  readonly disks: readonly DiskDescription[];
  readonly nics: readonly NicDescription[];
  readonly products: readonly ProductDescription[];
  readonly eulas: readonly string[];
  readonly annotation?: string;
  /** How properties reach the guest: "com.vmware.guestInfo", "iso". */
  readonly transports?: readonly string[];
}

export interface OperatingSystemDescription {
  /** CIM_OperatingSystem.OSType. */
  readonly id: number;
  readonly version?: string;
  readonly description: string;
  readonly vmwareType?: string;
  readonly virtualBoxType?: string;
}

/** A streamOptimized VMDK beside the descriptor. */
export interface DiskDescription {
  /** The file's name: what `checkHref` takes. */
  readonly href: string;
  /** Bytes that the machine sees. */
  readonly capacity: number;
  /** Bytes of the file, once that is known. */
  readonly size?: number;
  /** Bytes that are in use. */
  readonly populated?: number;
  /** The image's UUID, by which VirtualBox's own settings name it. */
  readonly uuid: string;
}

export interface NicDescription {
  readonly model: NicModel;
  readonly network: string;
}

/** ProductSection, DSP0243 9.5. */
export interface ProductDescription {
  readonly class?: string;
  readonly instance?: string;
  readonly product?: string;
  readonly vendor?: string;
  readonly version?: string;
  readonly fullVersion?: string;
  readonly productUrl?: string;
  readonly vendorUrl?: string;
  readonly appUrl?: string;
  readonly properties: readonly PropertyDescription[];
}

export interface PropertyDescription {
  readonly key: string;
  /** `string` if absent. */
  readonly type?: string;
  readonly qualifiers?: string;
  readonly value?: string;
  readonly userConfigurable?: boolean;
  readonly password?: boolean;
  /** The heading under which it stands. */
  readonly category?: string;
  readonly label?: string;
  readonly description?: string;
}
