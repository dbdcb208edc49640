import type { Disk, Entity, Envelope, FileReference, Network, Product, Property, VirtualSystem } from "./model.ts";

/** What has product sections. */
type Owner = Pick<Envelope, "products">;

const INDEXES = new WeakMap<Envelope, EnvelopeIndex>();
const PROPERTIES = new WeakMap<Owner, ReadonlyMap<string, Property>>();

/**
 * The tables by which an envelope is looked into. They are made once: a descriptor may hold a hundred thousand systems
 * and disks, and tables for each system would cost the square of it.
 */
export class EnvelopeIndex {
  readonly disks: ReadonlyMap<string, readonly Disk[]>;
  readonly files: ReadonlyMap<string, readonly FileReference[]>;
  readonly diskByFileRef: ReadonlyMap<string, Disk>;
  readonly fileByHref: ReadonlyMap<string, FileReference>;
  readonly networks: ReadonlyMap<string, Network>;
  readonly #owners = new Map<VirtualSystem, readonly Owner[]>();

  constructor(envelope: Envelope) {
    this.disks = grouped(envelope.disks);
    this.files = grouped(envelope.files);
    this.diskByFileRef = new Map(envelope.disks.map((disk) => [disk.fileRef ?? "", disk]));
    this.fileByHref = new Map(envelope.files.map((file) => [file.href, file]));
    this.networks = new Map(envelope.networks.map((network) => [network.name, network]));
    this.#addOwners(envelope.entities, [envelope]);
  }

  static of(envelope: Envelope): EnvelopeIndex {
    const known = INDEXES.get(envelope);
    if (known !== undefined) return known;
    const index = new EnvelopeIndex(envelope);
    INDEXES.set(envelope, index);
    return index;
  }

  #addOwners(entities: readonly Entity[], around: readonly Owner[]): void {
    for (const entity of entities) {
      if (entity.kind === "system") this.#owners.set(entity, around);
      else this.#addOwners(entity.entities, [entity, ...around]);
    }
  }

  /** The default value of a property in a configuration: the system's own, its collections', the envelope's. */
  propertyValue(system: VirtualSystem, key: string, configuration: string | undefined): string | undefined {
    for (const owner of [system, ...(this.#owners.get(system) ?? [])]) {
      const property = propertiesOf(owner).get(key);
      const value = property?.valuesByConfiguration.get(configuration ?? "") ?? property?.value;
      if (value !== undefined) return value;
    }
    return undefined;
  }
}

function propertiesOf(owner: Owner): ReadonlyMap<string, Property> {
  const known = PROPERTIES.get(owner);
  if (known !== undefined) return known;
  const properties = new Map<string, Property>();
  for (const product of owner.products) {
    for (const property of product.properties) {
      for (const key of [property.key, fullKey(product, property)]) {
        if (!properties.has(key)) properties.set(key, property);
      }
    }
  }
  PROPERTIES.set(owner, properties);
  return properties;
}

/** "class.key.instance", DSP0243 9.5.1. */
function fullKey(product: Product, property: Property): string {
  return [product.class, property.key, product.instance].filter((part) => part !== undefined).join(".");
}

function grouped<T extends { readonly id: string | undefined }>(things: readonly T[]): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const thing of things) {
    if (thing.id === undefined) continue;
    const group = groups.get(thing.id);
    if (group === undefined) groups.set(thing.id, [thing]);
    else group.push(thing);
  }
  return groups;
}
