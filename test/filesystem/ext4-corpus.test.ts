import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import { extents } from "../../src/bytes/byte-source.ts";
import { FileSource } from "../../src/bytes/file-source.ts";
import { concat } from "../../src/bytes/regions.ts";
import { Slice } from "../../src/bytes/slice.ts";
import { createContext } from "../../src/context.ts";
import { format } from "../../src/filesystem/ext4/reader.ts";
import { corpus, describeWith } from "../support/needs.ts";
import { unpacked } from "../support/unpack.ts";
import { compareListings, debugfsListing, ourListing } from "./debugfs.ts";
import { differencesFromDebugfs, NO_ORACLE, REFUSED } from "./ext4-corpus.ts";

describeWith({ corpus: "disk/ext", tools: ["gzip"] }, "damaged ext images", () => {
  it.each(Object.entries(REFUSED))("%s is refused with %s", async (name, code) => {
    await using source = FileSource.open(await unpacked(corpus("disk/ext", name)));
    const listing = async () => ourListing(await format.open(source, createContext()));
    await expect(listing()).rejects.toMatchObject({ code });
  });

  it.each([...NO_ORACLE])("%s is read", async (name) => {
    await using source = FileSource.open(await unpacked(corpus("disk/ext", name)));
    expect((await ourListing(await format.open(source, createContext()))).size).toBeGreaterThan(0);
  });

  it.each(["f_zero_super"])("%s is read by a copy of its superblock", async (name) => {
    const codes: string[] = [];
    await using source = FileSource.open(await unpacked(corpus("disk/ext/e2fsprogs", `${name}.image.gz`)));
    const ctx = createContext({ diagnostic: ({ code }) => codes.push(code) });
    expect((await ourListing(await format.open(source, ctx))).size).toBeGreaterThan(0);
    expect(codes[0]).toBe("EXT_BACKUP_SUPERBLOCK");
  });
});

describeWith(
  { corpus: "disk/ext", tools: ["debugfs", "e2fsck", "gzip"] },
  "ext images without group descriptors",
  () => {
    it.each(["f_preen", "f_zero_group"])("%s has by their copies what e2fsck restores", async (name) => {
      const codes = new Set<string>();
      const plain = await unpacked(corpus("disk/ext/e2fsprogs", `${name}.image.gz`));
      await using source = FileSource.open(plain);
      const ctx = createContext({ diagnostic: ({ code }) => codes.add(code) });
      const ours = await ourListing(await format.open(source, ctx));
      expect(compareListings(debugfsListing(plain, "all"), ours, () => false)).toEqual([]);
      expect([...codes]).toEqual(["EXT_BACKUP_DESCRIPTOR"]);
    });
  },
);

/** The quick ones; ext4-corpus.slow.test.ts has all. */
const BESIDE_DEBUGFS = [
  "ext/discutils/data.ext4.dat.gz",
  "ext/dissect/ext4_symlink_test3.bin.gz",
  "ext/e2fsprogs/f_16384_block.image.gz",
  "ext/e2fsprogs/f_convert_bmap_and_extent.image.gz",
  "ext/e2fsprogs/f_dup2.image.gz",
  "ext/e2fsprogs/f_filetype.image.gz",
  "ext/e2fsprogs/f_jnl_32bit.image.gz",
  "ext/e2fsprogs/f_shared_blocks_ok.image.gz",
  "ext/e2fsprogs/f_verity.image.gz",
  "ext/e2fsprogs/f_yesall.image.gz",
  "ext/e2fsprogs/j_corrupt_commit_csum.image.gz",
  "misc/plaso/syslog_image.dd",
  "misc/sleuthkit/image.dd",
];

describeWith({ corpus: "disk/ext", tools: ["debugfs", "e2fsck", "gzip"] }, "ext images beside debugfs", () => {
  it.each(BESIDE_DEBUGFS)("%s", async (name) => {
    expect(await differencesFromDebugfs(name)).toEqual([]);
  });
});

describeWith({ corpus: "disk/misc", tools: ["gzip"] }, "ext in other images", () => {
  it("reads a split image and a partition", async () => {
    const parts = ["000", "001"].map((part) => unpacked(corpus("disk/misc/dfvfs", `ext2.splitraw.${part}.gz`)));
    const sources = (await Promise.all(parts)).map((path) => FileSource.open(path));
    const split = await format.open(concat("split", sources), createContext());
    expect([split.type, split.label]).toEqual(["ext2", "ext2_test"]);
    expect([...(await ourListing(split)).keys()]).toContain("passwords.txt");
    for (const source of sources) await source[Symbol.asyncDispose]();
    await using disk = FileSource.open(await unpacked(corpus("disk/misc/libguestfs/mbr-ext2-empty.img.gz")));
    const partition = await format.open(new Slice(disk, 512, 2879 * 512), createContext());
    expect([...(await ourListing(partition)).keys()]).toEqual(["lost+found"]);
  });
});

const RANGES: readonly (readonly [image: string, path: string])[] = [
  ["ext4-1k", "sparse/fragmented"],
  ["ext4-1k", "sparse/unwritten-part"],
  ["ext4-1k", "sparse/prealloc-past-eof"],
  ["ext3-1k", "sparse/past-indirect"],
  ["ext3-1k", "frag-a"],
  ["ext4-bigalloc", "sparse/every-mib"],
  ["ext4-inline", "size-150"],
  ["ext4-dirty-datajournal", "mixed"],
];

describeWith({ corpus: "disk/made", tools: ["debugfs", "e2fsck", "xz"] }, "ranges of files beside debugfs", () => {
  it.each(RANGES)("%s: %s", async (name, path) => {
    const plain = await unpacked(corpus("disk/made/fs", `${name}.img.xz`));
    await using source = FileSource.open(plain);
    const fileSystem = await format.open(source, createContext());
    const entry = await fileSystem.lookup(path);
    if (entry?.type !== "file") throw new Error(`${path} is not a file`);
    const content = fileSystem.content(entry);
    const expected = dump(plain, path, entry.size);
    const inside = fc.nat(entry.size);
    await fc.assert(
      fc.asyncProperty(inside, fc.oneof(inside, fc.nat(20_000)), async (from, more) => {
        const length = Math.min(more, entry.size - from, 4 << 20);
        expect(Buffer.from(await content.read(from, length)).equals(expected.subarray(from, from + length))).toBe(true);
        let at = from;
        for await (const { offset, length: run, kind, stored } of extents(content, from, length)) {
          expect(offset).toBe(at);
          at += run;
          const bytes = stored === undefined ? Buffer.alloc(run) : Buffer.alloc(stored.length);
          if (stored !== undefined) readSync(stored.fd, bytes, 0, stored.length, stored.offset);
          if (kind === "zero" || stored !== undefined) expect(bytes.equals(expected.subarray(offset, at))).toBe(true);
        }
        expect(at).toBe(from + length);
      }),
      { numRuns: 60 },
    );
  });
});

function dump(image: string, path: string, size: number): Buffer {
  const folder = mkdtempSync(join(tmpdir(), "transload-dump-"));
  try {
    execFileSync("debugfs", ["-R", `dump "/${path}" ${folder}/content`, image], { stdio: "ignore" });
    expect(readdirSync(folder)).toEqual(["content"]);
    // debugfs dumps all of i_block for an inline file.
    return readFileSync(join(folder, "content")).subarray(0, size);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
