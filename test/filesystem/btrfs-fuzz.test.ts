import { describe, it } from "vitest";
import { fuzzBtrfs } from "./btrfs-fuzz.ts";

describe("btrfs with mutated metadata", () => {
  it("answers 150 inputs with a result or a typed error", { timeout: 60_000 }, () => fuzzBtrfs(150));
});
