import { existsSync, readdirSync } from "node:fs";
import { expect, it } from "vitest";
import { corpus, describeWith } from "../support/needs.ts";
import { differencesFromDebugfs, NO_ORACLE, REFUSED } from "./ext4-corpus.ts";

describeWith(
  { corpus: "disk/ext", tools: ["debugfs", "e2fsck", "gzip", "zstd"] },
  "all ext images beside debugfs",
  () => {
    const folder = corpus("disk/ext");
    const images = (existsSync(folder) ? readdirSync(folder, { recursive: true }) : [])
      .map(String)
      .filter((name) => /\.(gz|zst)$/.test(name) && REFUSED[name] === undefined && !NO_ORACLE.has(name))
      .sort();

    it.each(images)(
      "%s",
      async (name) => {
        expect(await differencesFromDebugfs(`ext/${name}`)).toEqual([]);
      },
      60_000,
    );
  },
);
