import type { OperatingSystem, Product, Property, Section, StartupItem, StringBundle, Text } from "./model.ts";
import { attribute, childNamed, childrenNamed, nonEmpty, textOf, truth, vocabularyOf } from "./names.ts";
import type { Oddities } from "./oddities.ts";
import type { XmlElement } from "./xml.ts";

/** Sections whose meaning this reader models, or that cannot matter to whoever reads a package. */
const KNOWN: ReadonlySet<string> = new Set([
  "AnnotationSection",
  "DeploymentOptionSection",
  "DiskSection",
  "EulaSection",
  "InstallSection",
  "NetworkSection",
  "OperatingSystemSection",
  "ProductSection",
  "ResourceAllocationSection",
  "StartupSection",
  "VirtualHardwareSection",
]);

/** The name that OVF 1.x would give: OVF 0.9 and oVirt write `<Section xsi:type="ovf:DiskSection_Type">`. */
export function elementKind(element: XmlElement): string {
  if (element.local !== "Section" && element.local !== "Content") return element.local;
  const type = element.attributes.find(({ local, prefix }) => local === "type" && prefix !== undefined)?.value;
  return type?.replace(/^.*:/, "").replace(/_Type$/, "") ?? element.local;
}

/** The sections among the children of an envelope or entity. */
export function sectionElements(parent: XmlElement): readonly XmlElement[] {
  return parent.children.filter((child) => {
    // Bundles of translations stand beside the sections, once even with a prefix that is not declared.
    if (child.local === "Strings") return false;
    const owner = vocabularyOf(child);
    return elementKind(child).endsWith("Section") || (owner !== "ovf" && owner !== "none" && owner !== "cim");
  });
}

/** The sections of one kind; a section of the same name in another vocabulary does not count. */
export function sectionsOf(parent: XmlElement, kind: string): readonly XmlElement[] {
  return parent.children.filter((child) => elementKind(child) === kind && isOvf(child));
}

function isOvf(element: XmlElement): boolean {
  return ["ovf", "none"].includes(vocabularyOf(element));
}

/** The facts that all sections share; what is required and unknown is reported. */
export function readSection(element: XmlElement, oddities: Oddities): Section {
  const name = elementKind(element);
  const machine = element.local === "Machine" && vocabularyOf(element) === "virtualbox";
  const known = machine || (KNOWN.has(name) && isOvf(element));
  const required = truth(attribute(element, "required"), true);
  if (required && !known) {
    oddities.warn(
      "OVF_SECTION_UNKNOWN",
      `the required section ${JSON.stringify(name)} is not understood`,
      element.span,
    );
  }
  const info = readText(childNamed(element, "Info"));
  return { name, namespace: element.namespace, required, info, known, span: element.span };
}

/** A text with its message id; blanks around it are layout. */
export function readText(element: XmlElement | undefined): Text | undefined {
  if (element === undefined) return undefined;
  return { value: element.text.trim(), messageId: attribute(element, "msgid") };
}

function nonEmptyText(element: XmlElement | undefined): Text | undefined {
  const text = readText(element);
  return text?.value === "" && text.messageId === undefined ? undefined : text;
}

export function readProduct(element: XmlElement, oddities: Oddities): Product {
  const properties: Property[] = [];
  let category: Text | undefined;
  for (const child of element.children) {
    if (!isOvf(child)) continue;
    if (child.local === "Category") category = nonEmptyText(child);
    else if (child.local === "Property") {
      const property = readProperty(child, category, oddities);
      if (property !== undefined) properties.push(property);
    }
  }
  return {
    class: nonEmpty(attribute(element, "class")),
    instance: nonEmpty(attribute(element, "instance")),
    product: nonEmptyText(childNamed(element, "Product")),
    vendor: nonEmptyText(childNamed(element, "Vendor")),
    version: textOf(element, "Version"),
    fullVersion: textOf(element, "FullVersion"),
    productUrl: textOf(element, "ProductUrl"),
    vendorUrl: textOf(element, "VendorUrl"),
    appUrl: textOf(element, "AppUrl"),
    properties,
    span: element.span,
  };
}

function readProperty(element: XmlElement, category: Text | undefined, oddities: Oddities): Property | undefined {
  const key = attribute(element, "key");
  if (key === undefined) {
    oddities.warn("OVF_ELEMENT_INCOMPLETE", "a Property has no key", element.span);
    return undefined;
  }
  const valuesByConfiguration = new Map<string, string>();
  for (const value of childrenNamed(element, "Value")) {
    const configuration = attribute(value, "configuration");
    if (configuration !== undefined) valuesByConfiguration.set(configuration, attribute(value, "value") ?? "");
  }
  return {
    key,
    type: attribute(element, "type"),
    qualifiers: attribute(element, "qualifiers"),
    value: attribute(element, "value"),
    valuesByConfiguration,
    userConfigurable: truth(attribute(element, "userConfigurable"), false),
    password: truth(attribute(element, "password"), false),
    category,
    label: nonEmptyText(childNamed(element, "Label")),
    description: nonEmptyText(childNamed(element, "Description")),
  };
}

export function readOperatingSystem(element: XmlElement): OperatingSystem {
  return {
    id: attribute(element, "id"),
    version: attribute(element, "version"),
    vmwareType: attribute(element, "osType", "vmware"),
    virtualBoxType: textOf(element, "OSType", ["virtualbox"]),
    description: textOf(element, "Description"),
  };
}

export function readStartup(element: XmlElement, oddities: Oddities): readonly StartupItem[] {
  return childrenNamed(element, "Item").flatMap((item) => {
    const id = attribute(item, "id");
    if (id === undefined) {
      oddities.warn("OVF_ELEMENT_INCOMPLETE", "a startup Item has no id", item.span);
      return [];
    }
    const seconds = (local: string) => oddities.count(attribute(item, local), local, item.span);
    return [
      {
        id,
        order: seconds("order"),
        startDelay: seconds("startDelay"),
        stopDelay: seconds("stopDelay"),
        startAction: attribute(item, "startAction"),
        stopAction: attribute(item, "stopAction"),
        waitingForGuest: truth(attribute(item, "waitingForGuest"), false),
      },
    ];
  });
}

export function readStrings(element: XmlElement): StringBundle {
  const language = element.attributes.find(({ local, prefix }) => local === "lang" && prefix === "xml")?.value;
  const messages = new Map<string, string>();
  for (const message of childrenNamed(element, "Msg")) {
    const id = attribute(message, "msgid");
    if (id !== undefined) messages.set(id, message.text.trim());
  }
  return { language, fileRef: attribute(element, "fileRef"), messages };
}
