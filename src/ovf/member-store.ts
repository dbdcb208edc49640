import { type BytePath, bytePath, pathBytes } from "../bytes/byte-path.ts";
import type { Awaitable, ByteSource } from "../bytes/byte-source.ts";
import { hrefProblem } from "./href.ts";

/** A file of a package, wherever that keeps its files. */
export interface StoredFile {
  /** As stored. */
  readonly name: BytePath;
  /** Bytes. */
  readonly size: number;
  /** Where the content begins in the archive; undefined in a folder. */
  readonly offset: number | undefined;
}

/** The files of a package by name, without a meaning. Names to look up are normalised: see {@link normalised}. */
export interface MemberStore extends AsyncDisposable {
  /** The name of the archive or folder, for messages. */
  readonly name: string;
  exact(name: BytePath): StoredFile | undefined;
  /** Equal but for case and Unicode normal form. */
  similar(name: BytePath): StoredFile | undefined;
  /** The bytes as stored. The store owns the source. */
  open(file: StoredFile): Awaitable<ByteSource>;
}

/** Without "." and empty parts; a backslash separates too. */
export function normalised(name: string): string {
  return name
    .split(/[\\/]/)
    .filter((part) => part !== "" && part !== ".")
    .join("/");
}

/** What names have in common that differ in case or normal form only. */
export function folded(name: BytePath): string {
  return pathBytes(name).toString("utf8").normalize("NFC").toLowerCase();
}

function percentDecoded(name: string): string | undefined {
  try {
    return decodeURIComponent(name);
  } catch {
    return undefined;
  }
}

export interface Found {
  readonly file: StoredFile;
  /** Found only by disregarding case or normal form. */
  readonly similar: boolean;
}

/**
 * The file that a reference means, tried as written, percent-decoded and in the other normal forms, beside `folder` and then
 * from the top; only then with case disregarded. Decoding never comes first: "url%24encoded%a-1.vmdk" is a real file name.
 * A name that leads out of the package, before or after decoding, is not found.
 */
export function findMember(store: MemberStore, name: string, folder: BytePath): Found | undefined {
  const spellings = [name, percentDecoded(name)].filter(
    (spelling) => spelling !== undefined && hrefProblem(spelling) === undefined,
  ) as string[];
  const forms = spellings.flatMap((spelling) => [spelling, spelling.normalize("NFC"), spelling.normalize("NFD")]);
  const relative = [...new Set(forms.map((form) => bytePath(normalised(form))))].filter((path) => path !== "");
  const paths = folder === "" ? relative : [...relative.map((path) => `${folder}/${path}`), ...relative];
  for (const path of paths) {
    const file = store.exact(path);
    if (file !== undefined) return { file, similar: false };
  }
  for (const path of paths) {
    const file = store.similar(path);
    if (file !== undefined) return { file, similar: true };
  }
  return undefined;
}
