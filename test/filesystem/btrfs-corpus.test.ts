import { expect, it } from "vitest";
import { describeWith } from "../support/needs.ts";
import { checkImage, FOLDER, imageNames, isDump, isLarge, LISTINGS, REFUSED } from "./btrfs-corpus.ts";

describeWith({ corpus: FOLDER, tools: ["xz"] }, "btrfs images of btrfs-progs", () => {
  it.each(imageNames().filter((name) => !isLarge(name)))("%s", checkImage);

  it("has a line for each image", () => {
    const names = imageNames();
    const lines = [...Object.keys(LISTINGS), ...Object.keys(REFUSED), ...names.filter(isDump)];
    expect(lines.sort()).toEqual(names);
  });
});
