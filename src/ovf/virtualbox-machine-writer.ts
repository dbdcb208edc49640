import type { DiskBus, NicModel, SystemDescription } from "./appliance.ts";
import { diskPlaces } from "./hardware-writer.ts";
import { element, type Markup } from "./markup.ts";

const MIB = 2 ** 20;

/** StorageController/@type, and how many places one has. */
const CONTROLLERS: Readonly<Record<DiskBus, { readonly type: string; readonly ports: (disks: number) => number }>> = {
  sata: { type: "AHCI", ports: (disks) => Math.max(1, disks) },
  scsi: { type: "LsiLogic", ports: () => 16 },
  ide: { type: "PIIX4", ports: () => 2 },
  nvme: { type: "NVMe", ports: (disks) => Math.max(1, disks) },
  virtio: { type: "VirtioSCSI", ports: (disks) => Math.max(1, disks) },
};

/** Adapter/@type; VirtualBox has no vmxnet3 and no e1000e. */
const ADAPTERS: Readonly<Record<NicModel, string>> = {
  e1000: "82540EM",
  e1000e: "82540EM",
  vmxnet3: "virtio",
  pcnet: "Am79C973",
  virtio: "virtio",
};

/**
 * VirtualBox's own settings of a machine, the only place where it reads that the firmware is EFI. When it finds them it reads
 * no hardware items, so everything stands here again. Settings 1.16 are those of VirtualBox 5.1; Virtio SCSI needs 1.18.
 */
export function virtualBoxMachine(system: SystemDescription, uuid: string): Markup {
  const { name, operatingSystem, cpus, memory, firmware, diskBus, nics } = system;
  return element(
    "vbox:Machine",
    {
      "ovf:required": "false",
      version: diskBus === "virtio" ? "1.18-linux" : "1.16-linux",
      uuid: `{${uuid}}`,
      name,
      OSType: operatingSystem.virtualBoxType ?? "Linux26_64",
    },
    [
      element("Info", {}, "Complete VirtualBox machine configuration in VirtualBox format"),
      element("Hardware", {}, [
        element("CPU", { count: cpus }, [
          element("PAE", { enabled: "true" }),
          element("LongMode", { enabled: "true" }),
        ]),
        element("Memory", { RAMSize: memory / MIB }),
        firmware === "uefi" ? element("Firmware", { type: "EFI" }) : undefined,
        element("Boot", {}, [element("Order", { position: 1, device: "HardDisk" })]),
        element("Display", { VRAMSize: 16 }),
        element("BIOS", {}, [element("IOAPIC", { enabled: "true" })]),
        element("Network", {}, nics.map(adapter)),
        element("RTC", { localOrUTC: "UTC" }),
      ]),
      element("StorageControllers", {}, [storageController(system)]),
    ],
  );
}

function adapter({ model, network }: SystemDescription["nics"][number], slot: number): Markup {
  // The other kinds need the name of a host's interface, which nobody knows here.
  const attachment = /^bridged/i.test(network) ? "BridgedInterface" : "NAT";
  return element("Adapter", { slot, enabled: "true", type: ADAPTERS[model] }, [element(attachment)]);
}

function storageController(system: SystemDescription): Markup {
  const { diskBus, disks } = system;
  const { type, ports } = CONTROLLERS[diskBus];
  const places = diskPlaces(system);
  const devices = disks.map(({ uuid }, index) => {
    const { controller, unit } = places[index] as (typeof places)[number];
    // On IDE a port is a channel, and a channel has two devices.
    const place = diskBus === "ide" ? { port: controller, device: unit } : { port: unit, device: 0 };
    return element("AttachedDevice", { type: "HardDisk", hotpluggable: "false", ...place }, [
      element("Image", { uuid: `{${uuid}}` }),
    ]);
  });
  const highest = Math.max(disks.length, ...places.map(({ unit }) => unit + 1));
  return element(
    "StorageController",
    { name: diskBus.toUpperCase(), type, PortCount: ports(highest), useHostIOCache: "false", Bootable: "true" },
    devices,
  );
}
