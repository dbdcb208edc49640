import { displayPath } from "../../src/bytes/byte-path.ts";
import type { Drive, EffectiveHardware } from "../../src/ovf/effective-hardware.ts";
import type { VirtualSystem } from "../../src/ovf/model.ts";
import type { Medium } from "./machine.ts";

/** What the descriptor says of a machine, in words. Sizes are bytes. */
export interface MachineDescription {
  readonly name: string;
  readonly product: string | undefined;
  readonly operatingSystem: string | undefined;
  readonly hardware: {
    readonly cpus: number | undefined;
    readonly memory: number | undefined;
    readonly firmware: string | undefined;
    readonly controllers: readonly string[];
    readonly networkAdapters: readonly string[];
    readonly media: readonly string[];
  };
  readonly properties: readonly { readonly key: string; readonly value: string | undefined }[];
  readonly eulas: number;
  readonly annotation: string | undefined;
}

/** The parts of a machine that need no disk to be open. */
export interface DescribedMachine {
  readonly system: VirtualSystem | undefined;
  readonly hardware?: EffectiveHardware | undefined;
  readonly media?: readonly Medium[];
}

/** Values of passwords are left out. */
export function describeMachine(machine: DescribedMachine, name: string): MachineDescription {
  const { system } = machine;
  const product = system?.products[0];
  const os = system?.operatingSystem;
  const texts = [product?.vendor?.value, product?.product?.value, product?.fullVersion ?? product?.version];
  return {
    name,
    product: texts.filter((text) => text !== undefined && text !== "").join(" ") || undefined,
    operatingSystem: os?.virtualBoxType ?? os?.vmwareType ?? os?.description ?? os?.id,
    hardware: describeHardware(machine),
    properties:
      system?.products.flatMap(({ properties }) =>
        properties.map(({ key, value, password }) => ({ key, value: password ? undefined : value })),
      ) ?? [],
    eulas: system?.eulas.length ?? 0,
    annotation: system?.annotations[0]?.value,
  };
}

function describeHardware({ hardware, media = [], system }: DescribedMachine): MachineDescription["hardware"] {
  return {
    cpus: hardware?.cpus,
    memory: hardware?.memory,
    firmware: hardware && (hardware.firmware ?? system?.virtualBox?.firmware),
    controllers:
      hardware?.controllers.map(({ kind, subType }) => (subType === undefined ? kind : `${kind} (${subType})`)) ?? [],
    networkAdapters:
      hardware?.networkAdapters.map(
        ({ subType, connections }) => `${subType ?? "adapter"} on ${connections.join(", ") || "no network"}`,
      ) ?? [],
    media: media.map(
      ({ drive, member }) => `${drive.kind} ${member === undefined ? nameIn(drive) : displayPath(member.name)}`,
    ),
  };
}

function nameIn({ file, disk }: Drive): string {
  return file?.href ?? disk?.id ?? "";
}
