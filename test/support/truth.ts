import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { chunks } from "../../src/bytes/byte-source.ts";
import type { Entry } from "../../src/bytes/entry.ts";
import type { FileSystem } from "../../src/filesystem/file-system.ts";
import { unpacked } from "./unpack.ts";

/** A line of a truth listing, as an independent reader (the kernel) saw it. Byte strings that are not UTF-8 have the suffix B64. */
export type TruthRow = Readonly<Record<string, unknown>>;

const TYPES: Readonly<Record<Entry["type"], string>> = {
  file: "file",
  directory: "dir",
  symlink: "symlink",
  "character-device": "char",
  "block-device": "block",
  fifo: "fifo",
  socket: "socket",
};

const UTF8 = new TextDecoder("utf-8", { fatal: true });

function put(row: Record<string, unknown>, key: string, text: string): void {
  const bytes = Buffer.from(text, "latin1");
  try {
    row[key] = UTF8.decode(bytes);
  } catch {
    row[`${key}B64`] = bytes.toString("base64");
  }
}

async function sha256(fileSystem: FileSystem, entry: Extract<Entry, { type: "file" }>): Promise<string> {
  const hash = createHash("sha256");
  const zeros = Buffer.alloc(1 << 20);
  for await (const chunk of chunks(fileSystem.content(entry))) {
    if (chunk.kind === "data") hash.update(chunk.bytes);
    else
      for (let left = chunk.length; left > 0; left -= zeros.length)
        hash.update(zeros.subarray(0, Math.min(left, zeros.length)));
  }
  return hash.digest("hex");
}

/** One entry in the form of the truth listings. */
export async function truthRow(fileSystem: FileSystem, entry: Entry): Promise<TruthRow> {
  const row: Record<string, unknown> = {};
  put(row, "path", entry.path === "" ? "." : entry.path);
  row["type"] = TYPES[entry.type];
  row["mode"] = entry.mode.toString(8).padStart(4, "0");
  row["uid"] = entry.uid;
  row["gid"] = entry.gid;
  row["mtimeNs"] = (BigInt(entry.mtime.seconds) * 1_000_000_000n + BigInt(entry.mtime.nanoseconds)).toString();
  row["ino"] = entry.inode;
  if (entry.type !== "directory") row["nlink"] = entry.links;
  if (entry.type === "file") {
    row["size"] = entry.size;
    row["sha256"] = await sha256(fileSystem, entry);
  } else if (entry.type === "symlink") {
    put(row, "target", entry.target);
    row["size"] = entry.target.length;
  } else if (entry.type === "character-device" || entry.type === "block-device") {
    row["rdev"] = [entry.major, entry.minor];
  }
  if (entry.xattrs.size > 0) {
    const names = [...entry.xattrs.keys()].sort();
    row["xattrs"] = Object.fromEntries(
      names.map((name) => [name, Buffer.from(entry.xattrs.get(name) ?? []).toString("base64")]),
    );
  }
  return row;
}

export interface CompareOptions {
  /** Fields that this format or this truth cannot have. */
  readonly ignore?: readonly string[];
}

/** What differs between a file system and its truth listing (which may be compressed): one line a difference, at most 50. */
export async function differences(
  fileSystem: FileSystem,
  truthFile: string,
  options: CompareOptions = {},
): Promise<string[]> {
  const ignore = new Set([...(options.ignore ?? []), "blocks"]);
  const expected = new Map<string, TruthRow>();
  for await (const line of createInterface({ input: createReadStream(await unpacked(truthFile)) })) {
    const row = JSON.parse(line) as Record<string, unknown>;
    expected.set(String(row["path"] ?? row["pathB64"]), row);
  }
  const found: string[] = [];
  for await (const entry of fileSystem.walk()) {
    const row = await truthRow(fileSystem, entry);
    const key = String(row["path"] ?? row["pathB64"]);
    const wanted = expected.get(key);
    expected.delete(key);
    if (wanted === undefined) found.push(`unexpected ${key}`);
    else found.push(...compare(key, wanted, row, ignore));
    if (found.length >= 50) return found;
  }
  for (const key of expected.keys()) found.push(`missing ${key}`);
  return found.slice(0, 50);
}

function compare(key: string, wanted: TruthRow, row: TruthRow, ignore: ReadonlySet<string>): string[] {
  const names = new Set([...Object.keys(wanted), ...Object.keys(row)]);
  return [...names]
    .filter((name) => !ignore.has(name) && JSON.stringify(wanted[name]) !== JSON.stringify(row[name]))
    .map((name) => `${key}: ${name} is ${JSON.stringify(row[name])}, not ${JSON.stringify(wanted[name])}`);
}
