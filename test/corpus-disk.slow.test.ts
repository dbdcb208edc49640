import { expect, it } from "vitest";
import { LINES } from "./corpus-disk.ts";
import { imageOutcome } from "./support/image-outcome.ts";
import { corpus, describeWith } from "./support/needs.ts";

describeWith(
  { corpus: "disk", tools: ["bzip2", "gzip", "tar", "xz", "zstd"] },
  "every disk image of the corpus",
  () => {
    it.each(LINES)("$image", async ({ image, outcome }) => {
      expect(await imageOutcome(corpus("disk", image))).toBe(outcome);
    });
  },
);
