import type { Context } from "../../src/context.ts";
import type { GuestFacts } from "../guest/facts.ts";
import { encodeHardware } from "../guest/hardware-label.ts";
import { parsePort } from "../guest/ports.ts";
import type { Machine } from "../machine/machine.ts";
import { recordedHardware } from "./hardware.ts";

/** What the descriptor of a machine says that matters to its image. */
export function guestFacts(machine: Machine, ctx: Context): GuestFacts {
  const { system, hardware, disks } = machine;
  const product = system?.products.find((each) => each.product !== undefined || each.version !== undefined);
  const properties = new Map(
    system?.products.flatMap((each) =>
      each.properties.map((property) => [fullKey(each, property.key), property.value ?? ""] as const),
    ),
  );
  return withoutAbsent({
    name: machine.name,
    product: product?.product?.value,
    version: product?.fullVersion ?? product?.version,
    vendor: product?.vendor?.value,
    productUrl: product?.productUrl,
    description: system?.annotations.map((text) => text.value).join("\n") || undefined,
    eula: system?.eulas.map((text) => text.value).join("\n") || undefined,
    properties: properties.size === 0 ? undefined : properties,
    firmware: hardware?.firmware ?? system?.virtualBox?.firmware,
    forwardedPorts: forwardedPorts(machine),
    hardware: system && encodeHardware(recordedHardware(machine), machine.name, ctx),
    disks: disks.flatMap(({ member }) => (member === undefined ? [] : [member.name])),
  });
}

/** DSP0243 9.5.1: class.key.instance, where absent parts go with their dots. */
function fullKey(
  { class: of, instance }: { class: string | undefined; instance: string | undefined },
  key: string,
): string {
  return [of, key, instance].filter((part) => part !== undefined && part !== "").join(".");
}

function forwardedPorts({ system }: Machine): NonNullable<GuestFacts["forwardedPorts"]> {
  const rules =
    system?.virtualBox?.adapters.filter(({ enabled }) => enabled).flatMap(({ forwardings }) => forwardings) ?? [];
  return rules.flatMap(({ guestPort, protocol }) => parsePort(`${guestPort}/${protocol}`) ?? []);
}

type Present<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

function withoutAbsent<T extends object>(fields: T): Present<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Present<T>;
}
