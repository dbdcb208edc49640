import type { Context } from "../context.ts";
import { readDisks, readFiles } from "./disks.ts";
import { notAnEnvelope, versionUnknown } from "./errors.ts";
import { readHardware } from "./hardware.ts";
import type {
  DeploymentOption,
  Entity,
  Envelope,
  Network,
  Producer,
  Text,
  VirtualSystem,
  VirtualSystemCollection,
} from "./model.ts";
import { attribute, childNamed, childrenNamed, nonEmpty, textOf, truth, vocabularyOf } from "./names.ts";
import { Oddities } from "./oddities.ts";
import {
  elementKind,
  readOperatingSystem,
  readProduct,
  readSection,
  readStartup,
  readStrings,
  readText,
  sectionElements,
  sectionsOf,
} from "./sections.ts";
import { readVirtualBoxMachine } from "./virtualbox-machine.ts";
import { parseXml, type XmlDocument, type XmlElement } from "./xml.ts";

/**
 * Reads an OVF descriptor of any version and producer. `name` is its file name, for messages. Oddities become
 * diagnostics; a reference that leads nowhere is one of them and an error only for `hardwareFor`, which needs it.
 * @throws CorruptError OVF_ENCODING, OVF_NOT_AN_ENVELOPE, OVF_XML_*; UnsupportedError OVF_TOO_LARGE, OVF_VERSION_UNKNOWN
 */
export function parseEnvelope(bytes: Uint8Array, name: string, ctx: Context): Envelope {
  const document = parseXml(bytes, name, ctx);
  const { root } = document;
  const oddities = new Oddities(name, ctx);
  if (root.local !== "Envelope") throw notAnEnvelope(root.local, oddities.where(root.span));
  const version = versionOf(document, oddities);
  for (const prefix of document.unbound) {
    oddities.warn("OVF_PREFIX_UNBOUND", `the prefix ${JSON.stringify(prefix)} is not declared`, root.span);
  }
  const entities = readEntities(root, oddities);
  const systems = entities.flatMap(systemsOf);
  if (systems.length === 0) oddities.warn("OVF_SYSTEM_MISSING", "there is no virtual system", root.span);
  const producer = producerOf(document, systems);
  const files = readFiles(root, oddities);
  return {
    name,
    text: document.text,
    encoding: document.encoding,
    byteOrderMark: document.byteOrderMark,
    version,
    namespace: root.namespace,
    language: root.attributes.find(({ local, prefix }) => local === "lang" && prefix === "xml")?.value,
    producer,
    files,
    disks: readDisks(root, files, producer, oddities),
    networks: sectionsOf(root, "NetworkSection").flatMap((section) => readNetworks(section, oddities)),
    configurations: sectionsOf(root, "DeploymentOptionSection").flatMap((each) => readConfigurations(each, oddities)),
    strings: root.children.filter(({ local }) => local === "Strings").map(readStrings),
    ...readShared(root, oddities),
    entities,
    systems,
  };
}

function versionOf(document: XmlDocument, oddities: Oddities): Envelope["version"] {
  const { root, declared } = document;
  // vCloud Director writes Envelope in no namespace and declares "ovf" for the attributes.
  const namespace = root.namespace ?? declared.get("ovf");
  if (namespace === undefined) return "1";
  if (vocabularyOf({ namespace, prefix: undefined, local: "" }) === "ovf") {
    if (namespace.startsWith("http://www.vmware.com/")) return "0.9";
    const digit = /\/ovf\/(?:envelope\/)?(\d+)/.exec(namespace)?.[1];
    if (digit === "1" || digit === "2") return digit;
  }
  throw versionUnknown(namespace, oddities.where(root.span));
}

function readNetworks(section: XmlElement, oddities: Oddities): readonly Network[] {
  return childrenNamed(section, "Network").flatMap((network) => {
    const name = attribute(network, "name");
    if (name !== undefined) return [{ name, description: readText(childNamed(network, "Description")) }];
    oddities.warn("OVF_ELEMENT_INCOMPLETE", "a Network has no name", network.span);
    return [];
  });
}

function readConfigurations(section: XmlElement, oddities: Oddities): readonly DeploymentOption[] {
  return childrenNamed(section, "Configuration").flatMap((option) => {
    const id = attribute(option, "id");
    if (id === undefined) {
      oddities.warn("OVF_ELEMENT_INCOMPLETE", "a Configuration has no id", option.span);
      return [];
    }
    const label = readText(childNamed(option, "Label"));
    const description = readText(childNamed(option, "Description"));
    return [{ id, label, description, default: truth(attribute(option, "default"), false) }];
  });
}

/** What an envelope, a collection and a system can all have. */
function readShared(parent: XmlElement, oddities: Oddities) {
  const texts = (kind: string, local: string): readonly Text[] =>
    sectionsOf(parent, kind).flatMap((section) => readText(childNamed(section, local)) ?? []);
  return {
    sections: sectionElements(parent).map((section) => readSection(section, oddities)),
    products: sectionsOf(parent, "ProductSection").map((section) => readProduct(section, oddities)),
    eulas: texts("EulaSection", "License"),
    annotations: texts("AnnotationSection", "Annotation"),
    startup: sectionsOf(parent, "StartupSection").flatMap((section) => readStartup(section, oddities)),
  };
}

function readEntities(parent: XmlElement, oddities: Oddities): readonly Entity[] {
  return parent.children.flatMap((child): Entity[] => {
    const kind = elementKind(child);
    if (kind === "VirtualSystem") return [readSystem(child, oddities)];
    return kind === "VirtualSystemCollection" ? [readCollection(child, oddities)] : [];
  });
}

function readIdentity(element: XmlElement) {
  return {
    id: attribute(element, "id"),
    // VirtualBox names its collections by an attribute.
    name: textOf(element, "Name") ?? nonEmpty(attribute(element, "name")),
    info: readText(childNamed(element, "Info")),
    span: element.span,
  };
}

function readCollection(element: XmlElement, oddities: Oddities): VirtualSystemCollection {
  return {
    kind: "collection",
    ...readIdentity(element),
    ...readShared(element, oddities),
    entities: readEntities(element, oddities),
  };
}

function readSystem(element: XmlElement, oddities: Oddities): VirtualSystem {
  const operatingSystem = sectionsOf(element, "OperatingSystemSection")[0];
  const machine = element.children.find((child) => child.local === "Machine" && vocabularyOf(child) === "virtualbox");
  return {
    kind: "system",
    ...readIdentity(element),
    ...readShared(element, oddities),
    operatingSystem: operatingSystem === undefined ? undefined : readOperatingSystem(operatingSystem),
    hardware: sectionsOf(element, "VirtualHardwareSection").map((section) => readHardware(section, oddities)),
    virtualBox: machine === undefined ? undefined : readVirtualBoxMachine(machine, oddities),
    ovirtBiosType: oddities.count(textOf(element, "BiosType", ["ovf", "ovirt"]), "BiosType", element.span),
  };
}

function systemsOf(entity: Entity): readonly VirtualSystem[] {
  return entity.kind === "system" ? [entity] : entity.entities.flatMap(systemsOf);
}

/** Signatures first, then namespaces that only one producer declares, then the hardware families. */
function producerOf(document: XmlDocument, systems: readonly VirtualSystem[]): Producer {
  const { root, declared, comments } = document;
  const signature = comments.find((comment) => /^generated by /i.test(comment));
  if (signature !== undefined && /vmware|ovftool|vcenter/i.test(signature))
    return { kind: "vmware", detail: signature };
  if (signature !== undefined && /virt-v2v/i.test(signature)) return { kind: "ovirt", detail: signature };
  const namespaces = [...declared.values(), root.namespace ?? ""];
  const declares = (pattern: RegExp) => namespaces.some((namespace) => pattern.test(namespace));
  if (declares(/ovirt\.org|\/ovf\/envelope\/1\/$/)) return { kind: "ovirt", detail: attribute(root, "version") };
  if (declares(/citrix\.com/)) return { kind: "xen", detail: signature };
  const machine = systems.find((system) => system.virtualBox !== undefined)?.virtualBox;
  if (machine !== undefined) return { kind: "virtualbox", detail: machine.settingsVersion };
  const families = systems.flatMap((system) => system.hardware.flatMap((hardware) => hardware.families));
  // VirtualBox calls itself vmx-6 in OVF 0.9; VMware writes two digits.
  if (families.some((family) => /^virtualbox|^vmx-6$/.test(family))) return { kind: "virtualbox", detail: signature };
  const build = attribute(root, "buildId", "vmware");
  if (build !== undefined || families.some((family) => family.startsWith("vmx-"))) {
    return { kind: "vmware", detail: signature ?? build };
  }
  return { kind: families.some((family) => family.startsWith("xen")) ? "xen" : "other", detail: signature };
}
