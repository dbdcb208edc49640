import { join } from "node:path";
import { expect, it } from "vitest";
import { memoryFileTree } from "../support/memory-file-tree.ts";
import { describeWith } from "../support/needs.ts";
import { complaints, expectUsable, inFile, inFolder, largeTree, planned } from "./ext4-images.ts";

const needs = { tools: ["e2fsck", "mount", "python3"], root: true };

describeWith(needs, "large ext4 file systems that we write", () => {
  it("hold 60,000 names and 65,100 directories in one, 3,000 extents, a hole of 5 GiB", async () => {
    await expectUsable(largeTree(60_000, 65_100, 3000));
  });

  it.each([
    ["extents of three levels", largeTree(0, 0, 470_000), {}],
    ["2 TiB", memoryFileTree([]), { freeBytes: 2 ** 41 }],
    ["15 TiB", memoryFileTree([]), { size: 15 * 2 ** 40 }],
  ])("are clean: %s", async (_name, tree, options) => {
    await inFolder(async (folder) => {
      const image = join(folder, "image");
      await inFile(planned(tree, options), image);
      expect(complaints(image)).toBe("");
    });
  });
});
