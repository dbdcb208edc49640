import type { NicModel, ProductDescription } from "../../src/ovf/appliance.ts";
import type { OperatingSystem, Product } from "../../src/ovf/model.ts";
import type { RecordedHardware } from "../guest/hardware-label.ts";
import type { Machine } from "../machine/machine.ts";

/** What the descriptor says of a machine, for the label that brings it back; nothing for a bare disk. */
export function recordedHardware({ system, hardware }: Machine): RecordedHardware {
  if (system === undefined || hardware === undefined) return {};
  const { cpus, coresPerSocket, memory, firmware, drives, networkAdapters, section } = hardware;
  const bus = drives.find(({ kind }) => kind === "disk")?.controller?.kind;
  const eulas = system.eulas.map(({ value }) => value).filter((text) => text !== "");
  const annotation = system.annotations.map(({ value }) => value).join("\n");
  const transports = section?.transports ?? [];
  return present({
    operatingSystem: system.operatingSystem && operatingSystemOf(system.operatingSystem),
    cpus,
    coresPerSocket,
    memory,
    firmware: firmware === "efi" ? ("uefi" as const) : firmware,
    diskBus: bus === "virtio-scsi" ? ("virtio" as const) : bus === "other" ? undefined : bus,
    nics: networkAdapters.map(({ subType, connections }) => ({
      model: nicModel(subType),
      network: connections[0] ?? "NAT",
    })),
    products: system.products.map(productOf),
    eulas: eulas.length === 0 ? undefined : eulas,
    annotation: annotation === "" ? undefined : annotation,
    transports: transports.length === 0 ? undefined : transports,
  });
}

/** As producers spell them; E1000 is what every importer has. */
const NICS: readonly (readonly [RegExp, NicModel])[] = [
  [/e1000e/i, "e1000e"],
  [/vmxnet3/i, "vmxnet3"],
  [/pcnet|am79/i, "pcnet"],
  [/virtio|^3$/i, "virtio"],
];

function nicModel(subType: string | undefined): NicModel {
  return NICS.find(([pattern]) => pattern.test(subType ?? ""))?.[1] ?? "e1000";
}

function operatingSystemOf({ id, version, description, vmwareType, virtualBoxType }: OperatingSystem) {
  if (id === undefined || !/^\d{1,5}$/.test(id)) return undefined;
  return { id: Number(id), description: description ?? "", ...present({ version, vmwareType, virtualBoxType }) };
}

function productOf({ product, vendor, properties, span: _, ...texts }: Product): ProductDescription {
  return {
    ...present({ ...texts, product: product?.value, vendor: vendor?.value }),
    properties: properties.map(
      ({ key, type, qualifiers, value, userConfigurable, password, category, label, description }) => ({
        key,
        ...present({ type, qualifiers, value }),
        ...(userConfigurable && { userConfigurable }),
        ...(password && { password }),
        ...present({ category: category?.value, label: label?.value, description: description?.value }),
      }),
    ),
  };
}

function present<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;
}
