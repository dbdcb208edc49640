import { uuidOf } from "../bytes/uuid.ts";
import type { ApplianceDescription, ProductDescription, PropertyDescription, SystemDescription } from "./appliance.ts";
import { diskId, hardwareSection } from "./hardware-writer.ts";
import { checkHref } from "./href.ts";
import { element, type Markup, optional, serialize } from "./markup.ts";
import { virtualBoxMachine } from "./virtualbox-machine-writer.ts";

const STREAM_OPTIMIZED = "http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized";
const CIM = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2";

/**
 * An OVF 1.x descriptor that is valid by the schemas 1.0.0 and 1.1.1 and that the importers of its dialect take; only
 * VirtualBox's settings, which a machine with UEFI needs there, are a section that the schemas do not know.
 * Throws OutputError OVF_TEXT_UNWRITABLE; UnsupportedError OVF_BUS, OVF_NIC, OVF_DISKS_TOO_MANY, OVF_HREF_UNSAFE.
 */
export function writeEnvelope(appliance: ApplianceDescription): string {
  const { systems, dialect, name } = appliance;
  const disks = systems.flatMap((system) => system.disks);
  const [only] = systems;
  if (only === undefined) throw new Error("an appliance without a machine");
  let firstDisk = 0;
  const content = systems.map((system) => {
    const markup = virtualSystem(system, firstDisk, appliance);
    firstDisk += system.disks.length;
    return markup;
  });
  return serialize(
    element("Envelope", namespaces(appliance), [
      element(
        "References",
        {},
        disks.map(({ href, size }, index) =>
          element("File", { "ovf:href": checkHref(href), "ovf:id": fileId(index), "ovf:size": size }),
        ),
      ),
      element("DiskSection", {}, [
        element("Info", {}, "Virtual disk information"),
        ...disks.map(({ capacity, populated, uuid }, index) =>
          element("Disk", {
            "ovf:capacity": capacity,
            "ovf:capacityAllocationUnits": "byte",
            "ovf:diskId": diskId(index),
            "ovf:fileRef": fileId(index),
            "ovf:format": STREAM_OPTIMIZED,
            "ovf:populatedSize": populated,
            "vbox:uuid": dialect === "vmware" ? undefined : uuid,
          }),
        ),
      ]),
      networkSection(systems),
      systems.length === 1
        ? content[0]
        : element("VirtualSystemCollection", { "ovf:id": name }, [
            element("Info", {}, "A collection of virtual machines"),
            element("Name", {}, name),
            ...content,
          ]),
    ]),
  );
}

function namespaces({ dialect }: ApplianceDescription) {
  return {
    xmlns: "http://schemas.dmtf.org/ovf/envelope/1",
    "xmlns:ovf": "http://schemas.dmtf.org/ovf/envelope/1",
    "xmlns:rasd": `${CIM}/CIM_ResourceAllocationSettingData`,
    "xmlns:vssd": `${CIM}/CIM_VirtualSystemSettingData`,
    // forklift tells by the namespaces whose appliance it is.
    "xmlns:vmw": dialect === "virtualbox" ? undefined : "http://www.vmware.com/schema/ovf",
    "xmlns:vbox": dialect === "vmware" ? undefined : "http://www.virtualbox.org/ovf/machine",
    "xml:lang": "en-US",
  };
}

function fileId(index: number): string {
  return `file${index + 1}`;
}

function networkSection(systems: readonly SystemDescription[]): Markup | undefined {
  const names = new Set(systems.flatMap(({ nics }) => nics.map(({ network }) => network)));
  if (names.size === 0) return undefined;
  return element("NetworkSection", {}, [
    element("Info", {}, "The list of logical networks"),
    ...[...names].map((name) =>
      element("Network", { "ovf:name": name }, [element("Description", {}, `The ${name} network`)]),
    ),
  ]);
}

function virtualSystem(system: SystemDescription, firstDisk: number, appliance: ApplianceDescription): Markup {
  const { id, name, eulas, products, annotation, firmware } = system;
  const { dialect } = appliance;
  return element("VirtualSystem", { "ovf:id": id }, [
    element("Info", {}, "A virtual machine"),
    element("Name", {}, name),
    operatingSystemSection(system, appliance),
    hardwareSection(system, firstDisk, appliance),
    annotation === undefined
      ? undefined
      : element("AnnotationSection", { "ovf:required": "false" }, [
          element("Info", {}, "A human-readable annotation"),
          element("Annotation", {}, annotation),
        ]),
    ...products.map(productSection),
    ...eulas.map((text) =>
      element("EulaSection", {}, [
        element("Info", {}, "License agreement of the virtual machine"),
        element("License", {}, text),
      ]),
    ),
    firmware === "uefi" && dialect !== "vmware" ? virtualBoxMachine(system, machineUuid(system)) : undefined,
  ]);
}

function operatingSystemSection({ operatingSystem }: SystemDescription, { dialect }: ApplianceDescription): Markup {
  const { id, version, description, vmwareType, virtualBoxType } = operatingSystem;
  return element(
    "OperatingSystemSection",
    { "ovf:id": id, "ovf:version": version, "vmw:osType": dialect === "virtualbox" ? undefined : vmwareType },
    [
      element("Info", {}, "The kind of installed guest operating system"),
      optional("Description", description),
      dialect === "vmware" || virtualBoxType === undefined
        ? undefined
        : element("vbox:OSType", { "ovf:required": "false" }, virtualBoxType),
    ],
  );
}

function productSection(product: ProductDescription): Markup {
  let heading: string | undefined;
  const properties = product.properties.flatMap((property) => {
    const changed = property.category !== heading;
    heading = property.category;
    return [changed ? element("Category", {}, property.category ?? "") : undefined, propertyElement(property)];
  });
  return element("ProductSection", { "ovf:class": product.class, "ovf:instance": product.instance }, [
    element("Info", {}, "Meta-information about the installed software"),
    optional("Product", product.product),
    optional("Vendor", product.vendor),
    optional("Version", product.version),
    optional("FullVersion", product.fullVersion),
    optional("ProductUrl", product.productUrl),
    optional("VendorUrl", product.vendorUrl),
    optional("AppUrl", product.appUrl),
    ...properties,
  ]);
}

function propertyElement(property: PropertyDescription): Markup {
  const { key, type = "string", qualifiers, userConfigurable, password, value, label, description } = property;
  return element(
    "Property",
    {
      "ovf:key": key,
      "ovf:type": type,
      "ovf:qualifiers": qualifiers,
      "ovf:userConfigurable": userConfigurable === true ? "true" : undefined,
      "ovf:password": password === true ? "true" : undefined,
      "ovf:value": value,
    },
    [optional("Label", label), optional("Description", description)],
  );
}

/** The same machine gets the same number: an importer makes a new one anyway. */
function machineUuid({ id, disks }: SystemDescription): string {
  return uuidOf(["machine", id, ...disks.map(({ uuid }) => uuid)].join("\n"));
}
