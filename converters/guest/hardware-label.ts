import type { Context, Diagnostic } from "../../src/context.ts";
import {
  DISK_BUSES,
  NIC_MODELS,
  type NicDescription,
  type OperatingSystemDescription,
  type ProductDescription,
  type PropertyDescription,
  type SystemDescription,
} from "../../src/ovf/appliance.ts";
import { HARDWARE_LABEL } from "./labels.ts";

/** What the label holds: what a descriptor says of a machine besides its name and disks. Anything may be missing. */
export type RecordedHardware = Partial<
  Pick<
    SystemDescription,
    | "operatingSystem"
    | "cpus"
    | "coresPerSocket"
    | "memory"
    | "firmware"
    | "diskBus"
    | "nics"
    | "products"
    | "eulas"
    | "annotation"
    | "transports"
  >
>;

/** Bytes: clients keep a config in memory, and some show its labels. */
const LIMIT = 64 << 10;
const VERSION = 1;

/**
 * The hardware as compact JSON of at most 64 KiB: what does not fit goes, the longest texts first. Values of password
 * properties are never in it.
 */
export function encodeHardware(hardware: RecordedHardware, file: string, ctx: Context): string {
  const { products, ...rest } = hardware;
  const whole: RecordedHardware = { ...rest, ...(products && { products: products.map(blanked) }) };
  const { eulas: _eulas, ...unlicensed } = whole;
  const { products: _products, annotation: _annotation, ...bare } = unlicensed;
  for (const each of [whole, unlicensed, bare]) {
    const text = JSON.stringify({ v: VERSION, ...each });
    if (Buffer.byteLength(text) > LIMIT) continue;
    if (each !== whole) ctx.diagnostic(labelCut(each === bare, file));
    return text;
  }
  return JSON.stringify({ v: VERSION });
}

function blanked(product: ProductDescription): ProductDescription {
  const properties = product.properties.map(({ value, ...property }) =>
    property.password === true || value === undefined ? property : { ...property, value },
  );
  return { ...product, properties };
}

/** Reads the label of an image. What is not as it should be is a warning and counts as missing. */
export function decodeHardware(
  labels: Readonly<Record<string, string>> | undefined,
  file: string,
  ctx: Context,
): RecordedHardware {
  const text = labels !== undefined && Object.hasOwn(labels, HARDWARE_LABEL) ? labels[HARDWARE_LABEL] : undefined;
  if (text === undefined) return {};
  const value = Buffer.byteLength(text) > LIMIT ? undefined : parsed(text);
  if (value === undefined || value["v"] !== VERSION) {
    ctx.diagnostic(labelUnreadable(file));
    return {};
  }
  const { firmware, diskBus, annotation } = value;
  return present({
    operatingSystem: operatingSystemOf(value["operatingSystem"]),
    cpus: count(value["cpus"], 1024),
    coresPerSocket: count(value["coresPerSocket"], 1024),
    memory: count(value["memory"], 2 ** 46),
    firmware: (["bios", "uefi"] as const).find((each) => each === firmware),
    diskBus: DISK_BUSES.find((each) => each === diskBus),
    nics: listOf(value["nics"], nicOf),
    products: listOf(value["products"], productOf),
    eulas: listOf(value["eulas"], textOf),
    annotation: textOf(annotation),
    transports: listOf(value["transports"], textOf),
  });
}

type Json = Readonly<Record<string, unknown>>;

function parsed(text: string): Json | undefined {
  try {
    return asObject(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function asObject(value: unknown): Json | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function count(value: unknown, most: number): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0 && value <= most ? value : undefined;
}

function listOf<T>(value: unknown, of: (each: unknown) => T | undefined): T[] | undefined {
  return Array.isArray(value) ? value.flatMap((each) => of(each) ?? []) : undefined;
}

function nicOf(value: unknown): NicDescription | undefined {
  const { model, network } = asObject(value) ?? {};
  const known = NIC_MODELS.find((each) => each === model);
  const name = textOf(network);
  return known === undefined || name === undefined ? undefined : { model: known, network: name };
}

function operatingSystemOf(value: unknown): OperatingSystemDescription | undefined {
  const { id, version, description, vmwareType, virtualBoxType } = asObject(value) ?? {};
  const number = count(id, 65535);
  if (number === undefined) return undefined;
  return {
    id: number,
    description: textOf(description) ?? "",
    ...present({
      version: textOf(version),
      vmwareType: textOf(vmwareType),
      virtualBoxType: textOf(virtualBoxType),
    }),
  };
}

const PRODUCT_TEXTS = [
  "class",
  "instance",
  "product",
  "vendor",
  "version",
  "fullVersion",
  "productUrl",
  "vendorUrl",
  "appUrl",
] as const satisfies readonly (keyof ProductDescription)[];

function productOf(value: unknown): ProductDescription | undefined {
  const object = asObject(value);
  if (object === undefined) return undefined;
  return { ...textsOf(object, PRODUCT_TEXTS), properties: listOf(object["properties"], propertyOf) ?? [] };
}

const PROPERTY_TEXTS = ["type", "qualifiers", "value", "category", "label", "description"] as const;

function propertyOf(value: unknown): PropertyDescription | undefined {
  const object = asObject(value) ?? {};
  const { password, userConfigurable } = object;
  const key = textOf(object["key"]);
  if (key === undefined) return undefined;
  return {
    key,
    ...textsOf(object, PROPERTY_TEXTS),
    ...(password === true && { password }),
    ...(userConfigurable === true && { userConfigurable }),
  };
}

function textsOf<K extends string>(object: Json, keys: readonly K[]): { [key in K]?: string } {
  return Object.fromEntries(keys.flatMap((key) => (typeof object[key] === "string" ? [[key, object[key]]] : []))) as {
    [key in K]?: string;
  };
}

function present<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;
}

function labelCut(bare: boolean, file: string): Diagnostic {
  const what = bare ? "the license, the products and the annotation" : "the license";
  return {
    code: "GUEST_HARDWARE_LABEL_CUT",
    severity: "warning",
    message: `${what} of the machine do not fit into a label of ${LIMIT >> 10} KiB and are left out`,
    where: { file },
  };
}

function labelUnreadable(file: string): Diagnostic {
  return {
    code: "GUEST_HARDWARE_LABEL",
    severity: "warning",
    message: `the label ${HARDWARE_LABEL} is not understood and counts as missing`,
    where: { file },
  };
}
