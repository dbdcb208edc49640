import { type BytePath, bytePath, displayPath, pathBytes } from "../../src/bytes/byte-path.ts";
import { type Digest, parseDigest } from "../../src/bytes/digest.ts";
import { DOCUMENT_LIMIT, Fields, jsonBytes, parseJson } from "../../src/oci/json.ts";
import { layoutNonsense, layoutVersion, membersTooMany } from "./errors.ts";

const SCHEMA = "transload.package-layout/v1";

/** An archive is its parts one behind the other, a folder is its named parts, a file is one part. */
export type PackageShape = "archive" | "folder" | "file";

/** Bytes that stand in the layout itself, or the content of blobs, in order. */
export type LayoutPart =
  | { readonly bytes: Uint8Array }
  | {
      /** Absent for what is no member. */
      readonly name?: BytePath;
      /** Bytes. */
      readonly size: number;
      readonly blobs: readonly Digest[];
    };

/** How the layers of an artifact make up a package: docs/package-form.md has the format. */
export interface PackageLayout {
  readonly shape: PackageShape;
  /** What opened the package, and what takes it back: "ova", "ovf", "vmdk"... */
  readonly transport: string;
  /** Of the file, or the descriptor of a folder. */
  readonly name: string;
  /** Bytes of all parts. */
  readonly size: number;
  readonly parts: readonly LayoutPart[];
}

/** Throws UnsupportedError PACKAGE_MEMBERS where readers would not take so much. */
export function layoutBytes({ shape, transport, name, size, parts }: PackageLayout): Uint8Array {
  const bytes = jsonBytes({ schema: SCHEMA, shape, transport, name, size, parts: parts.map(partJson) });
  if (bytes.length > DOCUMENT_LIMIT) throw membersTooMany(name, DOCUMENT_LIMIT);
  return bytes;
}

function partJson(part: LayoutPart): object {
  if ("bytes" in part) return { bytes: Buffer.from(part.bytes).toString("base64") };
  return { ...(part.name === undefined ? {} : nameJson(part.name)), size: part.size, blobs: part.blobs };
}

/** Names need not be UTF-8. */
function nameJson(name: BytePath): object {
  const text = displayPath(name);
  return bytePath(text) === name ? { name: text } : { nameBytes: pathBytes(name).toString("base64") };
}

const SHAPES: readonly PackageShape[] = ["archive", "folder", "file"];

/**
 * `sizes` are those of the artifact's layers: every blob must be among them, and all sizes must add up. Throws CorruptError
 * PACKAGE_LAYOUT, UnsupportedError PACKAGE_LAYOUT_VERSION, and what `parseJson` throws.
 */
export function parseLayout(bytes: Uint8Array, sizes: ReadonlyMap<Digest, number>, file: string): PackageLayout {
  const fields = new Fields(parseJson(bytes, file), "", file);
  const schema = fields.text("schema");
  if (schema !== SCHEMA) throw layoutVersion(file, schema, SCHEMA);
  const text = fields.text("shape");
  const shape = SHAPES.find((each) => each === text);
  if (shape === undefined) throw layoutNonsense(file, `the shape ${JSON.stringify(text)} is unknown`);
  const parts = fields.objects("parts").map((part) => parsePart(part, sizes, file));
  const size = fields.count("size");
  const sum = parts.reduce((total, part) => total + ("bytes" in part ? part.bytes.length : part.size), 0);
  if (sum !== size) throw layoutNonsense(file, `the parts have ${sum} bytes, and ${size} are announced`);
  const isSound =
    shape === "archive" ||
    (parts.every((part) => "name" in part && part.name !== undefined) && (shape === "folder" || parts.length === 1));
  if (!isSound) throw layoutNonsense(file, `the parts are not those of a ${shape}`);
  return { shape, transport: fields.text("transport"), name: fields.text("name"), size, parts };
}

function parsePart(fields: Fields, sizes: ReadonlyMap<Digest, number>, file: string): LayoutPart {
  if (fields.has("bytes")) return { bytes: base64(fields.text("bytes"), file) };
  const size = fields.count("size");
  const blobs = fields.texts("blobs").map((text) => parseDigest(text).digest);
  let sum = 0;
  for (const digest of blobs) {
    const found = sizes.get(digest);
    if (found === undefined) throw layoutNonsense(file, `${digest} is none of the layers`);
    sum += found;
  }
  if (sum !== size) throw layoutNonsense(file, `the blobs of a part have ${sum} bytes, and ${size} are announced`);
  const name = parseName(fields, file);
  return { ...(name === undefined ? {} : { name }), size, blobs };
}

function parseName(fields: Fields, file: string): BytePath | undefined {
  if (fields.has("nameBytes")) return bytePath(base64(fields.text("nameBytes"), file));
  const text = fields.optionalText("name");
  return text === undefined ? undefined : bytePath(text);
}

function base64(text: string, file: string): Uint8Array {
  const bytes = Buffer.from(text, "base64");
  if (bytes.toString("base64") !== text) throw layoutNonsense(file, "bytes are not in base64");
  return bytes;
}
