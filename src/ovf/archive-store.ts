import { type BytePath, displayPath } from "../bytes/byte-path.ts";
import type { ByteSource } from "../bytes/byte-source.ts";
import { Slice } from "../bytes/slice.ts";
import { folded, type MemberStore, normalised, type StoredFile } from "./member-store.ts";
import { memberDuplicate } from "./package-errors.ts";

/** The files of an archive, read where they lie in it. */
export class ArchiveStore implements MemberStore {
  readonly name: string;
  readonly files: readonly StoredFile[];
  readonly #archive: ByteSource;
  readonly #byName = new Map<string, StoredFile>();
  readonly #byFold = new Map<string, StoredFile>();

  /**
   * Takes ownership of `archive`. A name that occurs twice throws CorruptError OVF_MEMBER_DUPLICATE: whoever unpacks gets the
   * last, whoever streams gets the first, and a manifest that fits one would vouch for the other.
   */
  constructor(archive: ByteSource, files: readonly StoredFile[]) {
    this.name = archive.name;
    this.files = files;
    this.#archive = archive;
    for (const file of files) {
      const key = normalised(file.name);
      if (this.#byName.has(key)) throw memberDuplicate(displayPath(file.name), archive.name, file.offset ?? 0);
      this.#byName.set(key, file);
      const fold = folded(key);
      if (!this.#byFold.has(fold)) this.#byFold.set(fold, file);
    }
  }

  exact(name: BytePath): StoredFile | undefined {
    return this.#byName.get(name);
  }

  similar(name: BytePath): StoredFile | undefined {
    return this.#byFold.get(folded(name));
  }

  open(file: StoredFile): ByteSource {
    const name = displayPath(file.name);
    return new Slice(this.#archive, file.offset ?? 0, file.size, name === this.name ? name : `${name} in ${this.name}`);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve(this.#archive[Symbol.asyncDispose]());
  }
}

/** A source that is a whole package by itself. Takes ownership of it. */
export function singleStore(source: ByteSource, name: BytePath): ArchiveStore {
  return new ArchiveStore(source, [{ name, size: source.size, offset: 0 }]);
}
