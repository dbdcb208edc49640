import { existsSync, readdirSync } from "node:fs";
import { expect, it } from "vitest";
import { corpus, describeWith } from "../support/needs.ts";
import { differencesFromTruth } from "./xfs-truth.ts";

describeWith({ corpus: "disk/made", tools: ["xz", "gzip"] }, "all xfs fixtures with truth listings", () => {
  const folder = corpus("disk/made/fs");
  const names = (existsSync(folder) ? readdirSync(folder) : [])
    .filter((name) => name.startsWith("xfs") && name.endsWith(".img.xz"))
    .map((name) => name.replace(".img.xz", ""))
    .sort();

  it.each(names)("%s", async (name) => {
    expect(await differencesFromTruth(name)).toEqual([]);
  });
});
