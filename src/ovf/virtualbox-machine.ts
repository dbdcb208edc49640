import type { PortForwarding, VirtualBoxAdapter, VirtualBoxAttachment, VirtualBoxMachine } from "./model.ts";
import { attribute, nonEmpty, truth } from "./names.ts";
import type { Oddities } from "./oddities.ts";
import type { XmlElement } from "./xml.ts";

/** VirtualBox's own settings inside a descriptor: everything is matched by local name, as VirtualBox does. */
export function readVirtualBoxMachine(element: XmlElement, oddities: Oddities): VirtualBoxMachine {
  const hardware = child(element, "Hardware");
  const memory = oddities.count(value(child(hardware, "Memory"), "RAMSize"), "RAMSize", element.span);
  // Settings before 1.19 hold the controllers beside the hardware, later ones inside it.
  const storage = [element, hardware].map((parent) => child(parent, "StorageControllers"));
  return {
    name: value(element, "name"),
    settingsVersion: value(element, "version"),
    osType: value(element, "OSType"),
    firmware: value(child(hardware, "Firmware"), "type")?.toUpperCase().startsWith("EFI") ? "efi" : "bios",
    cpus: oddities.count(value(child(hardware, "CPU"), "count"), "CPU count", element.span),
    memory: memory === undefined || memory > 2 ** 32 ? undefined : memory * 2 ** 20,
    attachments: storage.flatMap((controllers) => children(controllers, "StorageController").flatMap(readController)),
    adapters: children(child(hardware, "Network"), "Adapter").map(readAdapter),
    span: element.span,
  };
}

function readController(controller: XmlElement): readonly VirtualBoxAttachment[] {
  return children(controller, "AttachedDevice").map((device) => ({
    controller: value(controller, "name"),
    controllerType: value(controller, "type"),
    type: value(device, "type") ?? "HardDisk",
    port: small(value(device, "port")),
    device: small(value(device, "device")),
    imageUuid: plainUuid(value(child(device, "Image"), "uuid")),
  }));
}

function readAdapter(adapter: XmlElement): VirtualBoxAdapter {
  // DisabledModes keeps the settings of attachments that are not in use.
  const attachment = adapter.children.find(({ local }) => ATTACHMENTS.has(local));
  return {
    slot: small(value(adapter, "slot")),
    enabled: truth(value(adapter, "enabled"), false),
    type: value(adapter, "type"),
    mac: value(adapter, "MACAddress"),
    attachment: attachment?.local,
    forwardings: attachment?.local === "NAT" ? children(attachment, "Forwarding").map(readForwarding) : [],
  };
}

const ATTACHMENTS: ReadonlySet<string> = new Set([
  "NAT",
  "NATNetwork",
  "BridgedInterface",
  "HostInterface",
  "HostOnlyInterface",
  "HostOnlyNetwork",
  "InternalNetwork",
  "GenericInterface",
  "CloudNetwork",
]);

/** NATProtocol: 0 is UDP, 1 is TCP. */
function readForwarding(rule: XmlElement): PortForwarding {
  return {
    name: value(rule, "name"),
    protocol: value(rule, "proto") === "0" ? "udp" : "tcp",
    hostIp: value(rule, "hostip"),
    hostPort: small(value(rule, "hostport")),
    guestIp: value(rule, "guestip"),
    guestPort: small(value(rule, "guestport")),
  };
}

/** Without braces, in lower case, as Disk/@vbox:uuid and Image/@uuid are compared. */
export function plainUuid(uuid: string | undefined): string | undefined {
  return nonEmpty(uuid?.replace(/[{}]/g, "").trim().toLowerCase());
}

function child(parent: XmlElement | undefined, local: string): XmlElement | undefined {
  return parent?.children.find((each) => each.local === local);
}

function children(parent: XmlElement | undefined, local: string): readonly XmlElement[] {
  return parent?.children.filter((each) => each.local === local) ?? [];
}

function value(element: XmlElement | undefined, local: string): string | undefined {
  return element === undefined ? undefined : nonEmpty(attribute(element, local, "virtualbox"));
}

function small(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,5}$/.test(text) ? Number(text) : undefined;
}
