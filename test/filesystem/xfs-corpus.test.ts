import { readFileSync, readSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import { type ByteSource, extents } from "../../src/bytes/byte-source.ts";
import { FileSource } from "../../src/bytes/file-source.ts";
import { overlay } from "../../src/bytes/overlay.ts";
import { createContext } from "../../src/context.ts";
import { format } from "../../src/filesystem/xfs/reader.ts";
import { corpus, describeWith } from "../support/needs.ts";
import { truthRow } from "../support/truth.ts";
import { unpacked } from "../support/unpack.ts";
import { inodeOffset, logRange, mendRecord, records } from "./xfs-log.ts";
import { differencesFromTruth, mounted, QUICK } from "./xfs-truth.ts";

describeWith({ corpus: "disk/made", tools: ["xz", "gzip"] }, "xfs fixtures with truth listings", () => {
  it.each(QUICK)("%s", async (name) => {
    expect(await differencesFromTruth(name)).toEqual([]);
  });
});

describeWith({ corpus: "disk/made", tools: ["xz", "gzip"] }, "xfs fixtures whose inodes are only in the log", () => {
  // Their logs never wrapped: they hold all that was ever done.
  it.each(["xfs-v4", "xfs-v4-noftype", "xfs-old"])("%s", async (name) => {
    await using source = FileSource.open(await unpacked(corpus("disk/made/fs", `${name}.img.xz`)));
    const patched = overlay(source, SECTOR, await neverWrittenBack(source));
    const codes: string[] = [];
    const fileSystem = await format.open(patched, createContext({ diagnostic: ({ code }) => codes.push(code) }));
    expect(await differencesFromTruth(name, fileSystem)).toEqual([]);
    expect(codes).toEqual(["XFS_LOG_REPLAYED"]);
  });
});

const SECTOR = 512;

/** Sectors for an image as it would be if the log had been written, but not one inode, and power had been cut. */
async function neverWrittenBack(source: ByteSource): Promise<Map<number, Uint8Array>> {
  const sectors = new Map<number, Uint8Array>();
  const sector = async (offset: number): Promise<Buffer> => {
    const number = Math.floor(offset / SECTOR);
    const bytes = sectors.get(number) ?? Uint8Array.from(await source.read(number * SECTOR, SECTOR));
    sectors.set(number, bytes);
    return Buffer.from(bytes.buffer);
  };
  const superBlock = Buffer.from(await source.read(0, SECTOR));
  const size = superBlock.readUInt16BE(0x68);
  const fileSystem = await format.open(source, createContext());
  for await (const { path, inode } of fileSystem.walk()) {
    if (path === "") continue;
    const at = inodeOffset(superBlock, inode);
    const skip = at % SECTOR;
    (await sector(at)).fill(0, skip + 8, skip + Math.min(size, SECTOR - skip));
  }
  const [start, end] = logRange(superBlock);
  const log = Buffer.from(await source.read(start, end - start));
  const lsn = (at: number) => log.readBigUInt64BE(at + 0x10);
  const written = records(log, [0, log.length]).sort((a, b) => Number(lsn(a) - lsn(b)));
  const [first = 0, last = 0, unmount = 0] = [written[1], written.at(-2), written.at(-1)];
  log.writeBigUInt64BE(lsn(first), last + 0x18);
  mendRecord(log, last, [0, log.length]);
  log.copy(await sector(start + last), 0, last, last + SECTOR);
  (await sector(start + unmount)).fill(0);
  return sectors;
}

/** What the kernel lists of these images; the last three, two of them with inodes of version 1, are empty. */
const OTHERS: Readonly<Record<string, readonly string[]>> = {
  "xfs/dissect/xfs.bin.gz": ["", "test_dir", "test_dir/test_file", "test_file", "test_link"],
  "xfs/dissect/xfs_bigtime.bin.gz": ["", "file"],
  "xfs/dissect/xfs_symlink_test1.bin.gz": [
    "",
    "other",
    "other/path",
    "other/path/source",
    "other/path/source/to",
    "other/path/target",
    "other/path/target/to",
    "other/path/target/to/my",
    "other/path/target/to/my/file.ext",
    "path",
    "path/to",
    "path/to/dir",
    "path/to/dir/with",
    "path/to/dir/with/file.ext",
  ],
  "ident/e2fsprogs-blkid/xfs.img.bz2": [""],
  "ident/util-linux/images-fs/xfs.img.xz": [""],
  "ident/util-linux/images-fs/xfs-v5.img.xz": [""],
};

describeWith({ corpus: "disk/xfs", tools: ["gzip", "bzip2", "xz"] }, "xfs images of others", () => {
  it.each(Object.entries(OTHERS))("%s", async (name, expected) => {
    await using source = FileSource.open(await unpacked(corpus("disk", name)));
    expect(await paths(source)).toEqual(expected);
  });
});

/** All paths after all contents were read. */
async function paths(source: ByteSource): Promise<string[]> {
  const fileSystem = await format.open(source, createContext());
  const found: string[] = [];
  for await (const entry of fileSystem.walk()) {
    await truthRow(fileSystem, entry);
    found.push(entry.path);
  }
  return found;
}

const RANGES: readonly (readonly [image: string, path: string])[] = [
  ["xfs", "sparse/fragmented"],
  ["xfs", "reflink-edited"],
  ["xfs-1k", "sparse/unwritten-part"],
  ["xfs-1k", "frag-a"],
  ["xfs-4ksector", "sparse/prealloc-past-eof"],
  ["xfs-nrext64", "sparse/every-mib"],
  ["xfs-old", "mixed"],
];

describeWith({ corpus: "disk/made", tools: ["mount", "xz"], root: true }, "ranges of files beside the kernel", () => {
  it.each(RANGES)("%s: %s", async (name, path) => {
    const plain = await unpacked(corpus("disk/made/fs", `${name}.img.xz`));
    const expected = await mounted(plain, true, async (folder) => readFileSync(join(folder, path)));
    await using source = FileSource.open(plain);
    const fileSystem = await format.open(source, createContext());
    const entry = await fileSystem.lookup(path);
    if (entry?.type !== "file") throw new Error(`${path} is not a file`);
    expect(entry.size).toBe(expected.length);
    const content = fileSystem.content(entry);
    const inside = fc.nat(entry.size);
    await fc.assert(
      fc.asyncProperty(inside, fc.oneof(inside, fc.nat(20_000)), async (from, more) => {
        const length = Math.min(more, entry.size - from, 4 << 20);
        expect(Buffer.from(await content.read(from, length)).equals(expected.subarray(from, from + length))).toBe(true);
        let at = from;
        for await (const { offset, length: run, kind, stored } of extents(content, from, length)) {
          expect(offset).toBe(at);
          at += run;
          const bytes = Buffer.alloc(run);
          if (kind === "data") {
            if (stored === undefined) throw new Error("data of a local file tells where it is stored");
            readSync(stored.fd, bytes, 0, stored.length, stored.offset);
          }
          expect(bytes.equals(expected.subarray(offset, at))).toBe(true);
        }
        expect(at).toBe(from + length);
      }),
      { numRuns: 40 },
    );
  });
});
