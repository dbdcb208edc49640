import { expect, it } from "vitest";
import { corpusImages, LINES } from "./corpus-disk.ts";
import { imageOutcome } from "./support/image-outcome.ts";
import { corpus, describeWith } from "./support/needs.ts";

/** One that takes more than a moment is left to the slow test. */
const QUICK = /^(container\/(cot|go-vmdk-parser|trivy)|fat|misc|volume|xfs)\//;

describeWith({ corpus: "disk", tools: ["gzip"] }, "the disk images of the corpus", () => {
  it("have a line each, with who else reads it so", () => {
    expect(LINES.map(({ image }) => image).sort()).toEqual(corpusImages());
    expect(LINES.filter(({ outcome, oracle }) => outcome === "" || oracle === "")).toEqual([]);
  });

  it.each(LINES.filter(({ image }) => QUICK.test(image)))("$image", async ({ image, outcome }) => {
    expect(await imageOutcome(corpus("disk", image))).toBe(outcome);
  });
});
