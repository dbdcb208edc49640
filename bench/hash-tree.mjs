// node bench/hash-tree.mjs DISK: walks the first file system of a disk image and hashes every file, with the built library.
// Prints its type, the number of files, and a digest over their sorted digests, a line each.
import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { chunks, createContext, FileSource, fileSystemFormats, openDisk } from "transload";

const [path] = process.argv.slice(2);
const ctx = createContext();
const source = FileSource.open(path);
const resolve = async (name) => FileSource.open(join(dirname(path), name));
const disk = await openDisk(source, { ...ctx, resolve });
const format = await (await fileSystemFormats.probe(disk)).load();
const fileSystem = await format.open(disk, ctx);
const zeros = Buffer.alloc(1 << 20);
const digests = [];
for await (const entry of fileSystem.walk()) {
  if (entry.type !== "file") continue;
  const hash = createHash("sha256");
  for await (const chunk of chunks(fileSystem.content(entry))) {
    if (chunk.kind === "data") hash.update(chunk.bytes);
    else
      for (let left = chunk.length; left > 0; left -= zeros.length)
        hash.update(zeros.subarray(0, Math.min(left, zeros.length)));
  }
  digests.push(`${hash.digest("hex")}\n`);
}
const all = createHash("sha256").update(digests.sort().join("")).digest("hex");
console.log(fileSystem.type, digests.length, all);
