import type { BytePath } from "../../src/bytes/byte-path.ts";
import { systemdWords } from "./words.ts";

/** A unit file with its drop-ins, systemd.syntax(7): sections, and for each key its values in order. */
export class SystemdUnit {
  /** `nginx.service`, `postgresql@14-main.service`. */
  readonly name: string;
  readonly path: BytePath;
  readonly #values = new Map<string, string[]>();

  /** `texts` are the unit file, which lies at `path`, and then its drop-ins. */
  constructor(name: string, path: BytePath, texts: readonly string[]) {
    this.name = name;
    this.path = path;
    for (const text of texts) this.#parse(text);
  }

  /** All values; an empty assignment discards those before it. */
  all(section: string, key: string): readonly string[] {
    return this.#values.get(`${section}.${key}`) ?? [];
  }

  /** The value that counts where only one can. */
  last(section: string, key: string): string | undefined {
    return this.all(section, key).at(-1);
  }

  /** Values as lists of words, joined. */
  words(section: string, key: string): readonly string[] {
    return this.all(section, key).flatMap((value) => systemdWords(value) ?? []);
  }

  /** What stands between `@` and the suffix; undefined for a unit that is no instance. */
  get instance(): string | undefined {
    return /^[^@]+@(.+)\.[^.]+$/.exec(this.name)?.[1];
  }

  #parse(text: string): void {
    let section = "";
    for (const line of text.replace(/\\\r?\n(?:[ \t]*[#;][^\n]*\n)*/g, " ").split("\n")) {
      const trimmed = line.trim();
      if (trimmed === "" || /^[#;]/.test(trimmed)) continue;
      const heading = /^\[([^\]]+)\]$/.exec(trimmed);
      if (heading) section = heading[1] ?? "";
      else this.#assign(section, trimmed);
    }
  }

  #assign(section: string, line: string): void {
    const equals = line.indexOf("=");
    if (equals < 0) return;
    const key = `${section}.${line.slice(0, equals).trim()}`;
    const value = line.slice(equals + 1).trim();
    if (value === "") this.#values.delete(key);
    else if (this.#values.has(key)) this.#values.get(key)?.push(value);
    else this.#values.set(key, [value]);
  }
}

/** `a@b.service` -> `a@.service`; other names as they are. */
export function templateOf(name: string): string {
  return name.replace(/^([^@]+)@.+(\.[^.]+)$/, "$1@$2");
}

/**
 * systemd.unit(5) "Specifiers", for the system manager; undefined where one has no value outside a running machine.
 */
export function resolveSpecifiers(text: string, name: string): string | undefined {
  const stem = name.replace(/\.[^.]+$/, "");
  const [prefix = "", ...rest] = stem.split("@");
  const instance = rest.join("@");
  const values: Readonly<Record<string, string>> = {
    "%": "%",
    n: name,
    N: stem,
    p: prefix,
    P: unescapeName(prefix),
    i: instance,
    I: unescapeName(instance),
    f: `/${unescapeName(instance || prefix)}`,
    j: prefix.split("-").at(-1) ?? "",
    t: "/run",
    S: "/var/lib",
    C: "/var/cache",
    L: "/var/log",
    E: "/etc",
    T: "/tmp",
    V: "/var/tmp",
    u: "root",
    U: "0",
    g: "root",
    G: "0",
    h: "/root",
    s: "/bin/sh",
  };
  let known = true;
  const resolved = text.replace(/%([\s\S])/g, (_, specifier: string) => {
    const value = Object.hasOwn(values, specifier) ? values[specifier] : undefined;
    known &&= value !== undefined;
    return value ?? "";
  });
  return known ? resolved : undefined;
}

/** systemd-escape(1) backwards. */
function unescapeName(name: string): string {
  return name
    .replace(/-/g, "/")
    .replace(/\\x([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
