import type { BytePath } from "../bytes/byte-path.ts";
import { type Awaitable, isPromise } from "../bytes/byte-source.ts";
import type { DirectoryEntry, Entry } from "../bytes/entry.ts";
import type { Steps } from "../bytes/steps.ts";
import type { Context } from "../context.ts";
import type { ConverterError } from "../errors.ts";

/**
 * What a format knows of its directories, for one walk. A `Place` is where an entry is found, its path with it; a `Name` is
 * what a directory's list tells of a child, and becomes a place when its turn comes.
 */
export interface Tree<Place, Name> {
  /** Of the volume, for errors. */
  readonly name: string;
  readonly ctx: Context;
  root(): Awaitable<Place>;
  /** Undefined for what is left out. */
  entry(place: Place): Awaitable<Entry | undefined>;
  /** The same number for the same directory only; undefined for one that holds nothing and is not entered. */
  key(place: Place, directory: DirectoryEntry): number | undefined;
  /** What a directory holds, in byte order. */
  list(place: Place, directory: DirectoryEntry): Awaitable<readonly Name[]>;
  child(place: Place, name: Name, directory: DirectoryEntry): Awaitable<Place>;
  /** The format's errors. */
  directoryRevisited(place: Place, directory: DirectoryEntry): ConverterError;
  tooDeep(depth: number, file: string, path: BytePath): ConverterError;
  tooManyEntries(entries: number, file: string): ConverterError;
}

interface OpenDirectory<Place, Name> {
  readonly place: Place;
  readonly entry: DirectoryEntry;
  readonly names: readonly Name[];
  next: number;
}

/**
 * `FileSystem.walk` over any format's directories. A directory that is met a second time, entered or not, nesting beyond
 * `limits.depth` and more than `limits.entries` are refused. Over a local file it awaits nothing between two entries.
 */
export async function* walk<Place, Name>(
  tree: Tree<Place, Name>,
  enter: (directory: DirectoryEntry) => boolean = () => true,
): AsyncIterable<Entry> {
  const { signal, limits } = tree.ctx;
  const seen = new Set<number>();
  const open: OpenDirectory<Place, Name>[] = [];
  const root = tree.root();
  let place = isPromise(root) ? await root : root;
  for (let count = 1; ; count++) {
    if (count > limits.entries) throw tree.tooManyEntries(limits.entries, tree.name);
    signal.throwIfAborted();
    const reading = tree.entry(place);
    const entry = isPromise(reading) ? await reading : reading;
    if (entry !== undefined) yield entry;
    const key = entry?.type === "directory" ? tree.key(place, entry) : undefined;
    if (entry?.type === "directory" && key !== undefined) {
      if (seen.has(key)) throw tree.directoryRevisited(place, entry);
      seen.add(key);
      if (enter(entry)) {
        if (open.length >= limits.depth) throw tree.tooDeep(limits.depth, tree.name, entry.path);
        const listing = tree.list(place, entry);
        open.push({ place, entry, names: isPromise(listing) ? await listing : listing, next: 0 });
      }
    }
    const following = nextChild(tree, open);
    if (following === undefined) return;
    place = isPromise(following) ? await following : following;
  }
}

function nextChild<Place, Name>(
  tree: Tree<Place, Name>,
  open: OpenDirectory<Place, Name>[],
): Awaitable<Place> | undefined {
  for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
    const name = top.names[top.next++];
    if (name !== undefined) return tree.child(top.place, name, top.entry);
    open.pop();
  }
  return undefined;
}

/** Follows the names of `path` from `root` on. `child` answers undefined for what is no directory or has no such name. */
export function* descend<Place>(
  path: BytePath,
  root: Place,
  child: (place: Place, name: BytePath) => Steps<Place | undefined>,
): Steps<Place | undefined> {
  let place = root;
  for (const name of path.split("/")) {
    if (name === "") continue;
    const next = yield* child(place, name);
    if (next === undefined) return undefined;
    place = next;
  }
  return place;
}
