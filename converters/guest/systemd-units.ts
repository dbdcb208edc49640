import { type BytePath, baseName, joinPath } from "../../src/bytes/byte-path.ts";
import type { Entry } from "../../src/bytes/entry.ts";
import type { Context } from "../../src/context.ts";
import { namesIn, readText, readTexts } from "./configuration.ts";
import { SystemdUnit, templateOf } from "./systemd-unit.ts";
import type { GuestTree } from "./tree.ts";

/** systemd.unit(5) "Unit File Load Path", the first counts; what lies under /run is gone when the machine is off. */
const DIRECTORIES: readonly BytePath[] = [
  "etc/systemd/system",
  "usr/local/lib/systemd/system",
  "usr/lib/systemd/system",
  "lib/systemd/system",
];

const STARTED_TARGETS = ["multi-user.target", "graphical.target", "default.target"];

/** The unit files of a machine with systemd. */
export class SystemdUnits {
  readonly #tree: GuestTree;
  readonly #ctx: Context;
  /** Load paths without repetition (/lib may be /usr/lib), as real paths. */
  readonly #directories: readonly BytePath[];
  readonly #files: ReadonlyMap<string, Entry>;
  /** Drop-in folders and lists of links: asking only for those that exist saves a walk for each that does not. */
  readonly #folders: ReadonlySet<BytePath>;

  private constructor(tree: GuestTree, ctx: Context, directories: BytePath[], listed: readonly Entry[]) {
    this.#tree = tree;
    this.#ctx = ctx;
    this.#directories = directories;
    this.#folders = new Set(listed.filter(({ type }) => type === "directory").map(({ path }) => path));
    const files = new Map<string, Entry>();
    for (const entry of listed) {
      const name = baseName(entry.path);
      if (entry.type !== "directory" && !files.has(name)) files.set(name, entry);
    }
    this.#files = files;
  }

  static async open(tree: GuestTree, ctx: Context): Promise<SystemdUnits> {
    const directories: BytePath[] = [];
    let listed: readonly Entry[] = [];
    for (const path of DIRECTORIES) {
      const directory = await tree.follow(path);
      if (directory?.type !== "directory" || directories.includes(directory.path)) continue;
      directories.push(directory.path);
      listed = listed.concat(await tree.list(directory.path));
    }
    return new SystemdUnits(tree, ctx, directories, listed);
  }

  /** Every unit file's name, aliases, templates and masked ones included. */
  get names(): readonly string[] {
    return [...this.#files.keys()];
  }

  /** The units that the targets of a started machine want, by their own names, not masked, sorted. */
  async wanted(): Promise<string[]> {
    return this.#linked(STARTED_TARGETS);
  }

  /** The .socket units that are enabled. */
  async sockets(): Promise<string[]> {
    return (await this.#linked([...STARTED_TARGETS, "sockets.target"])).filter((name) => name.endsWith(".socket"));
  }

  async #linked(targets: readonly string[]): Promise<string[]> {
    const found = new Set<string>();
    for (const directory of this.#directories) {
      for (const target of targets.flatMap((name) => [`${name}.wants`, `${name}.requires`])) {
        const links = joinPath(directory, target);
        if (!this.#folders.has(links)) continue;
        for (const name of await namesIn(this.#tree, links)) found.add(this.realName(name));
      }
    }
    return [...found].filter((name) => !this.masked(name)).sort();
  }

  /** An alias's target; templates keep their instance. */
  realName(name: string): string {
    const entry = this.#files.get(name);
    if (entry?.type !== "symlink") return name;
    const target = baseName(entry.target);
    return target !== "null" && target !== name && this.#files.has(target) ? target : name;
  }

  /** True for units that a symlink to /dev/null or an empty file turns off. */
  masked(name: string): boolean {
    const entry = this.#files.get(name) ?? this.#files.get(templateOf(name));
    if (entry?.type === "symlink") return entry.target === "/dev/null";
    return entry?.type === "file" && entry.size === 0;
  }

  /** A unit with its drop-ins; undefined if it is masked or has no file. */
  async load(name: string): Promise<SystemdUnit | undefined> {
    const template = templateOf(name);
    const entry = this.#files.get(name) ?? this.#files.get(template);
    if (entry === undefined || this.masked(name)) return undefined;
    const text = await readText(this.#tree, entry.path, this.#ctx);
    if (text === undefined) return undefined;
    let texts = [text];
    for (const directory of [...this.#directories].reverse()) {
      for (const unit of new Set([template, name])) {
        const dropIns = joinPath(directory, `${unit}.d`);
        if (this.#folders.has(dropIns)) texts = texts.concat(await readTexts(this.#tree, dropIns, ".conf", this.#ctx));
      }
    }
    return new SystemdUnit(name, entry.path, texts);
  }
}
