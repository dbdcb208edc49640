import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chunks } from "../../src/bytes/byte-source.ts";
import type { FileSystem } from "../../src/filesystem/file-system.ts";

/** Path to what a reader saw of it: inode, mode with type, owner, and a digest or target where it has content. */
export type Listing = ReadonlyMap<string, string>;

const TYPES = {
  file: 0o100000,
  directory: 0o040000,
  symlink: 0o120000,
  "character-device": 0o020000,
  "block-device": 0o060000,
  fifo: 0o010000,
  socket: 0o140000,
} as const;

function digest(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex").slice(0, 16);
}

/** Everything as our reader sees it. */
export async function ourListing(fileSystem: FileSystem): Promise<Listing> {
  const listing = new Map<string, string>();
  for await (const entry of fileSystem.walk()) {
    if (entry.path === "") continue;
    let content = "";
    if (entry.type === "symlink") content = entry.target;
    if (entry.type === "file") {
      const hash = createHash("sha256");
      for await (const chunk of chunks(fileSystem.content(entry))) {
        hash.update(chunk.kind === "data" ? chunk.bytes : Buffer.alloc(chunk.length));
      }
      content = hash.digest("hex").slice(0, 16);
    }
    const mode = (TYPES[entry.type] | entry.mode).toString(8);
    listing.set(entry.path, `${entry.inode} ${mode} ${entry.uid}:${entry.gid} ${content}`);
  }
  return listing;
}

function debugfs(image: string, commands: readonly string[], folder: string): string {
  const script = join(folder, "commands");
  writeFileSync(script, `${commands.join("\n")}\n`);
  // -c: bitmaps are of no use here, and damaged ones would stop it.
  return execFileSync("debugfs", ["-c", "-f", script, image], {
    encoding: "latin1",
    maxBuffer: 1 << 28,
    stdio: ["ignore", "pipe", "ignore"],
  });
}

/** Everything below the root as debugfs of e2fsprogs sees it, after e2fsck replayed the journal of a copy, or repaired all of it. */
export function debugfsListing(image: string, repair: "nothing" | "journal" | "all"): Listing {
  const folder = mkdtempSync(join(tmpdir(), "transload-debugfs-"));
  try {
    let path = image;
    if (repair !== "nothing") {
      path = join(folder, "image");
      copyFileSync(image, path);
      try {
        execFileSync("e2fsck", ["-fy", ...(repair === "all" ? [] : ["-E", "journal_only"]), path], { stdio: "ignore" });
      } catch {
        // Its status tells that it changed something.
      }
    }
    debugfs(path, [`rdump / ${folder}`], folder);
    return names(path, folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function names(image: string, folder: string): Listing {
  const listing = new Map<string, string>();
  let level = [{ path: "", inode: "2" }];
  while (level.length > 0) {
    const output = debugfs(
      image,
      level.map(({ inode }) => `ls -p <${inode}>`),
      folder,
    );
    const parts = output.split(/^debugfs: ls -p <\d+>\n/m).slice(1);
    const below: typeof level = [];
    for (const [index, part] of parts.entries()) {
      for (const [, inode = "", mode = "", uid, gid, name = ""] of part.matchAll(
        /^\/(\d+)\/(\d+)\/(\d+)\/(\d+)\/([^/\n]*)\/\d*\/$/gm,
      )) {
        if (name === "." || name === ".." || inode === "0") continue;
        const path = [level[index]?.path, name].filter((part) => part !== "").join("/");
        const type = Number.parseInt(mode, 8) & 0o170000;
        if (type === TYPES.directory) below.push({ path, inode });
        listing.set(path, `${inode} ${mode.replace(/^0+/, "")} ${uid}:${gid} ${content(folder, path, type)}`);
      }
    }
    level = below;
  }
  return listing;
}

function content(folder: string, path: string, type: number): string {
  const dumped = Buffer.from(`${folder}/${path}`, "latin1");
  if (type === TYPES.symlink) return readlinkSync(dumped, "latin1");
  return type === TYPES.file ? digest(readFileSync(dumped)) : "";
}

/** What differs, one line a path. */
export function compareListings(expected: Listing, found: Listing, ignored: (path: string) => boolean): string[] {
  return [...new Set([...expected.keys(), ...found.keys()])]
    .filter((path) => expected.get(path) !== found.get(path) && !ignored(path))
    .map((path) => `${path}: ${found.get(path)}, not ${expected.get(path)}`)
    .slice(0, 50);
}
