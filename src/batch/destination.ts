import { basename } from "node:path";
import { parseReference } from "../../converters/reference.ts";
import type { Context } from "../context.ts";
import { openPackage } from "../ovf/open-package.ts";
import { destinationTwice, templateField } from "./errors.ts";
import type { ListedItem } from "./list.ts";

/** One conversion of a batch. */
export interface BatchItem {
  readonly source: string;
  readonly destination: string;
  /** Bytes of the source. */
  readonly size: number;
}

const FIELDS = ["name", "stem", "date", "version", "index"] as const;
type Field = (typeof FIELDS)[number];

/**
 * Gives each item its destination: its own, or the template's, whose fields are {name} (the machine's, from its descriptor),
 * {stem} (the file's name without ending), {version} (the product's, or "latest"), {date} (UTC, YYYYMMDD) and {index} (from 1).
 * Only descriptors are read; a package that cannot be read goes by its file's name, and its conversion tells why. Throws
 * UsageError BATCH_TEMPLATE, BATCH_DESTINATION_TWICE.
 */
export async function nameDestinations(
  items: readonly ListedItem[],
  template: string,
  ctx: Context,
): Promise<BatchItem[]> {
  const wanted = fieldsOf(template);
  const named: BatchItem[] = [];
  for (const [index, item] of items.entries()) {
    ctx.signal.throwIfAborted();
    const destination = item.destination ?? (await filled(template, wanted, item, index, ctx));
    named.push({ source: item.source, destination, size: item.size });
  }
  for (const [destination, twins] of grouped(named)) {
    if (twins.length > 1) throw destinationTwice(destination, twins);
  }
  return named;
}

function fieldsOf(template: string): ReadonlySet<Field> {
  const fields = [...template.matchAll(/\{([^{}]*)\}/g)].map(([, field = ""]) => field);
  for (const field of fields) {
    if (!FIELDS.some((known) => known === field)) throw templateField(template, field, FIELDS);
  }
  return new Set(fields as Field[]);
}

function grouped(items: readonly BatchItem[]): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const { source, destination } of items) groups.set(destination, [...(groups.get(destination) ?? []), source]);
  return groups;
}

async function filled(
  template: string,
  wanted: ReadonlySet<Field>,
  { source }: ListedItem,
  index: number,
  ctx: Context,
): Promise<string> {
  const stem = nameable(
    basename(source.replace(/^[a-z0-9]+:/, "")).replace(/(\.(ova|ovf|box|vmdk|vdi|vhdx?|qcow2|raw|img))?(\.gz)?$/i, ""),
  );
  const described = wanted.has("name") || wanted.has("version") ? await describe(source, ctx) : {};
  const values: Readonly<Record<Field, string>> = {
    name: nameable(described.name ?? "") || stem,
    stem,
    version: nameable(described.version ?? "") || "latest",
    date: new Date((ctx.epoch ?? Date.now() / 1000) * 1000).toISOString().slice(0, 10).replaceAll("-", ""),
    index: String(index + 1),
  };
  return template.replace(/\{([^{}]*)\}/g, (_, field: Field) => values[field]);
}

/** What may stand in a repository's name and in a tag (distribution-spec "Pulling manifests"). */
function nameable(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9.]+/g, "-")
    .replace(/\.{2,}/g, ".")
    .replace(/^[-.]+|[-.]+$/g, "");
}

async function describe(
  source: string,
  ctx: Context,
): Promise<{ name?: string | undefined; version?: string | undefined }> {
  try {
    const reference = await parseReference(source, ctx);
    // A compressed package would have to be unpacked for it.
    if (reference.side !== "machine" || reference.details.endsWith(".gz")) return {};
    // What it has to say of the package is said by the conversion, not twice.
    await using pkg = await openPackage({ kind: "path", path: reference.details }, { ...ctx, diagnostic() {} });
    const [system, ...others] = pkg.envelope?.systems ?? [];
    if (system === undefined || others.length > 0) return {};
    const product = system.products.find((each) => each.version !== undefined);
    return { name: system.name ?? system.id, version: product?.fullVersion ?? product?.version };
  } catch {
    ctx.signal.throwIfAborted();
    return {};
  }
}
