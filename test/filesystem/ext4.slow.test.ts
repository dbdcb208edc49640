import { existsSync, readdirSync } from "node:fs";
import { expect, it } from "vitest";
import { FileSource } from "../../src/bytes/file-source.ts";
import { createContext } from "../../src/context.ts";
import { format } from "../../src/filesystem/ext4/reader.ts";
import { corpus, describeWith } from "../support/needs.ts";
import { differences } from "../support/truth.ts";
import { unpacked } from "../support/unpack.ts";

/** The listing of this one was made by a reader with inode numbers of its own. */
const WITHOUT_INODES = "ext4-casefold";

describeWith({ corpus: "disk/made", tools: ["xz"] }, "all ext fixtures with truth listings", () => {
  const folder = corpus("disk/made/fs");
  const names = (existsSync(folder) ? readdirSync(folder) : [])
    .filter((name) => /^ext\d/.test(name) && name.endsWith(".img.xz") && !name.startsWith("ext4-encrypt"))
    .map((name) => name.replace(".img.xz", ""))
    .sort();

  it.each(names)(
    "%s",
    async (name) => {
      await using source = FileSource.open(await unpacked(corpus("disk/made/fs", `${name}.img.xz`)));
      const fileSystem = await format.open(source, createContext());
      const ignore = name === WITHOUT_INODES ? ["ino", "nlink"] : [];
      expect(await differences(fileSystem, corpus("disk/made/truth", `${name}.ndjson.gz`), { ignore })).toEqual([]);
    },
    120_000,
  );
});
