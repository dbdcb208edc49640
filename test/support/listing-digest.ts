import { createHash } from "node:crypto";
import type { Entry } from "../../src/bytes/entry.ts";
import { ConverterError } from "../../src/errors.ts";
import type { FileSystem } from "../../src/filesystem/file-system.ts";
import { type TruthRow, truthRow } from "./truth.ts";

/**
 * The number of entries and a digest over all of them, contents included: what kernel-digest.py prints of a mounted image.
 * What cannot be read ends it with the error, and a file whose content cannot be read stands in it with the code.
 */
export async function listingDigest(fileSystem: FileSystem): Promise<string> {
  const hash = createHash("sha256");
  let count = 0;
  for await (const entry of fileSystem.walk()) {
    const row = await rowOf(fileSystem, entry);
    const time = entry.inode === 2 ? "0" : row["mtimeNs"];
    const fields: unknown[] = [hexOf(entry.path), row["type"], entry.mode, entry.uid, entry.gid, time];
    if (entry.type === "file") fields.push(entry.links, entry.size, row["sha256"]);
    else if (entry.type === "symlink") fields.push(hexOf(entry.target));
    else if ("major" in entry) fields.push(entry.major, entry.minor);
    for (const name of [...entry.xattrs.keys()].sort()) {
      fields.push(name, Buffer.from(entry.xattrs.get(name) ?? []).toString("hex"));
    }
    hash.update(`${JSON.stringify(fields)}\n`);
    count++;
  }
  return `${count} ${hash.digest("hex").slice(0, 16)}`;
}

async function rowOf(fileSystem: FileSystem, entry: Entry): Promise<TruthRow> {
  try {
    return await truthRow(fileSystem, entry);
  } catch (error) {
    if (!(error instanceof ConverterError) || entry.type !== "file") throw error;
    return { ...(await truthRow(fileSystem, { ...entry, size: 0 })), sha256: error.code };
  }
}

function hexOf(path: string): string {
  return Buffer.from(path, "latin1").toString("hex");
}
