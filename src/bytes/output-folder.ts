import { randomUUID } from "node:crypto";
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { OutputError } from "../errors.ts";
import { type BytePath, bytePath, displayPath, parentPath, pathBytes } from "./byte-path.ts";
import { type OutputOptions, outputExists, outputFailed } from "./output-file.ts";

/**
 * A folder of files that is seen only once it is whole: it is filled under a temporary name beside its place and renamed by
 * `commit`. With `force` it takes the place of a folder that holds nothing but files of the same names. Disposing it without a
 * commit leaves nothing behind. Throws OutputError OUTPUT_EXISTS, OUTPUT_FOREIGN, OUTPUT_PLACE; InputOutputError OUTPUT_FAILED.
 */
export class OutputFolder implements AsyncDisposable {
  /** For messages. */
  readonly name: string;
  readonly #options: OutputOptions;
  readonly #temp: string;
  readonly #files = new Set<BytePath>();
  #committed = false;

  private constructor(name: string, options: OutputOptions, temp: string) {
    this.name = name;
    this.#options = options;
    this.#temp = temp;
  }

  static async open(path: string, options: OutputOptions): Promise<OutputFolder> {
    const place = resolve(path);
    const temp = join(dirname(place), `.${basename(place)}.${randomUUID()}.transload-part`);
    const folder = new OutputFolder(path, options, temp);
    try {
      await folder.#present();
      await mkdir(temp);
      return folder;
    } catch (cause) {
      throw outputFailed(cause, path);
    }
  }

  /** A new file below the folder, which the caller closes. `path` is relative and without `..`: whoever asks has seen to that. */
  async create(path: BytePath): Promise<FileHandle> {
    try {
      await mkdir(this.#inside(parentPath(path)), { recursive: true });
      const handle = await open(this.#inside(path), "wx+", 0o666);
      this.#files.add(path);
      return handle;
    } catch (cause) {
      throw outputFailed(cause, displayPath(path));
    }
  }

  async commit(): Promise<void> {
    try {
      const present = await this.#present();
      const foreign = present?.find((path) => !this.#files.has(path));
      if (foreign !== undefined) throw outputForeign(foreign, this.name);
      const old = `${this.#temp}.old`;
      if (present !== undefined) await rename(this.name, old);
      await rename(this.#temp, this.name);
      this.#committed = true;
      await rm(old, { recursive: true, force: true });
    } catch (cause) {
      throw outputFailed(cause, this.name);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#committed) await rm(this.#temp, { recursive: true, force: true });
  }

  #inside(path: BytePath): Buffer {
    return Buffer.concat([Buffer.from(`${this.#temp}/`), pathBytes(path)]);
  }

  /** Files that stand at the place; undefined where there is no folder. */
  async #present(): Promise<readonly BytePath[] | undefined> {
    const found = await stat(this.name).catch(() => undefined);
    if (found === undefined) return undefined;
    if (!found.isDirectory()) throw outputExists(this.name);
    const entries = await readdir(this.name, { recursive: true, withFileTypes: true });
    if (entries.length > 0 && !this.#options.force) throw outputExists(this.name);
    return entries
      .filter((entry) => !entry.isDirectory())
      .map((entry) => bytePath(join(entry.parentPath, entry.name).slice(join(this.name, "/").length)));
  }
}

function outputForeign(path: BytePath, file: string): OutputError {
  return new OutputError(
    "OUTPUT_FOREIGN",
    `the folder holds ${JSON.stringify(displayPath(path))}, which would be lost`,
    { where: { file }, advice: "choose another folder, or take away what is in it" },
  );
}
