import { closeSync, constants, fstatSync, openSync, readdirSync, realpathSync, statSync } from "node:fs";
import { sep } from "node:path";
import { type BytePath, bytePath, displayPath, pathBytes } from "../bytes/byte-path.ts";
import type { ByteSource } from "../bytes/byte-source.ts";
import { FileSource, fileError } from "../bytes/file-source.ts";
import { folded, type MemberStore, type StoredFile } from "./member-store.ts";
import { memberNotRegular, memberOutside } from "./package-errors.ts";

const ABSENT: ReadonlySet<string | undefined> = new Set(["ENOENT", "ENOTDIR", "ENAMETOOLONG"]);

/** The files of a folder, symbolic links inside it included, links that lead out of it refused. */
export class FolderStore implements MemberStore {
  readonly name: string;
  /** Without links. */
  readonly #folder: BytePath;
  readonly #listings = new Map<BytePath, readonly BytePath[]>();
  readonly #open = new Map<BytePath, FileSource>();

  /** Throws NotFoundError or InputOutputError. */
  constructor(folder: string) {
    this.name = folder;
    try {
      this.#folder = realpathSync(folder, "latin1");
    } catch (cause) {
      throw fileError(cause, folder);
    }
  }

  /** Names of what lies directly in the folder, in byte order. */
  list(): readonly BytePath[] {
    return this.#listing("");
  }

  /** Throws UnsupportedError OVF_MEMBER_OUTSIDE for a link that leads out, OVF_MEMBER_NOT_REGULAR for what is no file. */
  exact(name: BytePath): StoredFile | undefined {
    const real = this.#real(name);
    if (real === undefined) return undefined;
    const stat = statSync(pathBytes(real), { throwIfNoEntry: false });
    if (stat === undefined) return undefined;
    if (!stat.isFile()) throw memberNotRegular(displayPath(name), this.name);
    return { name, size: stat.size, offset: undefined };
  }

  similar(name: BytePath): StoredFile | undefined {
    let path = "";
    for (const part of name.split("/")) {
      const wanted = folded(part);
      const found = this.#listing(path).find((candidate) => folded(candidate) === wanted);
      if (found === undefined) return undefined;
      path = path === "" ? found : `${path}/${found}`;
    }
    return this.exact(path);
  }

  open(file: StoredFile): ByteSource {
    const known = this.#open.get(file.name);
    if (known !== undefined) return known;
    const label = displayPath(file.name);
    const real = this.#real(file.name);
    try {
      // The path has no links left; should somebody put one or a pipe there meanwhile, neither is followed nor waited for.
      const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
      const fd = openSync(pathBytes(real ?? `${this.#folder}/${file.name}`), flags);
      const stat = fstatSync(fd);
      if (!stat.isFile()) {
        closeSync(fd);
        throw memberNotRegular(label, this.name);
      }
      const source = new FileSource(fd, label, stat.size);
      this.#open.set(file.name, source);
      return source;
    } catch (cause) {
      throw fileError(cause, label);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const source of this.#open.values()) await source[Symbol.asyncDispose]();
    this.#open.clear();
  }

  #real(name: BytePath): BytePath | undefined {
    let real: BytePath;
    try {
      real = realpathSync(pathBytes(`${this.#folder}/${name}`), "latin1");
    } catch (cause) {
      if (ABSENT.has((cause as NodeJS.ErrnoException).code)) return undefined;
      throw fileError(cause, displayPath(name));
    }
    const inside = this.#folder.endsWith(sep) ? this.#folder : `${this.#folder}${sep}`;
    if (!real.startsWith(inside)) throw memberOutside(displayPath(name), this.name);
    return real;
  }

  #listing(path: BytePath): readonly BytePath[] {
    const known = this.#listings.get(path);
    if (known !== undefined) return known;
    let names: readonly BytePath[] = [];
    try {
      names = readdirSync(pathBytes(`${this.#folder}/${path}`), "latin1").sort();
    } catch (cause) {
      if (!ABSENT.has((cause as NodeJS.ErrnoException).code)) throw fileError(cause, this.name);
    }
    this.#listings.set(path, names);
    return names;
  }
}

/** The folder and the name of a file, links resolved: what stands beside the real file belongs to it. */
export function realPlace(path: string): { readonly folder: string; readonly name: BytePath } {
  try {
    const real = realpathSync(path);
    const cut = real.lastIndexOf(sep);
    return { folder: cut === 0 ? sep : real.slice(0, cut), name: bytePath(real.slice(cut + 1)) };
  } catch (cause) {
    throw fileError(cause, path);
  }
}
