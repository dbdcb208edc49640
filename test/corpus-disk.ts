import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { corpus } from "./support/needs.ts";

/** A line of corpus-disk.tsv. */
export interface CorpusLine {
  /** Path below corpus/disk. */
  readonly image: string;
  /** As `imageOutcome` puts it. */
  readonly outcome: string;
  /** Who else reads it so, or why nobody does. */
  readonly oracle: string;
}

export const LINES: readonly CorpusLine[] = readFileSync(new URL("corpus-disk.tsv", import.meta.url), "utf8")
  .split("\n")
  .filter((line) => line !== "" && !line.startsWith("#"))
  .map((line) => {
    const [image = "", outcome = "", oracle = ""] = line.split("\t");
    return { image, outcome, oracle };
  });

/** Every image of the corpus: all its files but listings, sums and indexes. */
export function corpusImages(): string[] {
  const folder = corpus("disk");
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true })
    .map(String)
    .filter((name) => !/\.(tsv|sha256)$/.test(name) && !name.startsWith(join("made", "truth")))
    .filter((name) => statSync(join(folder, name)).isFile())
    .sort();
}
