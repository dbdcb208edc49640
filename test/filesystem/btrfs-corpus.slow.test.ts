import { it } from "vitest";
import { describeWith } from "../support/needs.ts";
import { checkImage, FOLDER, imageNames, isLarge } from "./btrfs-corpus.ts";

describeWith({ corpus: FOLDER, tools: ["xz"] }, "large btrfs images of btrfs-progs", () => {
  it.each(imageNames().filter(isLarge))("%s", checkImage);
});
