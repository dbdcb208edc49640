import type { OperatingSystemDescription } from "../../src/ovf/appliance.ts";

/** What an image tells of the system in it. */
export interface SystemKind {
  /** ID of os-release. */
  readonly id?: string;
  /** VERSION_ID of os-release. */
  readonly version?: string;
  /** In OCI's words; amd64 if absent. */
  readonly architecture?: string;
}

interface Family {
  readonly ids: readonly string[];
  /** CIM_OperatingSystem.OSType of the 64-bit system; the 32-bit one stands before it. */
  readonly cim: number;
  /** The newest type that hardware version 13 (ESXi 6.5) knows. */
  readonly vmware: string;
  readonly virtualBox: string;
}

const LINUX: Family = { ids: [], cim: 101, vmware: "other3xLinux64Guest", virtualBox: "Linux26_64" };

const FAMILIES: readonly Family[] = [
  { ids: ["debian", "devuan", "kali", "raspbian"], cim: 96, vmware: "debian10_64Guest", virtualBox: "Debian_64" },
  { ids: ["ubuntu", "linuxmint", "pop"], cim: 94, vmware: "ubuntu64Guest", virtualBox: "Ubuntu_64" },
  { ids: ["rhel"], cim: 80, vmware: "rhel7_64Guest", virtualBox: "RedHat_64" },
  { ids: ["centos", "rocky", "almalinux"], cim: 107, vmware: "centos7_64Guest", virtualBox: "RedHat_64" },
  { ids: ["ol"], cim: 109, vmware: "oracleLinux7_64Guest", virtualBox: "Oracle_64" },
  { ids: ["sles", "sled", "sles_sap"], cim: 85, vmware: "sles12_64Guest", virtualBox: "OpenSUSE_64" },
  {
    ids: ["opensuse", "opensuse-leap", "opensuse-tumbleweed"],
    cim: 83,
    vmware: "opensuse64Guest",
    virtualBox: "OpenSUSE_64",
  },
  { ids: ["fedora"], cim: 101, vmware: "fedora64Guest", virtualBox: "Fedora_64" },
  { ids: ["arch", "archarm"], cim: 101, vmware: "other3xLinux64Guest", virtualBox: "ArchLinux_64" },
];

/** The type of a Linux system for a descriptor: the numbers of CIM and the words of VMware and VirtualBox. */
export function operatingSystemFor({ id, version, architecture = "amd64" }: SystemKind): OperatingSystemDescription {
  const family = FAMILIES.find(({ ids }) => id !== undefined && ids.includes(id)) ?? LINUX;
  const versioned = version === undefined ? {} : { version };
  if (architecture === "amd64") {
    const { cim, vmware, virtualBox } = family;
    return { id: cim, ...versioned, description: virtualBox, vmwareType: vmware, virtualBoxType: virtualBox };
  }
  if (architecture !== "386") return { id: family.cim, ...versioned, description: `Linux (${architecture})` };
  const named = family !== LINUX && family.cim !== LINUX.cim;
  return {
    id: named ? family.cim - 1 : 36,
    ...versioned,
    description: family.virtualBox.replace("_64", ""),
    vmwareType: "other3xLinuxGuest",
    virtualBoxType: family.virtualBox.replace("_64", ""),
  };
}
