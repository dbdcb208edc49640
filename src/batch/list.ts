import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileError } from "../bytes/file-source.ts";
import { standardInput } from "../bytes/stdio.ts";
import type { Context } from "../context.ts";
import { listLine, nothingToDo } from "./errors.ts";

/** One source of a batch, with its own destination where the list gives one. */
export interface ListedItem {
  /** `[transport:]details` */
  readonly source: string;
  readonly destination?: string;
  /** Bytes of the file or folder; 0 where that is not known, as for images in registries. */
  readonly size: number;
}

const APPLIANCE = /\.(ova|ovf|box)(\.gz)?$/i;
const MOST_LIST_BYTES = 64 << 20;

/**
 * The sources of a batch: files and references as they are; of a folder the appliances in and below it; `@FILE` is a list, and
 * `-` a list on standard input, with a source, a source and a destination behind a tab, or a JSON object on each line. A
 * source that comes twice is taken once. Throws UsageError BATCH_LIST_LINE, NotFoundError BATCH_EMPTY, FILE_NOT_FOUND.
 */
export async function listItems(sources: readonly string[], ctx: Context): Promise<ListedItem[]> {
  const items = new Map<string, ListedItem>();
  for (const source of sources) {
    for (const item of await itemsOf(source, ctx)) items.set(`${item.source}\0${item.destination ?? ""}`, item);
  }
  if (items.size === 0) throw nothingToDo(sources);
  return [...items.values()];
}

async function itemsOf(source: string, ctx: Context): Promise<ListedItem[]> {
  if (source === "-") return parseList(await readStandardInput(ctx), "standard input");
  if (source.startsWith("@")) return parseList(readList(source.slice(1)), source.slice(1));
  if (!isFolder(source) || holdsDescriptor(source)) return [{ source, size: sizeOf(source) }];
  return appliancesBelow(source, ctx).map((path) => ({ source: path, size: sizeOf(path) }));
}

function readList(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw fileError(cause, path);
  }
}

async function readStandardInput(ctx: Context): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const bytes of standardInput(ctx.signal)) {
    size += bytes.length;
    if (size > MOST_LIST_BYTES) throw listLine("standard input", 1, `is part of more than ${MOST_LIST_BYTES} bytes`);
    parts.push(Uint8Array.from(bytes));
  }
  return Buffer.concat(parts).toString("utf8");
}

function parseList(text: string, file: string): ListedItem[] {
  return text.split("\n").flatMap((raw, index) => {
    const line = raw.replace(/\r$/, "");
    if (line.trim() === "" || line.startsWith("#")) return [];
    const { source, destination } = line.startsWith("{") ? parseObject(line, file, index + 1) : parseColumns(line);
    if (source === undefined || source === "") throw listLine(file, index + 1, "names no source");
    const size = sizeOf(source);
    return [destination === undefined || destination === "" ? { source, size } : { source, destination, size }];
  });
}

interface Columns {
  readonly source?: string | undefined;
  readonly destination?: string | undefined;
}

function parseColumns(line: string): Columns {
  const [source, destination] = line.split("\t").map((column) => column.trim());
  return { source, destination };
}

function parseObject(line: string, file: string, number: number): Columns {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw listLine(file, number, "begins as JSON and is none");
  }
  const { source, destination } = value as Record<string, unknown>;
  if (typeof source !== "string" || (destination !== undefined && typeof destination !== "string")) {
    throw listLine(file, number, "needs source, and destination if any, as strings");
  }
  return { source, destination };
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** An exported folder is one appliance. */
function holdsDescriptor(folder: string): boolean {
  return readdirSync(folder).some((name) => /\.ovf$/i.test(name));
}

function appliancesBelow(folder: string, ctx: Context): string[] {
  ctx.signal.throwIfAborted();
  try {
    const entries = readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
    return entries.flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return holdsDescriptor(path) ? [path] : appliancesBelow(path, ctx);
      return APPLIANCE.test(entry.name) && isFile(path) ? [path] : [];
    });
  } catch (cause) {
    throw fileError(cause, folder);
  }
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

/** What is not a file on this machine sorts last; whether it can be read is for its conversion to say. */
function sizeOf(source: string): number {
  const path = source.replace(/^(ova|ovf|vmdk|vdi|vhdx?|qcow2|raw):/, "");
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat?.isDirectory() !== true) return stat?.size ?? 0;
  return readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, { name }) => sum + (statSync(join(path, name), { throwIfNoEntry: false })?.size ?? 0), 0);
}
