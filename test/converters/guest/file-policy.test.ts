import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FilePolicy } from "../../../converters/guest/file-policy.ts";
import { type Filter, parseFilters } from "../../../converters/guest/options.ts";
import type { Entry } from "../../../src/bytes/entry.ts";
import { memoryFileSystem } from "../../support/memory-tree.ts";
import { ALPINE, CENTOS, DEBIAN } from "./machines.ts";

async function entries(files: Parameters<typeof memoryFileSystem>[0]): Promise<Entry[]> {
  const found: Entry[] = [];
  for await (const entry of memoryFileSystem(files).walk()) found.push(entry);
  return found;
}

function kept(policy: FilePolicy, all: readonly Entry[]): string[] {
  return all.filter((entry) => policy.decide(entry).action !== "leave-out").map(({ path }) => path);
}

const FILES = {
  "boot/a/b": "1",
  "boot/c": "2",
  "boot/d.ko": "3",
  "data/boot/x": "4",
  "data/y.log": "5",
  "data/z": "6",
};

describe("filters", () => {
  it.each<[string, readonly string[]]>([
    ["", ["", "data", "data/boot", "data/boot/x", "data/y.log", "data/z"]],
    ["+ /boot/a", ["", "boot", "boot/a", "boot/a/b", "data", "data/boot", "data/boot/x", "data/y.log", "data/z"]],
    ["+ /boot/c\n- /data/", ["", "boot", "boot/c"]],
    ["+ /data/z\n- /data", ["", "data", "data/z"]],
    ["- /data\n+ /data/z", [""]],
    ["- *.log\n+ /data\n- z", ["", "data", "data/boot", "data/boot/x", "data/z"]],
    ["# comment\n; comment\n\nboot\n", ["", "data", "data/y.log", "data/z"]],
    ["+ *.ko\n- /data", [""]],
    ["+ /boot/**/b\n- /data", ["", "boot", "boot/a", "boot/a/b"]],
  ])("%j", async (text, paths) => {
    expect(kept(new FilePolicy({ filters: parseFilters(text) }, new Map()), await entries(FILES))).toEqual(paths);
  });

  it("keeps the kernel with keepBoot, and everything with the full profile", async () => {
    const all = await entries(FILES);
    expect(kept(new FilePolicy({ keepBoot: true }, new Map()), all)).toHaveLength(all.length);
    expect(kept(new FilePolicy({ profile: "full" }, new Map()), all)).toHaveLength(all.length);
  });
});

describe("decide", () => {
  const pattern = fc
    .tuple(
      fc.boolean(),
      fc.array(fc.constantFrom("etc", "var", "usr", "lib", "*", "**", "*.pem", "nginx"), {
        minLength: 1,
        maxLength: 3,
      }),
    )
    .map(([anchored, names]) => `${anchored ? "/" : ""}${names.join("/")}`);
  const filters = fc.array(fc.record({ action: fc.constantFrom<Filter["action"]>("include", "exclude"), pattern }), {
    maxLength: 5,
  });

  it("answers the same in any order of the entries, and never an entry without its directory", async () => {
    const machines = await Promise.all([DEBIAN, CENTOS, ALPINE].map(entries));
    const property = fc.property(
      filters,
      fc.constantFrom(...machines),
      fc.constantFrom("container", "minimal"),
      (rules, all, profile) => {
        const options = { filters: rules, profile } as const;
        const forwards = new FilePolicy(options, new Map());
        const backwards = new FilePolicy(options, new Map());
        const expected = new Map([...all].reverse().map((entry) => [entry.path, backwards.decide(entry)]));
        for (const entry of all) {
          const decision = forwards.decide(entry);
          expect(decision).toEqual(expected.get(entry.path));
          const parent = expected.get(entry.path.slice(0, Math.max(0, entry.path.lastIndexOf("/"))));
          if (decision.action !== "leave-out") expect(parent?.action, entry.path).not.toBe("leave-out");
        }
      },
    );
    fc.assert(property, { numRuns: 60 });
  });

  it("obeys an earlier filter whatever comes after it", async () => {
    const all = await entries(DEBIAN);
    const property = fc.property(filters, (rules) => {
      const first = new FilePolicy({ filters: [{ action: "include", pattern: "/etc" }, ...rules] }, new Map());
      const none = new FilePolicy({ filters: [{ action: "exclude", pattern: "/etc" }, ...rules] }, new Map());
      for (const entry of all.filter(({ path }) => path.startsWith("etc/"))) {
        expect(first.decide(entry).action).toBe("keep");
        expect(none.decide(entry).action).toBe("leave-out");
      }
    });
    fc.assert(property, { numRuns: 40 });
  });
});
