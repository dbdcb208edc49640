import type { BytePath } from "../../src/bytes/byte-path.ts";
import type { DirectoryEntry, Entry, FileEntry } from "../../src/bytes/entry.ts";
import type { Context } from "../../src/context.ts";
import type { Files, FilesOptions } from "../files.ts";
import { PathPatterns } from "../guest/path-patterns.ts";
import { FILE_ASPECTS, type FileAspect } from "./aspects.ts";
import { type ContentDigests, contentDigests } from "./content-digests.ts";
import { openSideAt } from "./sides.ts";

export interface FileDiffOptions extends FilesOptions {
  readonly ignore?: readonly FileAspect[];
  /** Paths that are left out on both sides, with all below them: patterns as those of `convert --exclude`. */
  readonly exclude?: readonly string[];
}

/** What of an entry differs. Times are seconds with nine decimals, attributes are in base64, `null` is what is not there. */
export interface AspectDifference {
  readonly aspect:
    | "type"
    | "size"
    | "sha256"
    | "target"
    | "device"
    | "mode"
    | "uid"
    | "gid"
    | "mtime"
    | "link"
    | `xattr ${string}`;
  readonly a: string | number | null;
  readonly b: string | number | null;
}

/** One path at which two sides differ. */
export type FileDifference =
  | { readonly change: "only-a" | "only-b"; readonly path: BytePath; readonly entry: Entry }
  | { readonly change: "changed"; readonly path: BytePath; readonly aspects: readonly AspectDifference[] };

/** Paths, counted. */
export interface FileDiffSummary {
  readonly same: number;
  readonly onlyA: number;
  readonly onlyB: number;
  readonly changed: number;
}

/**
 * Compares the files of two references by content and metadata, path by path: both sides give their entries in the same
 * order, so that neither is held in memory. An image of a disk or package is compared by its machine's files. Each difference goes
 * to `report` as it is found.
 */
export async function diffFiles(
  a: string,
  b: string,
  options: FileDiffOptions,
  report: (difference: FileDifference) => void | Promise<void>,
  ctx: Context,
): Promise<FileDiffSummary> {
  await using left = await openSideAt(a, options, ctx);
  await using right = await openSideAt(b, options, ctx);
  const comparison = new Comparison(await sideOf(left, options, ctx), await sideOf(right, options, ctx), options);
  const counts = { same: 0, onlyA: 0, onlyB: 0, changed: 0 };
  const exclude = new PathPatterns(options.exclude ?? []);
  for await (const [one, other] of paired(entries(left, exclude, ctx), entries(right, exclude, ctx))) {
    const difference = await comparison.compare(one, other);
    if (difference === undefined) counts.same++;
    else {
      if (difference.change === "changed") counts.changed++;
      else counts[difference.change === "only-a" ? "onlyA" : "onlyB"]++;
      await report(difference);
    }
  }
  return counts;
}

async function sideOf(files: Files, { ignore = [] }: FileDiffOptions, ctx: Context): Promise<Side> {
  const digests = ignore.includes("content") ? undefined : await contentDigests(files, ctx);
  return { digests, firstNames: new Map() };
}

async function* entries(files: Files, exclude: PathPatterns, ctx: Context): AsyncGenerator<Entry, void> {
  const isOut = (entry: Entry) => Number.isFinite(exclude.first(entry.path, entry.type === "directory"));
  for await (const entry of files.tree.walk((directory: DirectoryEntry) => !isOut(directory))) {
    ctx.signal.throwIfAborted();
    if (!isOut(entry)) yield entry;
  }
}

/** Two sequences in the order of a walk, joined by path. */
async function* paired(
  a: AsyncGenerator<Entry, void>,
  b: AsyncGenerator<Entry, void>,
): AsyncGenerator<readonly [Entry | undefined, Entry | undefined], void> {
  try {
    let one = await next(a);
    let other = await next(b);
    while (one !== undefined || other !== undefined) {
      const order = one === undefined ? 1 : other === undefined ? -1 : inWalk(one.path, other.path);
      yield [order <= 0 ? one : undefined, order >= 0 ? other : undefined];
      if (order <= 0) one = await next(a);
      if (order >= 0) other = await next(b);
    }
  } finally {
    await a.return();
    await b.return();
  }
}

async function next(entries: AsyncGenerator<Entry, void>): Promise<Entry | undefined> {
  return (await entries.next()).value ?? undefined;
}

/** Names in byte order, and what a directory holds right after it: as if the slash were the lowest of all characters. */
function inWalk(a: BytePath, b: BytePath): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const one = a.charCodeAt(at);
    const other = b.charCodeAt(at);
    if (one !== other) return (one === SLASH ? -1 : one) - (other === SLASH ? -1 : other);
  }
  return a.length - b.length;
}

const SLASH = 0x2f;

interface Side {
  /** Undefined where contents do not count. */
  readonly digests: ContentDigests | undefined;
  /** Of files with several names: the first one in the order of the walk. */
  readonly firstNames: Map<number, BytePath>;
}

class Comparison {
  readonly #a: Side;
  readonly #b: Side;
  readonly #counts: ReadonlySet<FileAspect>;

  constructor(a: Side, b: Side, { ignore = [] }: FileDiffOptions) {
    this.#a = a;
    this.#b = b;
    this.#counts = new Set(FILE_ASPECTS.filter((aspect) => !ignore.includes(aspect)));
  }

  async compare(a: Entry | undefined, b: Entry | undefined): Promise<FileDifference | undefined> {
    const linkA = a && firstName(a, this.#a);
    const linkB = b && firstName(b, this.#b);
    if (a === undefined || b === undefined) {
      const entry = a ?? b;
      return entry && { change: a === undefined ? "only-b" : "only-a", path: entry.path, entry };
    }
    const aspects: AspectDifference[] = [];
    const add = (aspect: AspectDifference["aspect"], one: string | number | null, other: string | number | null) => {
      if (one !== other) aspects.push({ aspect, a: one, b: other });
    };
    add("type", a.type, b.type);
    if (a.type === b.type) await this.#content(a, b, add);
    if (this.#counts.has("mode") && a.type !== "symlink") add("mode", octal(a.mode), octal(b.mode));
    if (this.#counts.has("owner")) {
      add("uid", a.uid, b.uid);
      add("gid", a.gid, b.gid);
    }
    if (this.#counts.has("mtime")) add("mtime", timeText(a), timeText(b));
    if (this.#counts.has("xattrs")) xattrs(a, b, add);
    if (this.#counts.has("links")) add("link", linkA ?? null, linkB ?? null);
    return aspects.length === 0 ? undefined : { change: "changed", path: a.path, aspects };
  }

  async #content(a: Entry, b: Entry, add: AddAspect): Promise<void> {
    if (a.type === "symlink" && b.type === "symlink") add("target", a.target, b.target);
    if ("major" in a && "major" in b) add("device", `${a.major}:${a.minor}`, `${b.major}:${b.minor}`);
    if (a.type !== "file" || b.type !== "file" || !this.#counts.has("content")) return;
    add("size", a.size, b.size);
    if (a.size === b.size && a.size > 0) add("sha256", await digestOf(this.#a, a), await digestOf(this.#b, b));
  }
}

type AddAspect = (aspect: AspectDifference["aspect"], a: string | number | null, b: string | number | null) => void;

async function digestOf({ digests }: Side, file: FileEntry): Promise<string | null> {
  return digests === undefined ? null : await digests.of(file);
}

/** Undefined for a file's only or first name, else the first one. */
function firstName(entry: Entry, { firstNames }: Side): BytePath | undefined {
  if (entry.links <= 1 || entry.type === "directory") return undefined;
  const known = firstNames.get(entry.inode);
  if (known === undefined) firstNames.set(entry.inode, entry.path);
  return known;
}

function xattrs(a: Entry, b: Entry, add: AddAspect): void {
  if (a.xattrs.size === 0 && b.xattrs.size === 0) return;
  const text = (value: Uint8Array | undefined) => (value === undefined ? null : Buffer.from(value).toString("base64"));
  for (const name of new Set([...a.xattrs.keys(), ...b.xattrs.keys()].sort())) {
    add(`xattr ${name}`, text(a.xattrs.get(name)), text(b.xattrs.get(name)));
  }
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}

function timeText({ mtime: { seconds, nanoseconds } }: Entry): string {
  return `${seconds}.${`${nanoseconds}`.padStart(9, "0")}`;
}
