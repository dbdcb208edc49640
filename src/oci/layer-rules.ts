import { type BytePath, displayPath } from "../bytes/byte-path.ts";
import type { Entry } from "../bytes/entry.ts";
import type { Where } from "../errors.ts";
import type { LayerItem } from "./layer-reader.ts";

/** Something that a check found. An `error` is refused or read wrongly by some container client. */
export interface Finding {
  readonly severity: "error" | "warning" | "info";
  readonly code: string;
  readonly message: string;
  readonly where: Where;
}

/** Paths of one layer that are remembered: some 100 bytes each. */
const MOST_PATHS = 4_000_000;
const MOST_LINKS = 40;
/** Later times are lost in clients that count nanoseconds in 64 bits. */
const LAST_SECOND = 9_223_372_036;

const NAMESPACES = /^(?:user|trusted|security)\.|^system\.posix_acl_(?:access|default)$/;

/** What real clients make of the entries of one layer, entry by entry: duplicates, links, names and attributes that some of them refuse or lose. */
export class LayerRules {
  readonly #file: string;
  readonly #isLowest: boolean;
  readonly #mostPaths: number;
  /** Path to a symlink's target, or to undefined for everything else. */
  readonly #paths = new Map<BytePath, BytePath | undefined>();
  readonly #findings: Finding[] = [];
  #isFull = false;

  /** `isLowest`: there is no layer below in which a link's target could be. */
  constructor(file: string, isLowest: boolean, mostPaths: number = MOST_PATHS) {
    this.#file = file;
    this.#isLowest = isLowest;
    this.#mostPaths = mostPaths;
  }

  /** What is wrong with this item, given those before it. */
  check(item: LayerItem): readonly Finding[] {
    this.#findings.length = 0;
    if (item.kind === "entry") {
      this.#place(item.entry.path, item.entry.type === "symlink" ? item.entry.target : undefined);
      this.#entry(item.entry);
    } else if (item.kind === "link") {
      this.#link(item.path, item.target);
      this.#place(item.path, undefined);
      this.#attributes(item.path, item.attributes);
    }
    return [...this.#findings];
  }

  #add(severity: Finding["severity"], code: string, message: string, path: BytePath): void {
    this.#findings.push({ severity, code, message, where: { file: this.#file, path: displayPath(path) } });
  }

  #place(path: BytePath, target: BytePath | undefined): void {
    if (this.#paths.has(path)) {
      this.#add(
        "error",
        "LAYER_DUPLICATE_PATH",
        "a path stands twice in one layer, which docker and podman refuse",
        path,
      );
      return;
    }
    if (this.#paths.size < this.#mostPaths) this.#paths.set(path, target);
    else if (!this.#isFull) {
      this.#isFull = true;
      this.#add(
        "info",
        "LAYER_PATHS_UNCHECKED",
        `only the first ${this.#mostPaths} paths are checked for duplicates`,
        path,
      );
    }
  }

  #link(path: BytePath, target: BytePath): void {
    if (this.#isFull || this.#paths.has(target) || this.#paths.has(this.#resolved(target))) return;
    const severity = this.#isLowest ? "error" : "warning";
    this.#add(
      severity,
      "LAYER_LINK_TARGET",
      `the hard link's target ${JSON.stringify(displayPath(target))} does not stand before it`,
      path,
    );
  }

  /** `path` with the symlinks of this layer followed, except the last part. */
  #resolved(path: BytePath): BytePath {
    let pending = path.split("/");
    let at: string[] = [];
    for (let links = 0; pending.length > 1; ) {
      const part = pending.shift() as string;
      if (part === "..") at.pop();
      if (part === "" || part === "." || part === "..") continue;
      at.push(part);
      const target = this.#paths.get(at.join("/"));
      if (target === undefined) continue;
      if (++links > MOST_LINKS) return path;
      at = target.startsWith("/") ? [] : at.slice(0, -1);
      pending = [...target.split("/"), ...pending];
    }
    return [...at, ...pending].join("/");
  }

  #entry(entry: Entry): void {
    this.#attributes(entry.path, entry);
    if (entry.type === "character-device" && entry.major === 0 && entry.minor === 0) {
      this.#add(
        "warning",
        "LAYER_DEVICE_ZERO",
        "a character device 0:0 is a whiteout to docker and podman",
        entry.path,
      );
    }
    if (entry.type === "symlink" && [...entry.xattrs.keys()].some((name) => name.startsWith("user."))) {
      this.#add("error", "LAYER_XATTR", "a user attribute on a symlink, which podman refuses", entry.path);
    }
  }

  #attributes(path: BytePath, { xattrs, mtime }: Pick<Entry, "xattrs" | "mtime">): void {
    for (const name of xattrs.keys()) {
      if (NAMESPACES.test(name)) continue;
      this.#add(
        "error",
        "LAYER_XATTR",
        `the attribute ${JSON.stringify(displayPath(name))}, which docker refuses`,
        path,
      );
    }
    if (mtime.seconds < 0 || mtime.seconds > LAST_SECOND) {
      this.#add("info", "LAYER_TIME", `the time ${mtime.seconds} is lost in docker and podman`, path);
    }
  }
}
