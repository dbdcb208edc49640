import { describe, it } from "vitest";
import { fuzzBtrfs } from "./btrfs-fuzz.ts";

describe("btrfs with mutated metadata", () => {
  it("answers 3000 inputs with a result or a typed error", { timeout: 600_000 }, () => fuzzBtrfs(3000));
});
