import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { FileSource } from "../../src/bytes/file-source.ts";
import { createContext } from "../../src/context.ts";
import type { FileSystem } from "../../src/filesystem/file-system.ts";
import { format } from "../../src/filesystem/xfs/reader.ts";
import { corpus, fixture } from "../support/needs.ts";
import { differences } from "../support/truth.ts";
import { unpacked } from "../support/unpack.ts";

const FOLDER = mkdtempSync(join(tmpdir(), "transload-xfs-"));
afterAll(() => rmSync(FOLDER, { recursive: true, force: true }));

/** The fixtures whose listings take a second or less; xfs.slow.test.ts has all. */
export const QUICK = [
  "xfs",
  "xfs-1k",
  "xfs-4ksector",
  "xfs-dir64k",
  "xfs-dirty",
  "xfs-nrext64",
  "xfs-old",
  "xfs-v4",
  "xfs-v4-noftype",
] as const;

/**
 * A truth listing without the attributes "trusted.SGI_ACL_*": the kernel shows access control lists as they are on disk
 * beside "system.posix_acl_*"; we give only the latter.
 */
export async function withoutRawAcls(truthFile: string): Promise<string> {
  const lines = readFileSync(await unpacked(truthFile), "utf8").split("\n");
  const kept = lines.map((line) => {
    if (!line.includes("trusted.SGI_ACL_")) return line;
    const row = JSON.parse(line) as { xattrs: Record<string, string> };
    const xattrs = Object.entries(row.xattrs).filter(([name]) => !name.startsWith("trusted.SGI_ACL_"));
    return JSON.stringify({ ...row, xattrs: Object.fromEntries(xattrs) });
  });
  const path = join(mkdtempSync(join(FOLDER, "truth-")), "truth.ndjson");
  writeFileSync(path, kept.join("\n"));
  return path;
}

/** What differs between a fixture of the corpus and its truth; `opened` instead of the fixture as it is. */
export async function differencesFromTruth(name: string, opened?: FileSystem): Promise<string[]> {
  await using source = FileSource.open(await unpacked(corpus("disk/made/fs", `${name}.img.xz`)));
  const fileSystem = opened ?? (await format.open(source, createContext()));
  // This kernel cannot mount version 4: another one listed it through FUSE, with inode numbers of its own.
  const ignore = name.startsWith("xfs-v4") ? ["ino", "nlink"] : [];
  return await differences(fileSystem, await withoutRawAcls(corpus("disk/made/truth", `${name}.ndjson.gz`)), {
    ignore,
  });
}

/** Calls `use` with the folder where the kernel has mounted an image. Without `readOnly` it replays the log in the image. */
export async function mounted<T>(image: string, readOnly: boolean, use: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(FOLDER, "mount-"));
  execFileSync("mount", ["-o", readOnly ? "loop,ro,norecovery" : "loop", image, folder]);
  try {
    return await use(folder);
  } finally {
    execFileSync("umount", [folder]);
  }
}

/** A listing of what is mounted, in the form of the truth listings. */
export function listing(folder: string): string {
  const path = join(mkdtempSync(join(FOLDER, "listing-")), "listing.ndjson");
  const found = execFileSync("python3", [fixture("ext4", "listing.py"), folder], { maxBuffer: 64 << 20 });
  writeFileSync(path, found);
  return path;
}

/** A folder of the test's own, removed at its end. */
export function temporaryFolder(): string {
  return mkdtempSync(join(FOLDER, "work-"));
}
