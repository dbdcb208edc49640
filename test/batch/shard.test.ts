import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseShard, shareOf } from "../../src/batch/shard.ts";

describe("--shard", () => {
  it.each([
    ["0/4", {}, { index: 0, count: 4 }],
    ["auto", { JOB_COMPLETION_INDEX: "2", TRANSLOAD_SHARDS: "5" }, { index: 2, count: 5 }],
    [
      "auto",
      { SLURM_ARRAY_TASK_ID: "13", SLURM_ARRAY_TASK_COUNT: "4", SLURM_ARRAY_TASK_MIN: "10" },
      { index: 3, count: 4 },
    ],
    ["auto", { CI_NODE_INDEX: "1", CI_NODE_TOTAL: "3" }, { index: 0, count: 3 }],
    ["auto", { BUILDKITE_PARALLEL_JOB: "1", BUILDKITE_PARALLEL_JOB_COUNT: "2" }, { index: 1, count: 2 }],
    ["auto", { AWS_BATCH_JOB_ARRAY_INDEX: "0", AWS_BATCH_JOB_ARRAY_SIZE: "9" }, { index: 0, count: 9 }],
  ])("%s with %j", (text, variables, expected) => {
    expect(parseShard(text, variables)).toEqual(expected);
  });

  it.each([
    ["4/4", {}],
    ["-1/4", {}],
    ["1", {}],
    ["0/0", {}],
    ["auto", {}],
    ["auto", { JOB_COMPLETION_INDEX: "2" }],
    ["auto", { SLURM_ARRAY_TASK_ID: "x", SLURM_ARRAY_TASK_COUNT: "4", SLURM_ARRAY_TASK_MIN: "0" }],
    ["auto", { CI_NODE_INDEX: "0", CI_NODE_TOTAL: "3" }],
  ])("%s with %j is refused", (text, variables) => {
    expect(() => parseShard(text, variables)).toThrow(expect.objectContaining({ code: "BATCH_SHARD", exitCode: 2 }));
  });

  const items = fc.uniqueArray(fc.record({ source: fc.string(), size: fc.nat(1e12) }), {
    selector: ({ source }) => source,
    maxLength: 60,
  });

  it("gives every item to one machine, whatever order the list has, and no machine far more than the others", () => {
    fc.assert(
      fc.property(items, fc.integer({ min: 1, max: 8 }), (list, count) => {
        const shares = Array.from({ length: count }, (_, index) => shareOf(list, { index, count }));
        expect(
          shares
            .flat()
            .map(({ source }) => source)
            .sort(),
        ).toEqual(list.map(({ source }) => source).sort());
        expect(Array.from({ length: count }, (_, index) => shareOf([...list].reverse(), { index, count }))).toEqual(
          shares,
        );
        const loads = shares.map((share) => share.reduce((sum, { size }) => sum + size + 1, 0));
        const largest = Math.max(0, ...list.map(({ size }) => size + 1));
        expect(Math.max(...loads) - Math.min(...loads)).toBeLessThanOrEqual(largest);
      }),
    );
  });
});
