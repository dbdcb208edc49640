import type { CorruptError } from "../errors.ts";
import { documentForm, documentTooLarge, duplicateKey } from "./errors.ts";

/** JSON whose shape is not known yet. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** What clients accept for a manifest or a config: 4 MiB. */
export const DOCUMENT_LIMIT = 4 << 20;

const UTF8 = new TextDecoder("utf-8", { fatal: true });

/**
 * I-JSON, as the image specification wants it: UTF-8 and no key twice in one object, so that no two readers can disagree on
 * what a digest stands for. Throws CorruptError OCI_DOCUMENT_TOO_LARGE, OCI_DOCUMENT_FORM or OCI_DUPLICATE_KEY.
 */
export function parseJson(bytes: Uint8Array, file: string, limit: number = DOCUMENT_LIMIT): Json {
  if (bytes.length > limit) throw documentTooLarge(file, bytes.length, limit);
  let text: string;
  let value: Json;
  try {
    text = UTF8.decode(bytes);
    value = JSON.parse(text) as Json;
  } catch {
    throw documentForm(file, "a document is not JSON in UTF-8");
  }
  const duplicate = firstDuplicate(text);
  if (duplicate !== undefined) throw duplicateKey(file, duplicate);
  return value;
}

/** `text` is known to be JSON, so only strings and brackets need a look. */
function firstDuplicate(text: string): string | undefined {
  const open: (Set<string> | undefined)[] = [];
  const colon = /\s*:/y;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === "{") open.push(new Set());
    else if (character === "[") open.push(undefined);
    else if (character === "}" || character === "]") open.pop();
    if (character !== '"') continue;
    const start = at;
    for (at++; text[at] !== '"'; at++) if (text[at] === "\\") at++;
    colon.lastIndex = at + 1;
    if (!colon.test(text)) continue;
    const key = JSON.parse(text.slice(start, at + 1)) as string;
    const keys = open.at(-1);
    if (keys?.has(key) === true) return key;
    keys?.add(key);
  }
  return undefined;
}

/** The fields of a JSON object, each read with its type. An optional field may be null, which counts as absent. */
export class Fields {
  readonly file: string;
  readonly #path: string;
  readonly #fields: ReadonlyMap<string, Json>;

  /** `path` leads to the object within the document, for messages; empty for the document itself. */
  constructor(value: Json | undefined, path: string, file: string) {
    this.file = file;
    this.#path = path;
    if (value === null || typeof value !== "object" || Array.isArray(value)) {
      throw documentForm(file, `${path === "" ? "the document" : path} is not an object`);
    }
    this.#fields = new Map(Object.entries(value));
  }

  /** The keys, in the order in which they were written. */
  names(): readonly string[] {
    return [...this.#fields.keys()];
  }

  has(key: string): boolean {
    return (this.#fields.get(key) ?? null) !== null;
  }

  optionalText(key: string): string | undefined {
    const value = this.#fields.get(key) ?? null;
    if (value === null) return undefined;
    if (typeof value !== "string") throw this.#wrong(key, "a string");
    return value;
  }

  text(key: string): string {
    const value = this.optionalText(key);
    if (value === undefined) throw this.#wrong(key, "a string");
    return value;
  }

  /** A whole number from 0 to 2^53 - 1. */
  count(key: string): number {
    const value = this.#fields.get(key);
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
      throw this.#wrong(key, "a whole number that is not negative");
    }
    return value;
  }

  /** True only for `true`. */
  flag(key: string): boolean {
    return this.#fields.get(key) === true;
  }

  /** Empty if absent. */
  texts(key: string): readonly string[] {
    return this.#list(key).map((value) => {
      if (typeof value !== "string") throw this.#wrong(key, "a list of strings");
      return value;
    });
  }

  /** Empty if absent. */
  objects(key: string): readonly Fields[] {
    return this.#list(key).map((value, index) => new Fields(value, `${this.#at(key)}[${index}]`, this.file));
  }

  object(key: string): Fields | undefined {
    return this.has(key) ? new Fields(this.#fields.get(key), this.#at(key), this.file) : undefined;
  }

  /** A map of strings to strings. */
  textMap(key: string): Readonly<Record<string, string>> | undefined {
    const object = this.object(key);
    if (object === undefined) return undefined;
    return Object.fromEntries([...object.#fields.keys()].map((name) => [name, object.optionalText(name) ?? ""]));
  }

  /** The keys of an object whose values say nothing (exposed ports, volumes). */
  keys(key: string): readonly string[] {
    const object = this.object(key);
    return object === undefined ? [] : [...object.#fields.keys()];
  }

  #list(key: string): readonly Json[] {
    const value = this.#fields.get(key) ?? null;
    if (value === null) return [];
    if (!Array.isArray(value)) throw this.#wrong(key, "a list");
    return value;
  }

  #at(key: string): string {
    return this.#path === "" ? key : `${this.#path}.${key}`;
  }

  #wrong(key: string, expected: string): CorruptError {
    return documentForm(this.file, `${this.#at(key)} is not ${expected}`);
  }
}

/** Compact JSON with the keys in the order given; fields that are undefined are left out. The same input gives the same bytes. */
export function jsonBytes(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value), "utf8");
}

/** A map with its keys in order, so that equal maps give equal bytes; undefined for none. */
export function sorted<T>(map: Readonly<Record<string, T>> | undefined): Record<string, T> | undefined {
  const entries = Object.entries(map ?? {});
  if (entries.length === 0) return undefined;
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}
