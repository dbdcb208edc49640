import type { BytePath } from "../../src/bytes/byte-path.ts";
import type { Entry } from "../../src/bytes/entry.ts";
import type { Context } from "../../src/context.ts";
import type { LayerEntry } from "../../src/oci/layer-writer.ts";
import { tooManyLayers } from "./container-errors.ts";

/** The same entries in several layers. */
export interface LayerSplit {
  readonly count: number;
  /** What the layer of this index holds, parents first; any number of times. */
  entries(index: number): AsyncIterable<LayerEntry>;
}

/** overlay2 takes some 128; whoever builds upon the image wants a few, too. */
const MOST_LAYERS = 100;
const BLOCK = 512;
/** Headers of an entry, with room for times and names in pax records; a further name may bring its directories with it. */
const HEADERS = 4 * BLOCK;
const FURTHER_NAME = 8 << 10;

/**
 * Divides entries among layers that hold no more than `limit` bytes uncompressed, so that their blobs hold no more either, and
 * the same input always gives the same layers. All names of a file go into one layer, since clients unpack a layer by itself,
 * and each layer repeats the directories above what it holds, with their attributes, since clients would make them anew. A file
 * that is larger has a layer to itself. `survey` is read once; `again` gives the same entries as often as there are layers.
 * Throws UsageError CONTAINER_LAYERS.
 */
export async function splitLayers(
  survey: AsyncIterable<LayerEntry>,
  again: () => AsyncIterable<LayerEntry>,
  limit: number,
  ctx: Context,
): Promise<LayerSplit> {
  const plan = new SplitPlan(limit);
  for await (const { entry } of survey) {
    ctx.signal.throwIfAborted();
    plan.add(entry);
  }
  if (plan.count > MOST_LAYERS) throw tooManyLayers(limit, plan.count, MOST_LAYERS);
  return { count: plan.count, entries: (index) => plan.select(again(), index) };
}

class SplitPlan {
  readonly #limit: number;
  /** The place in the sequence at which each layer begins. */
  readonly #starts: number[] = [0];
  /** The place of the last entry of each layer: a further name may come late. */
  readonly #ends: number[] = [0];
  /** The layer of each file with several names. */
  readonly #groups = new Map<number, number>();
  /** Directories above entries that do not come in the order of a walk. */
  readonly #needed: Set<BytePath>[] = [new Set()];
  readonly #open: { readonly path: BytePath; readonly cost: number }[] = [];
  #used = 0;
  #next = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get count(): number {
    return this.#starts.length;
  }

  add(entry: Entry): void {
    const place = this.#next++;
    while (!isBelow(entry.path, this.#open.at(-1)?.path)) this.#open.pop();
    const isKnown = isLinked(entry) && this.#groups.has(entry.inode);
    const cost = isKnown ? 0 : costOf(entry);
    if (entry.type === "directory") this.#open.push({ path: entry.path, cost });
    else if (this.#used + cost > this.#limit && this.#holds && !isKnown) this.#begin(place);
    this.#used += cost;
    const layer = isKnown ? (this.#groups.get(entry.inode) as number) : this.count - 1;
    if (isLinked(entry)) this.#groups.set(entry.inode, layer);
    if (entry.type !== "directory") this.#holds = true;
    this.#ends[layer] = place;
    const parent = this.#open.at(entry.type === "directory" ? -2 : -1)?.path ?? "";
    for (let at = parentOf(entry.path); at !== parent && at !== ""; at = parentOf(at)) this.#needed[layer]?.add(at);
  }

  /** The current layer has more than directories. */
  #holds = false;

  #begin(place: number): void {
    this.#starts.push(place);
    this.#ends.push(place);
    this.#needed.push(new Set());
    this.#used = this.#open.reduce((sum, { cost }) => sum + cost, 0);
    this.#holds = false;
  }

  async *select(entries: AsyncIterable<LayerEntry>, index: number): AsyncGenerator<LayerEntry, void> {
    const [from = 0, to = Number.POSITIVE_INFINITY] = [this.#starts[index], this.#starts[index + 1]];
    const waiting: { readonly item: LayerEntry; written: boolean }[] = [];
    let place = 0;
    for await (const item of entries) {
      const { entry } = item;
      while (waiting.length > 0 && !isBelow(entry.path, waiting.at(-1)?.item.entry.path)) waiting.pop();
      const group = isLinked(entry) ? this.#groups.get(entry.inode) : undefined;
      const isHere = place >= from && place < to;
      const isOwn = group === undefined ? isHere : group === index;
      if (entry.type === "directory") waiting.push({ item, written: false });
      if (isOwn || this.#needed[index]?.has(entry.path)) {
        for (const directory of waiting) {
          if (!directory.written) yield directory.item;
          directory.written = true;
        }
        if (entry.type !== "directory") yield item;
      }
      // What is left is of other layers.
      if (place++ >= (this.#ends[index] ?? 0) && place >= to) return;
    }
  }
}

function isLinked(entry: Entry): boolean {
  return entry.links > 1 && entry.type !== "directory";
}

/** True for what lies in no directory at all, too. */
function isBelow(path: BytePath, directory: BytePath | undefined): boolean {
  return directory === undefined || (directory === "" ? path !== "" : path.startsWith(`${directory}/`));
}

function parentOf(path: BytePath): BytePath {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

/** No less than what the entry takes in a tar. */
function costOf(entry: Entry): number {
  let text = entry.path.length + (entry.type === "symlink" ? entry.target.length : 0);
  for (const [name, value] of entry.xattrs) text += name.length + value.length + 64;
  const body = entry.type === "file" ? Math.ceil(entry.size / BLOCK) * BLOCK : 0;
  const further = isLinked(entry) ? (entry.links - 1) * (FURTHER_NAME + text) : 0;
  return HEADERS + 2 * text + body + further;
}
