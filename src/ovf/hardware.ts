import type { HardwareItem, HardwareSection, HostResource } from "./model.ts";
import { attribute, childNamed, childrenNamed, nonEmpty, truth, vocabularyOf } from "./names.ts";
import type { Oddities } from "./oddities.ts";
import { readSection } from "./sections.ts";
import type { XmlElement } from "./xml.ts";

/** CIM properties that HardwareItem has fields for, or that say nothing about the machine. */
const STANDARD: ReadonlySet<string> = new Set([
  "Address",
  "AddressOnParent",
  "AllocationUnits",
  "AutomaticAllocation",
  "AutomaticDeallocation",
  "Caption",
  "Config",
  "Connection",
  "ConsumerVisibility",
  "CoresPerSocket",
  "Description",
  "ElementName",
  "HostResource",
  "InstanceID",
  "InstanceId",
  "Limit",
  "MappingBehavior",
  "OtherResourceType",
  "Parent",
  "PoolID",
  "Reservation",
  "ResourceSubType",
  "ResourceType",
  "VirtualQuantity",
  "VirtualQuantityUnits",
  "Weight",
]);

/** VirtualHardwareSection with its Item (rasd), StorageItem (sasd) and EthernetPortItem (epasd) alike. */
export function readHardware(element: XmlElement, oddities: Oddities): HardwareSection {
  const system = childNamed(element, "System");
  const types = system === undefined ? [] : childrenNamed(system, "VirtualSystemType", ["cim", "ovf"]);
  return {
    section: readSection(element, oddities),
    id: attribute(element, "id"),
    transports: words(attribute(element, "transport"), /\s+/),
    families: types.flatMap((type) => words(type.text, /[\s,]+/)),
    items: element.children.filter(isItem).map((item) => readItem(item, oddities)),
    config: readConfig(element, "Config"),
    extraConfig: readConfig(element, "ExtraConfig"),
  };
}

function isItem(element: XmlElement): boolean {
  const named = ["Item", "StorageItem", "EthernetPortItem"].includes(element.local);
  return named && ["ovf", "none"].includes(vocabularyOf(element));
}

function words(text: string | undefined, separator: RegExp): readonly string[] {
  return (text ?? "").split(separator).filter((word) => word !== "");
}

function readConfig(element: XmlElement, local: string): ReadonlyMap<string, string> {
  const config = new Map<string, string>();
  for (const entry of childrenNamed(element, local, ["vmware"])) {
    const key = attribute(entry, "key", "vmware");
    if (key !== undefined) config.set(key, attribute(entry, "value", "vmware") ?? "");
  }
  return config;
}

/** The CIM properties of an item: those in no or the wrong (OVF) namespace count too, as they do for VirtualBox. */
class Properties {
  readonly #values = new Map<string, string[]>();
  readonly extra = new Map<string, string>();

  constructor(item: XmlElement) {
    for (const child of item.children) {
      const text = child.text.trim();
      const cim = ["cim", "ovf", "none"].includes(vocabularyOf(child));
      if (cim && STANDARD.has(child.local)) this.#add(child.local === "InstanceId" ? "InstanceID" : child.local, text);
      else if (child.children.length === 0 && !STANDARD.has(child.local)) this.extra.set(child.local, text);
    }
  }

  #add(local: string, text: string): void {
    if (text === "") return;
    const values = this.#values.get(local);
    if (values === undefined) this.#values.set(local, [text]);
    else values.push(text);
  }

  first(local: string): string | undefined {
    return this.#values.get(local)?.[0];
  }

  all(local: string): readonly string[] {
    return this.#values.get(local) ?? [];
  }
}

function readItem(element: XmlElement, oddities: Oddities): HardwareItem {
  const properties = new Properties(element);
  const count = (local: string) => oddities.count(properties.first(local), local, element.span);
  const cores = childNamed(element, "CoresPerSocket", ["vmware"])?.text;
  return {
    instanceId: properties.first("InstanceID"),
    elementName: properties.first("ElementName"),
    caption: properties.first("Caption"),
    description: properties.first("Description"),
    resourceType: count("ResourceType") ?? 0,
    resourceSubTypes: properties.all("ResourceSubType").flatMap((text) => subTypes(text)),
    parent: properties.first("Parent"),
    address: properties.first("Address"),
    addressOnParent: properties.first("AddressOnParent"),
    connections: properties.all("Connection"),
    hostResources: properties.all("HostResource").map(parseHostResource),
    virtualQuantity: count("VirtualQuantity"),
    allocationUnits: properties.first("AllocationUnits"),
    reservation: count("Reservation"),
    limit: count("Limit"),
    automaticAllocation: truth(properties.first("AutomaticAllocation"), true),
    configurations: words(attribute(element, "configuration"), /\s+/),
    bound: boundOf(attribute(element, "bound")),
    required: truth(attribute(element, "required"), true),
    coresPerSocket: oddities.count(cores, "CoresPerSocket", element.span),
    config: readConfig(element, "Config"),
    extra: properties.extra,
    span: element.span,
  };
}

/** "VMXNET3 virtio" and "buslogic,lsilogic" are alternatives; XenServer's "Virtual Hard Disk Image" is one name. */
function subTypes(text: string): readonly string[] {
  return /^[A-Z][a-z]+ [A-Z]/.test(text) ? [text] : words(text, /[\s,]+/);
}

function boundOf(text: string | undefined): HardwareItem["bound"] {
  const bound = nonEmpty(text?.trim().toLowerCase());
  return bound === "min" || bound === "max" ? bound : "normal";
}

/** "ovf:/disk/ID", "ovf://disk/ID", "/disk/ID" and the same with "file"; all else is kept as it is. */
export function parseHostResource(text: string): HostResource {
  const [, kind, id] = /^(?:ovf:)?\/{0,2}(disk|file)\/(.+)$/s.exec(text) ?? [];
  return id !== undefined && (kind === "disk" || kind === "file") ? { kind, id } : { kind: "other", id: text };
}
