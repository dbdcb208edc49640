import type { Platform } from "../../src/oci/descriptor.ts";
import type { EffectiveHardware } from "../../src/ovf/effective-hardware.ts";
import { type YamlValue, yamlText } from "./yaml-text.ts";

const MIB = 2 ** 20;
const DEFAULT_MEMORY = 1024 * MIB;
/** A DNS label. */
const MOST_NAME = 63;

/** What a manifest is made from. */
export interface KubeVirtMachine {
  readonly name: string;
  readonly hardware: EffectiveHardware | undefined;
  readonly platform: Platform;
  /** What hangs on a virtio controller in the source. */
  readonly bus: "sata" | "scsi";
  /** As a cluster's nodes would pull it. */
  readonly image: string;
  /** Of the file in the image. */
  readonly path: string;
  /** Lines that tell what the manifest leaves out. */
  readonly notes: readonly string[];
}

/** Models that KubeVirt has; others become the nearest one that guests know without drivers of their own. */
const NIC_MODELS: readonly (readonly [pattern: RegExp, model: string])[] = [
  [/virtio/i, "virtio"],
  [/e1000e|vmxnet/i, "e1000e"],
  [/pcnet/i, "pcnet"],
  [/rtl8139/i, "rtl8139"],
];

/**
 * A VirtualMachine of kubevirt.io/v1 that runs from a containerDisk. The disk hangs on SATA, or on virtio-scsi where it did:
 * the guest has those drivers for certain. Of several network adapters only the first has a network in a plain cluster.
 */
export function kubeVirtManifest(machine: KubeVirtMachine): string {
  const { hardware, platform, image, path } = machine;
  const name = kubernetesName(machine.name);
  const adapters = hardware?.networkAdapters ?? [];
  const others = adapters.length - 1;
  const notes = [
    ...machine.notes,
    ...(others > 0 ? [`the machine has ${others} more network adapter${others > 1 ? "s" : ""}: they need Multus`] : []),
  ];
  const manifest: YamlValue = {
    apiVersion: "kubevirt.io/v1",
    kind: "VirtualMachine",
    metadata: { name },
    spec: {
      runStrategy: "Always",
      template: {
        metadata: { labels: { "kubevirt.io/domain": name } },
        spec: {
          architecture: platform.architecture,
          domain: domain(machine, adapters[0]?.subType, adapters.length > 0),
          ...(adapters.length === 0 ? {} : { networks: [{ name: "nic1", pod: {} }] }),
          volumes: [{ name: "disk1", containerDisk: { image, path } }],
        },
      },
    },
  };
  return [...notes.map((note) => `# ${note.replace(/[\r\n]+/g, " ")}\n`), yamlText(manifest)].join("");
}

function domain({ hardware, bus }: KubeVirtMachine, nic: string | undefined, hasNic: boolean): YamlValue {
  const cpus = hardware?.cpus ?? 1;
  const perSocket = hardware?.coresPerSocket ?? 1;
  const cores = perSocket > 0 && cpus % perSocket === 0 ? perSocket : 1;
  const memory = Math.ceil((hardware?.memory ?? DEFAULT_MEMORY) / MIB);
  const secureBoot = hardware?.secureBoot === true;
  const bootloader: YamlValue = hardware?.firmware === "efi" ? { efi: { secureBoot } } : { bios: {} };
  const model = NIC_MODELS.find(([pattern]) => pattern.test(nic ?? ""))?.[1] ?? "e1000";
  return {
    cpu: { sockets: Math.max(1, cpus / cores), cores },
    memory: { guest: `${memory}Mi` },
    // KubeVirt demands SMM for Secure Boot.
    ...(secureBoot && hardware?.firmware === "efi" ? { features: { smm: { enabled: true } } } : {}),
    firmware: { bootloader },
    devices: {
      disks: [{ name: "disk1", bootOrder: 1, disk: { bus } }],
      ...(hasNic ? { interfaces: [{ name: "nic1", model, masquerade: {} }] } : {}),
    },
  };
}

function kubernetesName(name: string): string {
  const label = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, MOST_NAME)
    .replace(/^-+|-+$/g, "");
  return label === "" ? "machine" : label;
}
