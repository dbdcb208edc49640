import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { FileSource } from "../../src/bytes/file-source.ts";
import { createContext } from "../../src/context.ts";
import { format } from "../../src/filesystem/ext4/reader.ts";
import { describeWith } from "../support/needs.ts";
import { compareListings, debugfsListing, ourListing } from "./debugfs.ts";

const VARIANTS: readonly (readonly [type: string, options: readonly string[]])[] = [
  ["ext2", ["-t", "ext2", "-b", "2048"]],
  ["ext2", ["-t", "ext2", "-b", "1024", "-I", "128", "-O", "^filetype"]],
  ["ext2", ["-t", "ext2", "-r", "0", "-b", "4096"]],
  ["ext3", ["-t", "ext3", "-b", "1024"]],
  ["ext4", ["-t", "ext4", "-b", "65536"]],
  ["ext4", ["-t", "ext4", "-b", "16384", "-I", "1024"]],
  ["ext4", ["-t", "ext4", "-b", "1024", "-O", "bigalloc", "-C", "16384"]],
  ["ext4", ["-t", "ext4", "-b", "1024", "-O", "meta_bg,^resize_inode", "-g", "1024"]],
  ["ext4", ["-t", "ext4", "-b", "1024", "-O", "sparse_super2,^64bit", "-g", "2048"]],
  ["ext4", ["-t", "ext4", "-b", "1024", "-O", "^metadata_csum,uninit_bg"]],
];

describeWith({ tools: ["mke2fs", "debugfs"] }, "file systems of mke2fs beside debugfs", () => {
  let folder = "";
  let tree = "";

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "transload-ext4-"));
    tree = join(folder, "tree");
    mkdirSync(join(tree, "many"), { recursive: true });
    for (let number = 0; number < 400; number++) {
      writeFileSync(join(tree, "many", `${number}-${"n".repeat(number % 200)}`), "");
    }
    for (const size of [0, 1, 60, 61, 1023, 1024, 65535, 65536, 300_000]) {
      writeFileSync(join(tree, `size-${size}`), Buffer.alloc(size, `${size} `));
    }
    for (const length of [1, 59, 60, 61, 900]) symlinkSync("t".repeat(length), join(tree, `link-${length}`));
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each(VARIANTS)("%s %j", async (type, options) => {
    const image = join(folder, "image");
    rmSync(image, { force: true });
    execFileSync("mke2fs", ["-q", "-F", "-N", "1024", ...options, "-d", tree, image, "32M"], { stdio: "ignore" });
    await using source = FileSource.open(image);
    const codes: string[] = [];
    const ctx = createContext({ diagnostic: ({ code }) => codes.push(code) });
    const fileSystem = await format.open(source, ctx);
    expect(fileSystem.type).toBe(type);
    const listing = await ourListing(fileSystem);
    expect(listing.size).toBe(400 + 9 + 5 + 2);
    expect(compareListings(debugfsListing(image, "nothing"), listing, () => false)).toEqual([]);
    expect(codes).toEqual([]);
  });
});
