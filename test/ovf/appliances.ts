import fc from "fast-check";
import type {
  ApplianceDescription,
  DiskBus,
  NicModel,
  ProductDescription,
  SystemDescription,
} from "../../src/ovf/appliance.ts";

/** A machine with one disk, changed by `overrides`. */
export function system(overrides: Partial<SystemDescription> = {}): SystemDescription {
  return {
    id: "app",
    name: "app",
    operatingSystem: {
      id: 96,
      description: "Debian_64",
      vmwareType: "debian10_64Guest",
      virtualBoxType: "Debian_64",
    },
    cpus: 1,
    memory: 1 << 30,
    firmware: "bios",
    diskBus: "sata",
    disks: [
      {
        href: "app-disk1.vmdk",
        capacity: 8 * 2 ** 30,
        size: 104857600,
        populated: 314572800,
        uuid: "5f042839-c478-43d9-9eb0-fd8a902146ec",
      },
    ],
    nics: [{ model: "e1000", network: "NAT" }],
    products: [],
    eulas: [],
    annotation: "Converted from an OCI image",
    ...overrides,
  };
}

export function appliance(
  dialect: ApplianceDescription["dialect"],
  ...systems: readonly SystemDescription[]
): ApplianceDescription {
  return { name: "fleet", dialect, systems };
}

/** Text as people write it, with everything that XML has to escape. Readers trim it. */
const text = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 30 })
  .map((each) => `a${each.replace(/[\p{Cc}\p{Cs}\ufffe\uffff]/gu, "&<>\"'\t\r\n")}]]>`);

const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });

function present<T extends object>(record: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as never;
}

const property = fc
  .record({
    key: text,
    type: maybe(fc.constantFrom("string", "boolean", "uint16")),
    qualifiers: maybe(fc.constant('ValueMap{"a","b"}')),
    value: maybe(text),
    userConfigurable: maybe(fc.constant(true)),
    password: maybe(fc.constant(true)),
    category: maybe(fc.constantFrom("Network", "Users & Groups")),
    label: maybe(text),
    description: maybe(text),
  })
  .map(present);

export const products: fc.Arbitrary<ProductDescription> = fc
  .record({
    class: maybe(text),
    instance: maybe(text),
    product: maybe(text),
    vendor: maybe(text),
    version: maybe(text),
    fullVersion: maybe(text),
    productUrl: maybe(text),
    vendorUrl: maybe(text),
    appUrl: maybe(text),
    properties: fc.uniqueArray(property, { maxLength: 4, selector: ({ key }) => key }),
  })
  .map(present) as fc.Arbitrary<ProductDescription>;

const BUSES: Readonly<Record<ApplianceDescription["dialect"], readonly DiskBus[]>> = {
  portable: ["sata", "scsi", "ide", "nvme"],
  vmware: ["sata", "scsi", "ide", "nvme"],
  virtualbox: ["sata", "scsi", "ide", "nvme", "virtio"],
};
const NICS: Readonly<Record<ApplianceDescription["dialect"], readonly NicModel[]>> = {
  portable: ["e1000", "e1000e", "vmxnet3", "pcnet"],
  vmware: ["e1000", "e1000e", "vmxnet3", "pcnet"],
  virtualbox: ["e1000", "pcnet", "virtio"],
};

/** Any appliance that can be written. */
export const appliances: fc.Arbitrary<ApplianceDescription> = fc
  .constantFrom("portable" as const, "vmware" as const, "virtualbox" as const)
  .chain((dialect) => {
    const disk = fc
      .record({
        href: fc.constantFrom("disk 1.vmdk", "a%20b.vmdk", "x&y.vmdk"),
        capacity: fc.integer({ min: 1, max: 2 ** 20 }).map((mib) => mib * 2 ** 20),
        size: maybe(fc.nat()),
        populated: maybe(fc.nat()),
        uuid: fc.uuid(),
      })
      .map(present) as fc.Arbitrary<SystemDescription["disks"][number]>;
    const one = fc
      .record({
        id: text,
        name: text,
        operatingSystem: fc.constant(system().operatingSystem),
        cpus: fc.integer({ min: 1, max: 64 }),
        coresPerSocket: maybe(fc.integer({ min: 1, max: 8 })),
        memory: fc.integer({ min: 1, max: 2 ** 16 }).map((mib) => mib * 2 ** 20),
        firmware: fc.constantFrom("bios", "uefi"),
        diskBus: fc.constantFrom(...BUSES[dialect]),
        disks: fc.array(disk, { maxLength: 4 }),
        nics: fc.array(fc.record({ model: fc.constantFrom(...NICS[dialect]), network: text }), { maxLength: 3 }),
        products: fc.array(products, { maxLength: 2 }),
        eulas: fc.array(text, { maxLength: 2 }),
        annotation: maybe(text),
        transports: maybe(fc.constant(["com.vmware.guestInfo", "iso"])),
      })
      .map(present) as fc.Arbitrary<SystemDescription>;
    const systems = fc.uniqueArray(one, { minLength: 1, maxLength: 3, selector: ({ id }) => id });
    return fc.record({ name: text, dialect: fc.constant(dialect), systems });
  });
