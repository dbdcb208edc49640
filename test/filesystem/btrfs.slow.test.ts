import { expect, it } from "vitest";
import { describeWith } from "../support/needs.ts";
import { differencesFromKernel } from "./btrfs-images.ts";

describeWith({ corpus: "disk/made", tools: ["xz"] }, "btrfs fixtures with truth listings", () => {
  it.each(["btrfs", "btrfs-old", "btrfs-zlib", "btrfs-zstd", "btrfs-xxhash", "btrfs-raid1"])("%s", async (name) => {
    expect(await differencesFromKernel(name)).toEqual([]);
  });
});
