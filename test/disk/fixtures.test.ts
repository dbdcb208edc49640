import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import { diskFormats } from "../../src/disk/index.ts";
import { fixture } from "../support/needs.ts";
import { busyParts, firstDifference, openImage } from "./images.ts";
import { pattern } from "./pattern.ts";

interface Expected {
  readonly format: string;
  readonly variant: string;
  readonly sectors: number;
  readonly diagnostics: readonly string[];
  /** What the image has where the pattern has a hole, if that is not a hole: its blocks may be too large for one. */
  readonly start?: "data";
}

const formats = diskFormats.entries.map(({ name }) => name).filter((name) => existsSync(fixture(name)));

const cases = formats.flatMap((format) =>
  readdirSync(fixture(format), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => [format, entry.name] as const),
);

describe("disk fixtures", () => {
  it.each(cases)("%s/%s holds the pattern", async (format, name) => {
    const expected = JSON.parse(readFileSync(fixture(format, name, "expected.json"), "utf8")) as Expected;
    const { start = "zero", ...facts } = expected;
    const input = readdirSync(fixture(format, name)).find((file) => /^input\.\w+\.gz$/.test(file)) ?? "";
    const { disk, diagnostics } = await openImage(fixture(format, name, input));
    const raw = new MemorySource(pattern(expected.sectors));
    expect(await firstDifference(disk, raw, await busyParts(raw))).toBeUndefined();
    expect((await disk.extentAt(0, disk.size)).kind).toBe(start);
    expect({
      format: disk.format,
      variant: disk.variant,
      sectors: disk.size / 512,
      diagnostics: diagnostics.map(({ code }) => code),
    }).toEqual(facts);
  });

  it("are there", () => expect(cases.length).toBeGreaterThan(5));
});
